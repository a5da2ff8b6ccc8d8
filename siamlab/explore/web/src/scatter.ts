// Scatter: images of a data set as points on a canvas.

import { penOf } from "./elements";
import { tileOf, type Atlas, type MapView, type Square } from "./map";
import type { Point } from "./scene";
import { colourOf, symbolPath } from "./symbols";

const MARGIN = 14; // pixels around the points

export interface PathMark { // in pixels of its canvas, as all marks
  d: string;
  fill: string;
  stroke: string;
  width?: number;
  alpha?: number;
  shade?: number; // opacity of what is filled, if it differs
  dash?: number[];
}

export interface TileMark { // a thumbnail
  tile: number;
  from: Square; // on the sheet
  left: number;
  top: number;
  size: number;
}

export type PointMark = PathMark | TileMark;

// Pixels of the page, within margins.
export function placeIn(canvas: HTMLCanvasElement, [x, y]: Point): Point {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  return [MARGIN + x * (width - 2 * MARGIN), MARGIN + y * (height - 2 * MARGIN)];
}

// The inverse, from a pointer.
export function fractionIn(canvas: HTMLCanvasElement, event: MouseEvent): Point {
  const area = canvas.getBoundingClientRect();
  const inner = (at: number, low: number, size: number) => (
    (at - low - canvas.clientLeft - MARGIN) / (size - 2 * MARGIN));
  return [inner(event.clientX, area.left, canvas.clientWidth),
    inner(event.clientY, area.top, canvas.clientHeight)];
}

// How much of each point is seen: 1 those that are chosen by their class, as neighbours, as
// mistakes or inside the line; less the others.
function presence(view: MapView, atlas: Atlas): number[] {
  const { labels } = atlas.about;
  const found = new Set(view.found.map(([j]) => j));
  const { chosenClass, inside, mistakes } = atlas;
  return view.points.map((_, i) => {
    if (found.has(i)) return 1;
    if (mistakes && !view.wrong[i]) return 0.07;
    if (found.size) return 0.25;
    const off = (chosenClass >= 0 && labels[i] !== chosenClass) || (atlas.lasso && !inside.has(i));
    return off ? 0.2 : 0.9;
  });
}

// What a map consists of: paths in pixels of its canvas, and thumbnails; for the screen and for files.
export function marksOf(view: MapView, atlas: Atlas): PointMark[] {
  const { canvas, points } = view;
  const { backgroundColor: paper, color: ink } = getComputedStyle(document.body);
  const { labels } = atlas.about;
  const found = new Set(view.found.map(([j]) => j));
  const marks = presence(view, atlas).flatMap((alpha, i): PathMark[] => {
    const place = placeIn(canvas, points[i]);
    const radius = found.has(i) ? 6.5 : 4.5;
    const dot = { ...dotAt(labels[i], place, radius, paper), alpha };
    return view.wrong[i] ? [dot, { ...crossAt(place, radius - 1.5, ink), alpha }] : [dot];
  });
  const shown = [atlas.chosen, atlas.over].filter((i) => i >= 0 && points[i]);
  return [...marks, ...lineOf(view, atlas, ink),
    ...shown.flatMap((i) => pointMarks(view, atlas, i, ink))];
}

function dotAt(label: number, [x, y]: Point, radius: number, edge: string): PathMark {
  return { d: symbolPath(label, x, y, radius), fill: colourOf(label), stroke: edge, width: 1 };
}

function crossAt([x, y]: Point, r: number, ink: string): PathMark { // of a mistake
  const d = `M${x - r} ${y - r}l${2 * r} ${2 * r}M${x + r} ${y - r}l${-2 * r} ${2 * r}`;
  return { d, fill: "none", stroke: ink, width: 1.4 };
}

// Its thumbnail beside it, in its class's frame.
function pointMarks({ canvas, points }: MapView, atlas: Atlas, i: number, ink: string): PointMark[] {
  const { tile, labels } = atlas.about;
  const [x, y] = placeIn(canvas, points[i]);
  const size = 1.5 * tile;
  const left = Math.min(canvas.clientWidth - size - 3, Math.max(3, x + 14));
  const top = Math.min(canvas.clientHeight - size - 3, Math.max(3, y - size - 8));
  const frame = `M${left - 3} ${top - 3}h${size + 6}v${size + 6}h${-size - 6}z`;
  return [dotAt(labels[i], [x, y], 8, ink),
    { d: frame, fill: colourOf(labels[i]), stroke: "none" },
    { tile: i, from: tileOf(atlas.about, i), left, top, size }];
}

function drawScatter(view: MapView, atlas: Atlas): void {
  const { canvas } = view;
  const sharp = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: canvas.clientWidth * sharp, height: canvas.clientHeight * sharp });
  const pen = penOf(canvas);
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  for (const mark of marksOf(view, atlas)) drawOn(pen, mark, atlas);
}

function drawOn(pen: CanvasRenderingContext2D, mark: PointMark, { sheet }: Atlas): void {
  if ("tile" in mark) {
    if (!sheet.complete || !sheet.naturalWidth) return;
    const { from: [x, y, side], left, top, size } = mark;
    pen.drawImage(sheet, x, y, side, side, left, top, size, size);
    return;
  }
  const path = new Path2D(mark.d);
  Object.assign(pen, { fillStyle: mark.fill, strokeStyle: mark.stroke, lineWidth: mark.width });
  pen.setLineDash(mark.dash || []);
  pen.globalAlpha = mark.shade ?? mark.alpha ?? 1;
  if (mark.fill !== "none") pen.fill(path);
  pen.globalAlpha = mark.alpha ?? 1;
  if (mark.stroke !== "none") pen.stroke(path);
}

function lineOf(view: MapView, atlas: Atlas, ink: string): PathMark[] { // on the map on which it was drawn
  const { lasso, drawing } = atlas;
  const own = lasso && lasso.places === atlas.places && atlas.views[lasso.map] === view;
  const corners = drawing ? drawing.view === view && drawing.corners : own && lasso.corners;
  if (!corners) return [];
  const places = corners.map((corner) => placeIn(view.canvas, corner).join(" "));
  return [{ d: `M${places.join("L")}z`, fill: ink, shade: 0.08, stroke: ink, width: 1.5, dash: [5, 4] }];
}

export function drawMaps(atlas: Atlas): void {
  for (const view of atlas.views) drawScatter(view, atlas);
}

export function overPoint(atlas: Atlas, i: number): void {
  if (atlas.over === i) return;
  atlas.over = i;
  drawMaps(atlas);
}
