// Panels: pictures with patches to click, heat, marks, boxes, and controls; all from one scene.
// The model is anywidget's, or the one of an exported page; both answer an event with a new scene.

const OPACITY = 0.6; // of heat, as in the style

function mount(model, el) {
  const root = add(el, "div", { class: "siamlab-explorer" });
  const text = add(root, "p", { class: "text", role: "status", "aria-live": "polite" });
  const controls = add(root, "div", { class: "controls" });
  const body = add(root, "div", { class: "body" });
  const panels = add(body, "div", { class: "panels" });
  const jumps = add(body, "div", { class: "jumps" });
  const foot = add(root, "div", { class: "foot" });
  const views = new Map(); // panel id -> its elements
  const sent = {}; // control -> the count of its last event

  const send = (event) => {
    const count = (model.get("event")?.count || 0) + 1; // makes each event a new value
    if (event.control) sent[event.control] = count;
    model.set("event", { ...event, count });
    model.save_changes();
  };

  // whoever drags a slider is ahead of the answers: it is left alone until the last one is there
  const steer = () => showControls(controls, model.get("scene").controls || [], send,
    (name) => sent[name] > model.get("answered"));

  const show = () => {
    const scene = model.get("scene");
    const images = model.get("images");
    if (!scene.panels) return;
    text.textContent = scene.text;
    steer();
    panels.style.setProperty("--columns", scene.columns);
    for (const [id, view] of views) {
      if (!scene.panels.some((panel) => panel.id === id)) { view.figure.remove(); views.delete(id); }
    }
    scene.panels.forEach((panel, i) => {
      if (!views.has(panel.id)) views.set(panel.id, makePanel(panels, panel, send));
      const view = views.get(panel.id);
      if (panels.children[i] !== view.figure) panels.insertBefore(view.figure, panels.children[i]);
      showPanel(view, panel, images[panel.image], scene);
    });
    showJumps(jumps, scene, send);
    showFoot(foot, scene);
  };
  model.on("change:scene", show);
  model.on("change:answered", steer);
  show();
}

function add(parent, name, attributes = {}, content = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (content) made.textContent = content;
  parent.appendChild(made);
  return made;
}

function showControls(bar, controls, send, waits) {
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
      input.parentElement.querySelector("output").textContent = control.value;
    }
    if (String(control.value) !== input.value && !waits(control.name)) input.value = control.value;
  }
}

function makePanel(parent, panel, send) {
  const figure = add(parent, "figure", { "data-panel": panel.id });
  const title = add(figure, "figcaption");
  const stage = add(figure, "div", { class: "stage" });
  const image = add(stage, "img", { alt: "", draggable: "false" });
  const heat = add(stage, "canvas");
  const svg = shape(stage, "svg", { preserveAspectRatio: "none" });
  const view = { figure, title, stage, image, heat, svg, cursor: 0, panel, chosen: [] };
  image.addEventListener("load", () => {
    view.ratio = image.naturalHeight / image.naturalWidth;
    stage.style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`;
    draw(view);
  });
  svg.addEventListener("pointerdown", (event) => press(view, event, send));
  svg.addEventListener("keydown", (event) => key(view, event, send));
  svg.addEventListener("focus", () => draw(view));
  svg.addEventListener("blur", () => draw(view));
  return view;
}

function showPanel(view, panel, source, { stops, symbols }) {
  Object.assign(view, { panel, symbols, chosen: panel.chart ? [...panel.chart.chosen] : [] });
  view.title.textContent = panel.title;
  view.figure.style.gridColumn = `span ${panel.span}`;
  view.figure.classList.toggle("chosen", panel.chosen);
  view.image.hidden = Boolean(panel.chart);
  if (panel.chart) {
    view.ratio = WIDE.ratio;
    view.stage.style.aspectRatio = `1 / ${WIDE.ratio}`;
    const own = document.activeElement === view.svg; // whoever steps with keys goes on from there
    if (panel.grid && !(own && view.cursor < panel.grid[1])) view.cursor = view.chosen.at(-1) || 0;
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
    view.svg.setAttribute("aria-label", panel.title + ": arrow keys move, Enter chooses" +
      (panel.several ? ", with Shift several" : ""));
  }
  paint(view, stops);
  draw(view);
}

function clickable(panel) {
  return panel.grid && !panel.still;
}

function paint(view, stops) {
  const { panel, heat } = view;
  heat.hidden = !panel.heat;
  if (!panel.heat) return;
  const [rows, columns] = panel.heat.grid;
  Object.assign(heat, { width: columns, height: rows });
  const levels = atob(panel.heat.levels);
  const pixels = new ImageData(columns, rows);
  for (let i = 0; i < levels.length; i++) {
    const level = levels.charCodeAt(i);
    if (level === 0) continue; // no number: clear
    pixels.data.set([...shade(stops, (level - 1) / 254), 255], 4 * i);
  }
  heat.getContext("2d").putImageData(pixels, 0, 0);
}

function shade(stops, share) {
  const place = share * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const [a, b] = [stops[low], stops[low + 1]].map((stop) => stop.match(/\d+/g).map(Number));
  return a.map((value, i) => Math.round(value + (b[i] - value) * (place - low)));
}

function draw(view) {
  const { svg, panel, ratio } = view;
  if (!ratio) return;
  const high = UNIT * ratio;
  svg.setAttribute("viewBox", `0 0 ${UNIT} ${high}`);
  svg.replaceChildren();
  if (panel.chart) return drawChart(view, high);
  const [rows, columns] = panel.grid || (panel.heat && panel.heat.grid) || [14, 14];
  const cell = { width: UNIT / columns, height: high / rows };
  panel.boxes.forEach((box, i) => drawBox(svg, box, high, i > 0));
  for (const [y, x, toY, toX] of panel.arrows) {
    const ends = { x1: x * UNIT, y1: y * high, x2: toX * UNIT, y2: toY * high };
    shape(svg, "line", { ...ends, class: "edge" });
    shape(svg, "line", { ...ends, class: "arrow" });
  }
  for (const mark of [...panel.marks].reverse()) drawMark(svg, mark, high, cell);
  if (document.activeElement === svg && clickable(panel)) {
    const [row, column] = [Math.floor(view.cursor / columns), view.cursor % columns];
    shape(svg, "rect", { x: column * cell.width, y: row * cell.height, ...cell, class: "cursor" });
  }
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
    const svg = shape(entry, "svg", { viewBox: "-40 -40 80 80", width: 18, height: 18 });
    drawMark(svg, { kind, x: 0, y: 0, text: "2" }, 1, { width: 56, height: 56 });
    add(entry, "span", {}, meaning);
  }
  for (const scale of Object.values(scene.scales)) {
    const entry = add(foot, "span", { class: "entry" });
    add(entry, "span", {}, `${scale.title}: ${number(scale.low)}`);
    const bar = add(entry, "span", { class: "bar" });
    bar.style.background = `linear-gradient(90deg, ${scene.stops.map(paler).join(", ")})`;
    add(entry, "span", {}, number(scale.high));
  }
}

function paler(stop) { // as the heat looks on a white picture
  return `rgb(${stop.match(/\d+/g).map((v) => Math.round(255 - OPACITY * (255 - v))).join()})`;
}

function number(value) {
  return String(Number(value.toPrecision(2))).replace("-", "−");
}

export default { render: ({ model, el }) => mount(model, el) };
