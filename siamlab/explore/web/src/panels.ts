// Panels: draws a scene, with images, heat maps, marks, boxes, charts and controls.
// The model is that of anywidget or of an exported page; both answer an event with a new scene.

import { paint, point, pointAt, showScale } from "./heat";
import { key, patchAt, press } from "./input";
import { drawMark, drawPanel, shape, UNIT, WIDE } from "./shapes";

const PATIENCE = 5000; // milliseconds without an answer until the widget says so
const LATE = "No answer yet: the kernel is busy, or it was restarted. " +
  "After a restart, run this cell again.";

export function mount(model, el) {
  const root = add(el, "div", { class: "siamlab-explorer" });
  const gone = add(root, "p", { class: "gone", role: "alert" });
  const text = add(root, "p", { class: "text", role: "status", "aria-live": "polite" });
  const controls = add(root, "div", { class: "controls" });
  const body = add(root, "div", { class: "body" });
  const panels = add(body, "div", { class: "panels" });
  const jumps = add(body, "div", { class: "jumps" });
  const foot = add(root, "div", { class: "foot" });
  const views = new Map(); // panel id -> its elements and state
  const sent = {}; // control -> the count of its last event
  const pointed = { at: null }; // the place under the pointer, where panels are linked

  controls.addEventListener("keydown", keepKeys);
  jumps.addEventListener("keydown", keepKeys);

  let timer; // a widget whose kernel was restarted looks as before, but nothing answers
  const answered = () => (model.get("answered") || 0) >= (model.get("event")?.count || 0);
  const tell = (late) => {
    gone.textContent = late && !answered() ? LATE : "";
    gone.hidden = !gone.textContent;
    root.classList.toggle("late", !gone.hidden);
  };
  const send = (event) => {
    const count = (model.get("event")?.count || 0) + 1; // so that equal events differ
    clearTimeout(timer);
    timer = setTimeout(() => tell(true), PATIENCE);
    if (event.control) sent[event.control] = count;
    model.set("event", { ...event, count });
    model.save_changes();
  };

  // a slider that is being dragged is ahead of the answers: leave it until the last one arrives
  const updateControls = () => showControls(controls, model.get("scene").controls || [], send,
    (name) => sent[name] > model.get("answered"));

  const show = () => {
    const scene = model.get("scene");
    const images = model.get("images");
    if (!scene.panels) return;
    text.textContent = scene.text;
    keepHeight(text, scene.panels.some((panel) => panel.hovers));
    updateControls();
    panels.style.setProperty("--columns", scene.columns);
    for (const [id, view] of views) {
      if (!scene.panels.some((panel) => panel.id === id)) { view.figure.remove(); views.delete(id); }
    }
    scene.panels.forEach((panel, i) => {
      if (!views.has(panel.id)) views.set(panel.id, makePanel(panels, panel, send, { views, pointed }));
      const view = views.get(panel.id);
      if (panels.children[i] !== view.figure) panels.insertBefore(view.figure, panels.children[i]);
      showPanel(view, panel, images[panel.image], scene);
      if (scene.linked) pointAt(view, pointed.at);
    });
    showJumps(jumps, scene, send);
    showFoot(foot, scene);
  };
  model.on("change:scene", show);
  model.on("change:answered", () => { updateControls(); tell(false); });
  tell(false);
  show();
}

function keepHeight(text, hovers) { // else the panels would move below a pointer that they follow
  const { height } = text.getBoundingClientRect();
  if (!hovers) text.style.minHeight = "";
  else if (height > (parseFloat(text.style.minHeight) || 0)) text.style.minHeight = `${height}px`;
}

function keepKeys(event) { // JupyterLab moves between cells by the keys of sliders and choices
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (!modified && !(event.shiftKey && event.key === "Enter")) event.stopPropagation();
}

export function add(parent, name, attributes = {}, content = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (content) made.textContent = content;
  parent.appendChild(made);
  return made;
}

function showControls(bar, controls, send, isAhead) {
  for (const label of bar.children) label.hidden = true; // a control that this scene lacks
  for (const control of controls) {
    let input = bar.querySelector(`[name="${control.name}"]`);
    if (!input) {
      const label = add(bar, "label");
      add(label, "span", {}, control.label);
      const choice = control.options.length > 0;
      input = add(label, choice ? "select" : "input", { name: control.name });
      if (!choice) Object.assign(input, { type: "range", step: 1 });
      const value = () => (choice ? input.value : Number(input.value));
      input.addEventListener("input", () => send({ control: control.name, value: value() }));
      add(label, "output");
    }
    if (control.options.length > 0) {
      const known = [...input.options].map((option) => option.value).join();
      if (known !== control.options.join()) {
        input.replaceChildren();
        for (const option of control.options) add(input, "option", { value: option }, option);
      }
    } else {
      Object.assign(input, { min: control.low, max: control.high });
      input.parentElement.querySelector("output").textContent = control.shown ?? control.value;
    }
    input.parentElement.style.order = controls.indexOf(control);
    const fixed = control.options.length === 0 && control.low === control.high;
    input.parentElement.hidden = fixed; // nothing to choose
    if (String(control.value) !== input.value && !isAhead(control.name)) input.value = control.value;
  }
}

function makePanel(parent, panel, send, all) {
  const figure = add(parent, "figure", { "data-panel": panel.id });
  const title = add(figure, "figcaption");
  const stage = add(figure, "div", { class: "stage" });
  const image = add(stage, "img", { alt: "", draggable: "false" });
  const heat = add(stage, "canvas");
  const svg = shape(stage, "svg", { class: "drawing", preserveAspectRatio: "none" });
  const scale = add(figure, "div", { class: "scale" });
  const view = { figure, title, stage, image, heat, svg, scale, all, cursor: 0, panel, chosen: [] };
  image.addEventListener("load", () => {
    view.ratio = image.naturalHeight / image.naturalWidth;
    stage.style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`;
    draw(view);
  });
  svg.addEventListener("pointerdown", (event) => press(view, event, send));
  svg.addEventListener("keydown", (event) => key(view, event, send));
  svg.addEventListener("pointermove", (event) => point(view, event, send));
  svg.addEventListener("pointerleave", () => point(view, null, send));
  svg.addEventListener("focus", () => draw(view));
  svg.addEventListener("blur", () => draw(view));
  return view;
}

function showPanel(view, panel, source, { stops, symbols, scales, columns, linked }) {
  const scale = panel.heat && scales[panel.heat.scale];
  Object.assign(view, { panel, symbols, linked, colours: scale });
  view.chosen = panel.chart ? [...panel.chart.chosen] : [];
  view.stage.classList.toggle("heated", Boolean(panel.heat));
  showScale(view, stops, 4 * panel.span >= columns);
  view.title.textContent = panel.title;
  const wide = 4 * panel.span >= columns; // others are as small as the heads of a model
  view.figure.style.setProperty("--span", panel.span);
  view.figure.classList.toggle("wide", wide);
  view.figure.classList.toggle("small", !wide);
  view.figure.classList.toggle("chosen", panel.chosen);
  view.image.hidden = Boolean(panel.chart);
  if (panel.chart) {
    view.ratio = WIDE.ratio;
    view.stage.style.aspectRatio = `1 / ${WIDE.ratio}`;
    const focused = document.activeElement === view.svg; // keep the place of someone who moves by keys
    if (panel.grid && !(focused && view.cursor < panel.grid[1])) view.cursor = view.chosen.at(-1) || 0;
  } else if (view.image.getAttribute("src") !== source) {
    view.image.src = source;
  }
  const query = panel.marks.find((mark) => mark.kind === "query");
  if (query && panel.grid) view.cursor = patchAt(panel.grid, query.x, query.y);
  const drags = panel.several || panel.boxes.some((box) => box.movable);
  const active = clickable(panel) || drags;
  view.svg.classList.toggle("active", Boolean(active));
  view.svg.classList.toggle("drags", drags);
  if (active) {
    view.svg.setAttribute("tabindex", 0);
    view.svg.setAttribute("role", "application");
    view.svg.setAttribute("aria-label", panel.title + ": arrow keys move, Enter selects" +
      (panel.several ? ", Shift adds to the selection" : ""));
  }
  paint(view, stops);
  draw(view);
}

export function clickable(panel) {
  return panel.grid && !panel.still;
}

export function draw(view) {
  const { svg, panel, ratio } = view;
  if (!ratio) return;
  svg.setAttribute("viewBox", `0 0 ${UNIT} ${UNIT * ratio}`);
  svg.replaceChildren();
  view.focused = document.activeElement === svg && clickable(panel);
  drawPanel(view);
}

function showJumps(list, scene, send) {
  list.hidden = scene.jumps.length === 0;
  list.replaceChildren();
  if (scene.jumps_title) add(list, "strong", {}, scene.jumps_title);
  for (const jump of scene.jumps) {
    const button = add(list, "button", { type: "button" }, jump.text);
    button.addEventListener("click", () => send({ panel: jump.panel, patch: jump.patch }));
  }
}

function showFoot(foot, scene) {
  foot.replaceChildren();
  for (const [kind, meaning] of scene.legend) {
    const entry = add(foot, "span", { class: "entry" });
    const svg = shape(entry, "svg", { class: "drawing", viewBox: "-40 -40 80 80", width: 18, height: 18 });
    drawMark(svg, { kind, x: 0, y: 0, text: "2" }, 1, { width: 56, height: 56 });
    add(entry, "span", {}, meaning);
  }
}

