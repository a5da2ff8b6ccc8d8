// Input: turns pointers and keys on a panel into events.

import { clickable, draw } from "./panels";
import { chartPlace, UNIT } from "./shapes";

const INTERVAL = 60; // milliseconds between two events of a drag, at least
export const CLICK = 5; // pixels that a pointer may move during a click

export function place(view, event) {
  const area = view.svg.getBoundingClientRect();
  const share = (value, low, size) => Math.min(0.999, Math.max(0, (value - low) / size));
  return [share(event.clientX, area.left, area.width), share(event.clientY, area.top, area.height)];
}

export function patchAt([rows, columns], x, y) {
  return Math.floor(Math.min(y, 0.999) * rows) * columns + Math.floor(Math.min(x, 0.999) * columns);
}

export function press(view, event, send) {
  if (event.button !== 0 || !event.isPrimary) return;
  const box = view.panel.boxes.find((each) => each.movable);
  if (box) return drag(view, box, event, send);
  if (!clickable(view.panel)) return;
  if (view.panel.several) return brush(view, event, send);
  const under = (now) => patchAt(view.panel.grid, ...place(view, now));
  const patch = under(event);
  follow(view, event, () => {}, (last, cancelled) => { // a finger that scrolls selects nothing
    if (cancelled || under(last) !== patch) return;
    view.cursor = patch;
    send({ panel: view.panel.id, patch });
  });
}

// Follows a pointer from press to release; `ended` receives whether the browser cancelled it, as
// it does when a finger scrolls.
export function follow(view, event, moving, ended) {
  const stop = new AbortController();
  const listen = (name, call) => view.svg.addEventListener(name, call, { signal: stop.signal });
  const end = (last) => { stop.abort(); ended(last, last.type === "pointercancel"); };
  view.svg.setPointerCapture(event.pointerId);
  listen("pointermove", moving);
  listen("pointerup", end);
  listen("pointercancel", end);
}

function drag(view, box, event, send) {
  const [x, y] = place(view, event);
  const [right, bottom] = [box.left + box.width, box.top + box.height];
  const size = Math.hypot(x - right, y - bottom) < 0.06;
  const within = x > box.left && x < right && y > box.top && y < bottom;
  const grip = within || size ? [x - box.left, y - box.top] : [box.width / 2, box.height / 2];
  let last = 0;
  const move = (moved, end) => {
    const now = Date.now();
    if (!end && now - last < INTERVAL) return;
    last = now;
    const [px, py] = place(view, moved);
    const next = size
      ? [box.top, box.left, Math.max(0.1, py - box.top), Math.max(0.1, px - box.left)]
      : [py - grip[1], px - grip[0], box.height, box.width];
    send({ panel: view.panel.id, box: inside(next) });
  };
  follow(view, event, (moved) => move(moved, false), (moved, cancelled) => cancelled || move(moved, true));
}

function brush(view, event, send) { // a rectangle over points, a range of bars, or a click
  const { panel } = view;
  const bars = panel.chart.kind === "bars";
  const start = place(view, event);
  const begun = chartPart(view, ...start);
  let moved = false;
  let parts = [];
  const moving = (now) => {
    moved = moved || Math.hypot(now.clientX - event.clientX, now.clientY - event.clientY) > CLICK;
    if (!moved) return;
    const [[x, y], [toX, toY]] = [start, place(view, now)];
    const band = [Math.min(x, toX), bars ? 0 : Math.min(y, toY)];
    view.band = [...band, Math.max(x, toX), bars ? 1 : Math.max(y, toY)];
    parts = bars ? range(begun, chartPart(view, toX, toY)) : pointsIn(view);
    view.chosen = parts;
    draw(view);
  };
  follow(view, event, moving, (last, cancelled) => {
    if (!cancelled) moving(last);
    view.band = null;
    view.chosen = panel.chart.chosen;
    if (!cancelled && moved && parts.length > 0) several(view, parts, parts.at(-1), send);
    if (!cancelled && !moved && event.shiftKey) several(view, extended(view, begun), begun, send);
    if (!cancelled && !moved && !event.shiftKey) {
      view.cursor = begun;
      alone(view, send);
    }
    draw(view);
  });
}

function several(view, parts, cursor, send) {
  if (parts.length === 0) return;
  Object.assign(view, { cursor, chosen: parts }); // shown at once, before the answer
  send({ panel: view.panel.id, parts });
}

function alone(view, send) { // what the cursor is on; of several, shown at once as well
  if (view.panel.several) view.chosen = [view.cursor];
  send({ panel: view.panel.id, patch: view.cursor });
}

function extended(view, part) { // bars: the range up to this one; points: this one toggled
  const { chosen, cursor } = view;
  if (view.panel.chart.kind === "bars") {
    const [low, high] = [Math.min(...chosen), Math.max(...chosen)];
    return range(cursor === high ? low : cursor === low ? high : cursor, part);
  }
  const others = chosen.filter((each) => each !== part);
  return others.length < chosen.length ? others : [...others, part].sort((a, b) => a - b);
}

function range(from, to) {
  const low = Math.min(from, to);
  return [...Array(Math.abs(to - from) + 1).keys()].map((i) => low + i);
}

function pointsIn(view) {
  const [left, top, right, bottom] = view.band;
  const { chart } = view.panel;
  const high = UNIT * view.ratio;
  const [px, py] = chartPlace(chart, high);
  const within = (low, value, most) => low <= value && value <= most;
  return [...chart.x.keys()].filter((i) =>
    within(left, px(chart.x[i]) / UNIT, right) && within(top, py(chart.y[i]) / high, bottom));
}

function inside([top, left, height, width]) { // the box, moved into the image
  const clamp = (low, size) => Math.min(1 - size, Math.max(0, low));
  const [h, w] = [Math.min(1, height), Math.min(1, width)];
  return [clamp(top, h), clamp(left, w), h, w];
}

export const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export function key(view, event, send) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const handled = act(view, event, send);
  if (handled !== undefined) event.stopPropagation(); // JupyterLab uses the same keys
  if (handled) event.preventDefault();
}

function act(view, event, send) { // undefined: not our key; false: our key, but nothing to do
  const { panel } = view;
  const step = STEPS[event.key];
  const box = panel.boxes.find((each) => each.movable);
  const grows = { "+": 0.04, "-": -0.04 }[event.key];
  const enter = event.key === "Enter";
  if (box && (step || grows)) return nudge(view, box, step || [0, 0], grows || 0, send);
  if (!clickable(panel)) return undefined;
  if (step) return moveCursor(view, step, event.shiftKey, send);
  if (!enter && event.key !== " ") return undefined;
  if (enter && event.shiftKey && panel.several) {
    several(view, extended(view, view.cursor), view.cursor, send);
    draw(view);
  } else {
    alone(view, send);
    draw(view);
  }
  return true;
}

function nudge(view, box, step, grows, send) { // a page moves to its next box in this direction
  const old = [box.top, box.left, box.height, box.width];
  const size = [box.height, box.width].map((side) => Math.max(0.1, side + grows));
  const next = inside([box.top + 0.02 * step[0], box.left + 0.02 * step[1], ...size]);
  const moved = next.some((side, i) => Math.abs(side - old[i]) > 0.0002); // sides are rounded to 0.0001
  if (moved) send({ panel: view.panel.id, box: next, step });
  return moved;
}

function moveCursor(view, [down, right], extend, send) {
  const { panel } = view;
  const [rows, columns] = panel.grid;
  const [row, column] = [Math.floor(view.cursor / columns) + down, view.cursor % columns + right];
  if (row < 0 || row >= rows || column < 0 || column >= columns) return false;
  const next = row * columns + column;
  const bars = panel.chart && panel.chart.kind === "bars";
  if (extend && bars) several(view, extended(view, next), next, send);
  view.cursor = next;
  draw(view);
  if (panel.follows) send({ panel: panel.id, patch: next, keyed: true });
  return true;
}

function chartPart(view, x, y) { // the bar under the pointer, or the point nearest to it
  const chart = view.panel.chart;
  const [px, py] = chartPlace(chart, UNIT * view.ratio);
  const [atX, atY] = [x * UNIT, y * UNIT * view.ratio];
  if (chart.kind === "bars") {
    const right = chart.x.slice(1).findIndex((edge) => atX < px(edge));
    return right < 0 ? chart.y.length - 1 : right;
  }
  const distances = chart.y.map((value, i) => Math.hypot(px(chart.x[i]) - atX, py(value) - atY));
  return distances.indexOf(Math.min(...distances));
}
