// Input: turns pointers and keys on a panel into events.

import { chartPlace } from "./charts";
import { clickable, draw } from "./drawing";
import { pointAt } from "./heat";
import { patchAt } from "./places";
import type { Bars, Box, Grid, Panel, Point, Send, Sides, Step, View } from "./scene";
import { UNIT } from "./shapes";

const INTERVAL = 60; // milliseconds between two events of a drag, at least
const CLICK = 5; // pixels that a pointer may move during a click

type Brushed = View & { panel: Panel & { chart: Bars } }; // a panel whose points or bars can be chosen

function place(view: View, event: MouseEvent): Point {
  const area = view.svg.getBoundingClientRect();
  const share = (value: number, low: number, size: number) => (
    Math.min(0.999, Math.max(0, (value - low) / size)));
  return [share(event.clientX, area.left, area.width), share(event.clientY, area.top, area.height)];
}

// What is under the pointer, in all panels where they are linked.
export function point(view: View, event: PointerEvent | null, send: Send): void {
  const at = event && place(view, event);
  const { views, pointed } = view.all;
  if (view.linked) pointed.at = at;
  const over = at && view.panel.grid && patchAt(view.panel.grid, ...at);
  if (view.panel.hovers && (!event || event.pointerType === "mouse") && over !== view.over) {
    view.over = over;
    send({ panel: view.panel.id, hover: over });
    if (view.linked) return; // the answer may come later, and points then
  }
  for (const other of view.linked ? views.values() : [view]) pointAt(other, at);
}

export function press(view: View, event: PointerEvent, send: Send): void {
  if (event.button !== 0 || !event.isPrimary) return;
  const box = view.panel.boxes.find((each) => each.movable);
  if (box) return drag(view, box, event, send);
  const { panel } = view;
  if (!clickable(panel)) return;
  if (isBrushed(view)) return brush(view, event, send);
  const under = (now: MouseEvent) => patchAt(panel.grid, ...place(view, now));
  const patch = under(event);
  follow(view.svg, event, () => {}, (last, cancelled) => { // a finger that scrolls selects nothing
    if (cancelled || under(last) !== patch) return;
    view.cursor = patch;
    send({ panel: view.panel.id, patch });
  });
}

function isBrushed(view: View): view is Brushed {
  const { chart, several } = view.panel;
  return several && chart !== null && chart.kind !== "lines";
}

// Follows a pointer from press to release; `ended` receives whether the browser cancelled it, as
// it does when a finger scrolls.
export function follow(
  element: HTMLElement | SVGSVGElement, event: PointerEvent, moving: (now: PointerEvent) => void,
  ended: (last: PointerEvent, cancelled: boolean) => void,
): void {
  const stop = new AbortController();
  const listen = (name: "pointermove" | "pointerup" | "pointercancel", call: (now: PointerEvent) => void) => (
    (element as HTMLElement).addEventListener(name, call, { signal: stop.signal }));
  const end = (last: PointerEvent) => { stop.abort(); ended(last, last.type === "pointercancel"); };
  element.setPointerCapture(event.pointerId);
  listen("pointermove", moving);
  listen("pointerup", end);
  listen("pointercancel", end);
}

function drag(view: View, box: Box, event: PointerEvent, send: Send): void {
  const [x, y] = place(view, event);
  const [right, bottom] = [box.left + box.width, box.top + box.height];
  const size = Math.hypot(x - right, y - bottom) < 0.06;
  const within = x > box.left && x < right && y > box.top && y < bottom;
  const grip = within || size ? [x - box.left, y - box.top] : [box.width / 2, box.height / 2];
  let last = 0;
  const move = (moved: PointerEvent, end: boolean) => {
    const now = Date.now();
    if (!end && now - last < INTERVAL) return;
    last = now;
    const [px, py] = place(view, moved);
    const next: Sides = size
      ? [box.top, box.left, Math.max(0.1, py - box.top), Math.max(0.1, px - box.left)]
      : [py - grip[1], px - grip[0], box.height, box.width];
    send({ panel: view.panel.id, box: inside(next) });
  };
  follow(view.svg, event, (moved) => move(moved, false), (last, cancelled) => cancelled || move(last, true));
}

// A rectangle over points, a range of bars, or a click.
function brush(view: Brushed, event: PointerEvent, send: Send): void {
  const { panel } = view;
  const bars = panel.chart.kind === "bars";
  const start = place(view, event);
  const begun = chartPart(view, ...start);
  let moved = false;
  let parts: number[] = [];
  const moving = (now: PointerEvent) => {
    moved ||= isDrag(event, now);
    if (!moved) return;
    const [[x, y], [toX, toY]] = [start, place(view, now)];
    const [top, bottom] = bars ? [0, 1] : [Math.min(y, toY), Math.max(y, toY)];
    view.band = [Math.min(x, toX), top, Math.max(x, toX), bottom];
    parts = bars ? range(begun, chartPart(view, toX, toY)) : pointsIn(view, view.band);
    view.chosen = parts;
    draw(view);
  };
  follow(view.svg, event, moving, (last, cancelled) => {
    if (!cancelled) moving(last);
    view.band = null;
    view.chosen = panel.chart.chosen;
    if (!cancelled && moved && parts.length > 0) several(view, parts, parts[parts.length - 1], send);
    if (!cancelled && !moved && event.shiftKey) several(view, extended(view, begun), begun, send);
    if (!cancelled && !moved && !event.shiftKey) {
      view.cursor = begun;
      alone(view, send);
    }
    draw(view);
  });
}

export function isDrag(from: MouseEvent, now: MouseEvent): boolean { // not only a click
  return Math.hypot(now.clientX - from.clientX, now.clientY - from.clientY) > CLICK;
}

function several(view: View, parts: number[], cursor: number, send: Send): void {
  if (parts.length === 0) return;
  Object.assign(view, { cursor, chosen: parts }); // shown at once, before the answer
  send({ panel: view.panel.id, parts });
}

function alone(view: View, send: Send): void { // what the cursor is on; of several, shown at once as well
  if (view.panel.several) view.chosen = [view.cursor];
  send({ panel: view.panel.id, patch: view.cursor });
}

// Bars: the range up to this one; points: this one toggled.
function extended(view: Brushed, part: number): number[] {
  const { chosen, cursor } = view;
  if (view.panel.chart.kind === "bars") {
    const [low, high] = [Math.min(...chosen), Math.max(...chosen)];
    return range(cursor === high ? low : cursor === low ? high : cursor, part);
  }
  const others = chosen.filter((each) => each !== part);
  return others.length < chosen.length ? others : [...others, part].sort((a, b) => a - b);
}

function range(from: number, to: number): number[] {
  const low = Math.min(from, to);
  return [...Array(Math.abs(to - from) + 1).keys()].map((i) => low + i);
}

function pointsIn(view: Brushed, [left, top, right, bottom]: Sides): number[] {
  const { chart } = view.panel;
  const high = UNIT * view.ratio;
  const [px, py] = chartPlace(chart, high);
  const within = (low: number, value: number, most: number) => low <= value && value <= most;
  return [...chart.x.keys()].filter((i) =>
    within(left, px(chart.x[i]) / UNIT, right) && within(top, py(chart.y[i]) / high, bottom));
}

function inside([top, left, height, width]: Sides): Sides { // the box, moved into the image
  const clamp = (low: number, size: number) => Math.min(1 - size, Math.max(0, low));
  const [h, w] = [Math.min(1, height), Math.min(1, width)];
  return [clamp(top, h), clamp(left, w), h, w];
}

export const STEPS: Record<string, Step | undefined> = {
  ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
};

export function key(view: View, event: KeyboardEvent, send: Send): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const handled = act(view, event, send);
  if (handled !== undefined) event.stopPropagation(); // JupyterLab uses the same keys
  if (handled) event.preventDefault();
}

// Undefined: not our key; false: our key, but nothing to do.
function act(view: View, event: KeyboardEvent, send: Send): boolean | undefined {
  const { panel } = view;
  const step = STEPS[event.key];
  const box = panel.boxes.find((each) => each.movable);
  const grows = ({ "+": 0.04, "-": -0.04 } as Record<string, number>)[event.key];
  const enter = event.key === "Enter";
  if (box && (step || grows)) return nudge(view, box, step || [0, 0], grows || 0, send);
  if (!clickable(panel)) return undefined;
  if (step) return moveCursor(view, panel.grid, step, event.shiftKey, send);
  if (!enter && event.key !== " ") return undefined;
  if (enter && event.shiftKey && isBrushed(view)) {
    several(view, extended(view, view.cursor), view.cursor, send);
    draw(view);
  } else {
    alone(view, send);
    draw(view);
  }
  return true;
}

// A page moves to its next box in this direction.
function nudge(view: View, box: Box, step: Step, grows: number, send: Send): boolean {
  const old = [box.top, box.left, box.height, box.width];
  const grown = (side: number) => Math.max(0.1, side + grows);
  const [top, left] = [box.top + 0.02 * step[0], box.left + 0.02 * step[1]];
  const next = inside([top, left, grown(box.height), grown(box.width)]);
  const moved = next.some((side, i) => Math.abs(side - old[i]) > 0.0002); // sides are rounded to 0.0001
  if (moved) send({ panel: view.panel.id, box: next, step });
  return moved;
}

function moveCursor(view: View, grid: Grid, [down, right]: Step, extend: boolean, send: Send): boolean {
  const { panel } = view;
  const [rows, columns] = grid;
  const [row, column] = [Math.floor(view.cursor / columns) + down, view.cursor % columns + right];
  if (row < 0 || row >= rows || column < 0 || column >= columns) return false;
  const next = row * columns + column;
  const bars = panel.chart?.kind === "bars";
  if (extend && bars && isBrushed(view)) several(view, extended(view, next), next, send);
  view.cursor = next;
  draw(view);
  if (panel.follows) send({ panel: panel.id, patch: next, keyed: true });
  return true;
}

// The bar under the pointer, or the point nearest to it.
function chartPart(view: Brushed, x: number, y: number): number {
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
