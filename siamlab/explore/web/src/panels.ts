// Panels: draws a scene, with images, heat maps, marks, boxes, charts and controls.
// The model is that of anywidget or of an exported page; both answer an event with a new scene.

import { showControls } from "./controls";
import { clickable, draw } from "./drawing";
import { add, tell } from "./elements";
import { paint, pointAt, showScale } from "./heat";
import { key, point, press } from "./input";
import { drawMark } from "./marks";
import { patchAt } from "./places";
import type { All, Model, Panel, PanelEvent, Scene, Send, View } from "./scene";
import { setAll, shape, WIDE } from "./shapes";

export const PATIENCE = 5000; // milliseconds without an answer until the widget says so
export const LATE = "No answer yet: the kernel is busy, or it was restarted. " +
  "After a restart, run this cell again.";
export const LOST = "The kernel that answers was restarted, or is out of reach. " +
  "After a restart, run this cell again.";

// Returns the place of its buttons. `offer` adds a way out to the note that nothing answers.
export function mount(model: Model, el: Element, offer?: (note: Element) => void): Element {
  const root = add(el, "div", { class: "siamlab-explorer" });
  const tools = add(root, "div", { class: "tools" });
  addFullScreen(tools, root);
  const gone = add(root, "p", { class: "gone", role: "alert" });
  const text = add(root, "p", { class: "text", role: "status", "aria-live": "polite" });
  const controls = add(root, "div", { class: "controls" });
  const body = add(root, "div", { class: "body" });
  const panels = add(body, "div", { class: "panels" });
  const jumps = add(body, "div", { class: "jumps" });
  const foot = add(root, "div", { class: "foot" });
  const legend = add(foot, "div", { class: "legend" });
  const colour = addColour(foot, root);
  const all: All = { views: new Map(), pointed: { at: null } };
  const { send, answered, isAhead } = sender(model, root, gone, offer);

  controls.addEventListener("keydown", keepKeys);
  jumps.addEventListener("keydown", keepKeys);

  // a slider that is being dragged is ahead of the answers: leave it until the last one arrives
  const updateControls = () => showControls(controls, model.get("scene").controls || [], send, isAhead);

  const show = () => {
    const scene = model.get("scene");
    if (!scene.panels) return;
    tell(text, scene.text);
    root.classList.toggle("charted", Boolean(scene.panels[0]?.chart)); // then the text is a list, and stands below
    updateControls();
    showPanels(panels, scene, model.get("images"), all, send);
    keepHeight(text, scene.panels.some((panel) => panel.hovers)); // measures: after all that changes
    showJumps(jumps, scene, send);
    showLegend(legend, scene);
    colour.hidden = !scene.panels.some((panel) => panel.heat);
  };
  model.on("change:scene", show);
  model.on("change:answered", () => { updateControls(); answered(); });
  answered();
  show();
  return tools;
}

// The explorer alone, as large as the screen; Escape leaves it too.
export function addFullScreen(tools: Element, root: HTMLElement): void {
  if (!document.fullscreenEnabled) return; // as in the frame of a page that does not allow it
  const button = add(tools, "button", { type: "button", class: "full" }, "Full screen");
  button.addEventListener("click", () => (
    document.fullscreenElement === root ? document.exitFullscreen() : root.requestFullscreen()));
  button.addEventListener("keydown", keepKeys);
  root.addEventListener("fullscreenchange", () => {
    button.textContent = document.fullscreenElement === root ? "Leave full screen" : "Full screen";
  });
}

// How much of the heat is seen: the less, the more of the picture below it.
function addColour(parent: Element, root: HTMLElement): HTMLElement {
  const label = add(parent, "label", { class: "colour" });
  add(label, "span", {}, "colour");
  const slider = add(label, "input", { name: "colour", type: "range", min: 0, max: 100, value: 100 });
  slider.addEventListener("input", () => (
    root.style.setProperty("--opacity", String(Number(slider.value) / 100))));
  slider.addEventListener("keydown", keepKeys);
  return label;
}

// What sends events, notes that they were answered, and knows whether a control is ahead of answers.
function sender(model: Model, root: Element, gone: HTMLElement, offer?: (note: Element) => void) {
  const sent: Record<string, number> = {}; // control -> the count of its last event
  let timer: number; // a widget whose kernel was restarted looks as before, but nothing answers
  let lost = false;
  const last = () => model.get("event")?.count || 0;
  const isAnswered = () => (model.get("answered") || 0) >= last();
  const warn = (late: boolean) => {
    gone.textContent = lost ? LOST : late && !isAnswered() ? LATE : "";
    gone.hidden = !gone.textContent;
    if (!gone.hidden) offer?.(gone);
    root.classList.toggle("late", !gone.hidden);
  };
  const send = (event: PanelEvent) => {
    const count = last() + 1;
    clearTimeout(timer);
    timer = setTimeout(() => warn(true), PATIENCE);
    if ("control" in event) sent[event.control] = count;
    model.set("event", { ...event, count });
    model.save_changes();
  };
  const isAhead = (name: string) => sent[name] > model.get("answered");
  model.on("comm_live_update", () => { lost = true; warn(true); }); // of ipywidgets, for a lost kernel
  return { send, answered: () => { lost = false; warn(false); }, isAhead };
}

function showPanels(
  panels: HTMLElement, scene: Scene, images: Record<string, string>, all: All, send: Send,
): void {
  const { views, pointed } = all;
  panels.style.setProperty("--columns", String(scene.columns));
  for (const [id, view] of views) {
    if (!scene.panels.some((panel) => panel.id === id)) { view.figure.remove(); views.delete(id); }
  }
  scene.panels.forEach((panel, i) => {
    const view = views.get(panel.id) ?? makePanel(panels, panel, send, all);
    views.set(panel.id, view);
    if (panels.children[i] !== view.figure) panels.insertBefore(view.figure, panels.children[i]);
    showPanel(view, panel, images[panel.image], scene);
    if (scene.linked) pointAt(view, pointed.at);
  });
}

// Else the panels would move below a pointer that they follow.
function keepHeight(text: HTMLElement, hovers: boolean): void {
  const { height } = text.getBoundingClientRect();
  if (!hovers) text.style.minHeight = "";
  else if (height > (parseFloat(text.style.minHeight) || 0)) text.style.minHeight = `${height}px`;
}

// JupyterLab moves between cells by the keys of sliders and choices.
export function keepKeys(event: KeyboardEvent): void {
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (!modified && !(event.shiftKey && event.key === "Enter")) event.stopPropagation();
}

function makePanel(parent: Element, panel: Panel, send: Send, all: All): View {
  const figure = add(parent, "figure", { "data-panel": panel.id });
  const title = add(figure, "figcaption");
  const stage = add(figure, "div", { class: "stage" });
  const image = add(stage, "img", { alt: "", draggable: "false" });
  const heat = add(stage, "canvas");
  const svg = shape(stage, "svg", { class: "drawing", preserveAspectRatio: "none" });
  const scale = add(figure, "div", { class: "scale" });
  const view: View = { figure, title, stage, image, heat, svg, scale, all, cursor: 0, panel, chosen: [],
    ratio: 0, symbols: {} };
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

function showPanel(view: View, panel: Panel, source: string, scene: Scene): void {
  const { stops, symbols, scales, columns, linked } = scene;
  const colours = panel.heat && !panel.heat.rgba ? scales[panel.heat.scale] : null;
  Object.assign(view, { panel, symbols, linked, colours });
  view.chosen = panel.chart ? [...panel.chart.chosen] : [];
  view.stage.classList.toggle("heated", Boolean(panel.heat));
  const wide = 4 * panel.span >= columns; // others are as small as the heads of a model
  showScale(view, stops, wide);
  tell(view.title, panel.title);
  view.figure.style.setProperty("--span", String(panel.span));
  view.figure.classList.toggle("wide", wide);
  view.figure.classList.toggle("small", !wide);
  view.figure.classList.toggle("chosen", panel.chosen);
  view.image.hidden = Boolean(panel.chart);
  if (panel.chart) placeChart(view, panel.grid);
  else if (view.image.getAttribute("src") !== source) view.image.src = source;
  const query = panel.marks.find((mark) => mark.kind === "query");
  if (query && panel.grid) view.cursor = patchAt(panel.grid, query.x, query.y);
  takeInput(view, panel);
  paint(view, stops);
  draw(view);
}

function placeChart(view: View, grid: Panel["grid"]): void { // in the place of a picture
  view.ratio = WIDE.ratio;
  view.stage.style.aspectRatio = `1 / ${WIDE.ratio}`;
  const focused = document.activeElement === view.svg; // keep the place of someone who moves by keys
  if (grid && !(focused && view.cursor < grid[1])) view.cursor = view.chosen.at(-1) || 0;
}

function takeInput({ svg }: View, panel: Panel): void {
  const drags = panel.several || panel.boxes.some((box) => box.movable);
  const active = clickable(panel) || drags;
  svg.classList.toggle("active", active);
  svg.classList.toggle("drags", drags);
  if (!active) return;
  setAll(svg, { tabindex: 0, role: "application",
    "aria-label": panel.title + ": arrow keys move, Enter selects" +
      (panel.several ? ", Shift adds to the selection" : "") });
}

function showJumps(list: HTMLElement, scene: Scene, send: Send): void {
  list.hidden = scene.jumps.length === 0;
  list.replaceChildren();
  if (scene.jumps_title) add(list, "strong", {}, scene.jumps_title);
  for (const jump of scene.jumps) {
    const button = add(list, "button", { type: "button" }, jump.text);
    button.addEventListener("click", () => send({ panel: jump.panel, patch: jump.patch }));
  }
}

function showLegend(legend: HTMLElement, scene: Scene): void {
  legend.replaceChildren();
  for (const [kind, meaning] of scene.legend) {
    const entry = add(legend, "span", { class: "entry" });
    const svg = shape(entry, "svg", { class: "drawing", viewBox: "-40 -40 80 80", width: 18, height: 18 });
    drawMark(svg, { kind, x: 0, y: 0, text: "2" }, 1, { width: 56, height: 56 });
    add(entry, "span", {}, meaning);
  }
}
