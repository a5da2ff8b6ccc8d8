// Scatter: images of a data set as points on a canvas, and which point is meant.

import { lineOf } from "./lasso";
import { drawMaps } from "./map";
import { components } from "./patches";
import { HUES } from "./scenes";

const REACH = 14; // pixels from the pointer to a point that is under it
const MARGIN = 14; // pixels around the points
export const COLOURS = HUES.slice(0, 7); // of classes; then the shapes change
const GREY = "#888888"; // of images without a label
export const SHAPES = ["circle", "square", "triangle", "diamond"];

export function colourOf(label) {
  return label < 0 ? GREY : COLOURS[label % COLOURS.length];
}

export function symbolPath(label, x, y, r) {
  const kind = SHAPES[label < 0 ? 0 : Math.floor(label / COLOURS.length) % SHAPES.length];
  if (kind === "square") return `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`;
  if (kind === "triangle") return `M${x} ${y - r}l${r} ${1.8 * r}h${-2 * r}z`;
  if (kind === "diamond") return `M${x} ${y - r}l${r} ${r}l${-r} ${r}l${-r} ${-r}z`;
  return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
}

function fitted(across, up) { // places of 0 to 1, the second one downwards
  const fit = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return Array.from(values, (value) => (high > low ? (value - low) / (high - low) : 0.5));
  };
  const [x, y] = [fit(across), fit(up)];
  return x.map((value, i) => [value, 1 - y[i]]);
}

export function planeOf(rows) { // the first two principal components
  const [across, up] = components(rows, 20);
  return fitted(across, up);
}

export function placesOf({ data }) { // of t-SNE
  const pick = (column) => data.filter((_, i) => i % 2 === column);
  return fitted(pick(0), pick(1));
}

export function placeIn(canvas, [x, y]) { // pixels of the page, within margins
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  return [MARGIN + x * (width - 2 * MARGIN), MARGIN + y * (height - 2 * MARGIN)];
}

export function fractionIn(canvas, event) { // the inverse, from a pointer
  const area = canvas.getBoundingClientRect();
  const inner = (at, low, size) => (at - low - canvas.clientLeft - MARGIN) / (size - 2 * MARGIN);
  return [inner(event.clientX, area.left, canvas.clientWidth),
    inner(event.clientY, area.top, canvas.clientHeight)];
}

// How much of each point is seen: 1 those that are chosen by their class, as neighbours, as
// mistakes or inside the line; less the others.
function presence(view, atlas) {
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
export function marksOf(view, atlas) {
  const { canvas, points } = view;
  const { backgroundColor: paper, color: ink } = getComputedStyle(document.body);
  const { labels } = atlas.about;
  const found = new Set(view.found.map(([j]) => j));
  const marks = presence(view, atlas).flatMap((alpha, i) => {
    const [place, radius] = [placeIn(canvas, points[i]), found.has(i) ? 6.5 : 4.5];
    const dot = { ...dotAt(labels[i], place, radius, paper), alpha };
    return view.wrong[i] ? [dot, { ...crossAt(place, radius - 1.5, ink), alpha }] : [dot];
  });
  const shown = [atlas.chosen, atlas.over].filter((i) => i >= 0 && points[i]);
  return [...marks, ...lineOf(view, atlas, ink),
    ...shown.flatMap((i) => pointMarks(view, atlas, i, ink))];
}

function dotAt(label, [x, y], radius, edge) {
  return { d: symbolPath(label, x, y, radius), fill: colourOf(label), stroke: edge, width: 1 };
}

function crossAt([x, y], r, ink) { // of a mistake
  const d = `M${x - r} ${y - r}l${2 * r} ${2 * r}M${x + r} ${y - r}l${-2 * r} ${2 * r}`;
  return { d, fill: "none", stroke: ink, width: 1.4 };
}

export function tileOf({ tile, across }, i) { // left, top and side on the sheet of thumbnails
  return [tile * (i % across), tile * Math.floor(i / across), tile];
}

function pointMarks({ canvas, points }, atlas, i, ink) { // its thumbnail beside it, in its class's frame
  const { tile, labels } = atlas.about;
  const [x, y] = placeIn(canvas, points[i]);
  const size = 1.5 * tile;
  const left = Math.min(canvas.clientWidth - size - 3, Math.max(3, x + 14));
  const top = Math.min(canvas.clientHeight - size - 3, Math.max(3, y - size - 8));
  const frame = `M${left - 3} ${top - 3}h${size + 6}v${size + 6}h${-size - 6}z`;
  return [dotAt(labels[i], [x, y], 8, ink),
    { d: frame, fill: colourOf(labels[i]), stroke: "none" }, { tile: i, from: tileOf(atlas.about, i), left, top, size }];
}

export function drawScatter(view, atlas) {
  const { canvas } = view;
  const sharp = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: canvas.clientWidth * sharp, height: canvas.clientHeight * sharp });
  const pen = canvas.getContext("2d");
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  for (const mark of marksOf(view, atlas)) drawOn(pen, mark, atlas);
}

function drawOn(pen, mark, { sheet }) {
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

export function pointNear(view, event) { // among those that are not hidden as no mistakes
  const { canvas, points, atlas } = view;
  const [atX, atY] = placeIn(canvas, fractionIn(canvas, event));
  let [best, least] = [-1, REACH];
  points.forEach((point, i) => {
    if (atlas.mistakes && !view.wrong[i]) return;
    const [px, py] = placeIn(canvas, point);
    const distance = Math.hypot(px - atX, py - atY);
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

export function overPoint(atlas, i) {
  if (atlas.over === i) return;
  atlas.over = i;
  drawMaps(atlas);
}

export function nextPoint(view, now, step) { // in the direction of an arrow key
  const { atlas, points } = view;
  const [x, y] = points[now];
  let [best, least] = [now, Infinity];
  points.forEach(([px, py], i) => {
    if (atlas.mistakes && !view.wrong[i]) return;
    const ahead = step[0] * (py - y) + step[1] * (px - x);
    const beside = Math.abs(step[1] * (py - y) + step[0] * (px - x));
    const distance = ahead + 2 * beside;
    if (i !== now && ahead > 0 && distance < least) [best, least] = [i, distance];
  });
  return best;
}
