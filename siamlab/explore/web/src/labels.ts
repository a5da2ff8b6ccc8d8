// Labels: where the names of points lie, clear of each other and of the points, as labels.py does it.

import type { Point } from "./scene";

export type Rect = [left: number, top: number, right: number, bottom: number];

const AROUND = [...Array(16).keys()].map((i): Point => [Math.cos(Math.PI * i / 8), Math.sin(Math.PI * i / 8)]);
const SIDES: Point[] = [...AROUND, [1, -1], [-1, -1], [1, 1], [-1, 1]]; // corners: between the whiskers of a point
const GAPS = [7, 14, 24, 38, 56, 80, 110, 150, 200, 260, 330]; // from the point to its label
const ROUNDS = 6;
const MARKER = 14; // side of a point, for lines that cross it

function around([x, y]: Point, [right, down]: Point, [wide, high]: Point): Rect {
  return [x + right - wide / 2, y + down - high / 2, x + right + wide / 2, y + down + high / 2];
}

function covered(a: Rect, b: Rect): number { // area of what both cover
  const side = (low: number, high: number) => (
    Math.max(0, Math.min(a[high], b[high]) - Math.max(a[low], b[low])));
  return side(0, 2) * side(1, 3);
}

function sum(boxes: Rect[], box: Rect): number {
  return boxes.reduce((all, other) => all + covered(box, other), 0);
}

function candidates([wide, high]: Point): Point[] {
  return GAPS.flatMap((gap) => SIDES.map(([right, down]): Point => (
    [right * (wide / 2 + gap), down * (high / 2 + gap)])));
}

// The offsets of the middles of labels from their points; `solid` are boxes of all points, `lines` of whiskers.
export function placeLabels(
  points: Point[], sizes: Point[], solid: Rect[], area: Rect, lines: Rect[] = [],
): Point[] {
  const offered = sizes.map(candidates);
  const best = offered.map(([first]) => first);
  const markers = points.map((point) => around(point, [0, 0], [MARKER, MARKER]));
  const costOf = (i: number, offset: Point) => {
    const labels = points.map((point, j) => around(point, best[j], sizes[j])).filter((_, j) => j !== i);
    const [wide, high] = sizes[i];
    const box = around(points[i], offset, sizes[i]);
    const far = Math.hypot(Math.max(0, Math.abs(offset[0]) - wide / 2), Math.max(0, Math.abs(offset[1]) - high / 2));
    const hit = [...labels, ...markers.filter((_, j) => j !== i)];
    const line = [1, 2, 3, 4, 5, 6, 7].map((step): Point => [step * offset[0] / 10, step * offset[1] / 10]);
    const crossed = line.reduce((all, part) => all + sum(hit, around(points[i], part, [3, 3])), 0);
    return far + 25 * crossed + 100 * (wide * high - covered(box, area)) + 100 * sum([...labels, ...solid], box)
      + 4 * sum([...solid, ...lines], box);
  };
  for (let round = 0; round < ROUNDS; round++) {
    let moved = false;
    offered.forEach((offsets, i) => {
      const costs = offsets.map((offset) => costOf(i, offset));
      const found = offsets[costs.indexOf(Math.min(...costs))];
      moved ||= found !== best[i];
      best[i] = found;
    });
    if (!moved) break;
  }
  return best;
}
