// Page: an exported explorer, which answers clicks without Python: its data holds the answers
// ready-made, or what they are computed from.

import { HINTS, scenesOf } from "./compute";
import { mount } from "./panels";

const { first, state, moves, scenes, images, refusal, held } = JSON.parse(find("#data").textContent);
const shown = { scene: first, images, event: null, answered: 0 };
const listeners = {};
const model = { // takes the place of anywidget's
  get: (name) => shown[name],
  set: (name, value) => { shown[name] = value; },
  on: (name, call) => { listeners[name] = call; },
  save_changes: () => answer(shown.event),
};

function find(selector) {
  return document.querySelector(selector);
}

function answer(event) {
  const before = shown.scene;
  shown.answered = event.count;
  shown.scene = held ? computed(event) : stored(event);
  if (shown.scene === before) return; // a drawing that is replaced loses what is below the pointer
  listeners["change:scene"]();
  showHint();
}

function computed(event) {
  const { next, scene } = scenesOf[held.scene];
  const changed = event.release ? { pinned: false } : next(state, event);
  if (changed === state) return shown.scene;
  Object.assign(state, changed);
  return scene(held.data, first, state);
}

function stored(event) {
  const move = moves[eventName(event)]; // what it changes
  const values = { ...state.values, ...move?.values };
  const selected = move?.selected || state.selected;
  const words = Object.keys(values).sort().map((key) => key + "=" + values[key]);
  const found = move && scenes[[...words, ...selected].join(" ")]; // where it differs from the first
  if (found) Object.assign(state, { values, selected });
  return found ? { ...first, ...found } : { ...shown.scene, text: refusal };
}

function eventName(event) {
  if ("control" in event) return event.control + "=" + event.value;
  if ("parts" in event) return event.panel + " " + event.parts;
  if ("patch" in event) return event.panel + " " + event.patch;
  return nearestBox(event.box, event.step || [0, 0]);
}

// The stored box of this size that is nearest; after an arrow key, the nearest in its direction.
function nearestBox([top, left, height, width], step) {
  const keyed = step.some(Boolean);
  const [atTop, atLeft] = state.values.box;
  const ahead = ([y, x]) => step[0] * (y - atTop) + step[1] * (x - atLeft) > 0.001;
  const distance = ([y, x]) =>
    (keyed ? Math.hypot(y - atTop, x - atLeft) : Math.hypot(y - top, x - left));
  const sameSize = ([, , h, w]) => Math.hypot(h - height, w - width) < 0.001;
  const boxes = Object.keys(moves).filter((name) => name.startsWith("box "))
    .map((name) => [name, moves[name].values.box])
    .filter(([, box]) => sameSize(box) && (!keyed || ahead(box)));
  return boxes.sort((a, b) => distance(a[1]) - distance(b[1])).map(([name]) => name)[0];
}

function showHint() {
  if (held) find(".siamlab-hint").textContent = HINTS[state.pinned ? "pinned" : "free"];
}

if (held) { // where a pointer is followed at once
  Object.assign(state, { pinned: false });
  shown.scene = scenesOf[held.scene].scene(held.data, first, state);
  window.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") answer({ release: true, count: shown.answered });
  });
}
window.shown = shown;
showHint();
mount(model, find("#explorer"));
