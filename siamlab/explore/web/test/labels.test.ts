import assert from "node:assert/strict";
import { test } from "node:test";

import { nearestBox } from "../src/eye";
import { placeLabels } from "../src/labels";
import type { Point, Sides } from "../src/scene";

const AREA: [number, number, number, number] = [0, 0, 800, 600];

test("names of a crowd lie inside the area, clear of all points and of each other", () => {
  const points: Point[] = [[390, 290], [410, 300], [430, 310], [20, 20], [790, 580]];
  const sizes = points.map((): Point => [120, 38]);
  const dots = points.map(([x, y]): [number, number, number, number] => [x - 20, y - 20, x + 20, y + 20]);
  const boxes = placeLabels(points, sizes, dots, AREA).map(([right, down], i) => (
    [points[i][0] + right - 60, points[i][1] + down - 19, points[i][0] + right + 60, points[i][1] + down + 19]));
  const apart = (a: number[], b: number[]) => a[0] >= b[2] || b[0] >= a[2] || a[1] >= b[3] || b[1] >= a[3];
  boxes.forEach((box, i) => {
    assert.ok(box[0] >= 0 && box[1] >= 0 && box[2] <= 800 && box[3] <= 600);
    for (const dot of dots) assert.ok(apart(box, dot));
    boxes.forEach((other, j) => assert.ok(i === j || apart(box, other)));
  });
});

test("a box goes to the nearest of its size, or to the next in the direction of a key", () => {
  const boxes: Sides[] = [[0, 0, 0.6, 0.6], [0, 0.2, 0.6, 0.6], [0, 0.4, 0.6, 0.6], [0.2, 0.2, 0.3, 0.3]];
  const event = (box: Sides, step?: [number, number]) => ({ panel: "context", box, step });
  assert.equal(nearestBox(boxes, boxes[0], event([0.1, 0.35, 0.6, 0.6])), 2);
  assert.equal(nearestBox(boxes, boxes[0], event([0, 0.02, 0.6, 0.6], [0, 1])), 1);
  assert.equal(nearestBox(boxes, boxes[2], event([0, 0.42, 0.6, 0.6], [0, 1])), -1);
  assert.equal(nearestBox(boxes, boxes[1], event([0.1, 0.2, 0.5, 0.5])), -1);
});

test("a name lies beside the whiskers of its point", () => {
  const cross: Sides[] = [[200, 296, 600, 304], [396, 200, 404, 400]];
  const [[right, down]] = placeLabels([[400, 300]], [[120, 38]], [[380, 280, 420, 320]], AREA, cross);
  const [x, y] = [400 + right, 300 + down];
  for (const [left, top, end, bottom] of cross) {
    assert.ok(x + 60 <= left || end <= x - 60 || y + 19 <= top || bottom <= y - 19);
  }
});
