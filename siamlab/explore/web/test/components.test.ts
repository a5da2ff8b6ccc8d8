import assert from "node:assert/strict";
import { test } from "node:test";

import { components, cornerDistance, painted } from "../src/components";
import { planeOf } from "../src/map";
import { random } from "../src/patches";
import type { Grid } from "../src/scene";
import { rowsOf } from "./facts";

const GRID: Grid = [4, 6];
const FAR = [...cornerDistance(GRID, 24)];

function noise(count: number, width: number): number[][] {
  const draw = random();
  return [...Array(count)].map(() => [...Array(width)].map((_, j) => draw() * (width - j)));
}

const mirrored = (rows: number[][], axis: number) => rows.map((row) => (
  row.map((value, j) => (j === axis ? -value : value))));
const near = (a: number[], b: number[]) => a.every((value, i) => Math.abs(value - b[i]) < 1e-5);

test("the distance of patches is from the lower left corner, in each photograph anew", () => {
  assert.deepEqual([FAR[18], FAR[0], FAR[23], FAR[1]], [0, 3, 5, Math.hypot(3, 1)]);
  assert.deepEqual([...cornerDistance(GRID, 48)], [...FAR, ...FAR]);
});

test("features that are mirrored along an axis give the same colours", () => {
  const rows = noise(24, 5);
  const kept = rows.map((_, i) => i % 5 > 0);
  const wanted = painted(rowsOf(rows), kept, GRID);
  assert.equal(wanted[0], null);
  for (const axis of [0, 1, 2, 3, 4]) {
    const found = painted(rowsOf(mirrored(rows, axis)), kept, GRID);
    assert.ok(wanted.every((colour, i) => near(colour ?? [], found[i] ?? [])), `axis ${axis}`);
  }
});

test("an axis keeps its end while its longer tail changes sides", () => {
  for (const bend of [-0.08, 0, 0.08]) {
    for (const sign of [-1, 1]) {
      const rows = FAR.map((far) => [sign * (far + bend * far ** 2), 0, 0]);
      const [first] = components(rowsOf(rows), FAR);
      assert.ok(first[18] < 0 && first[5] > 0, `${bend} ${sign}`);
    }
  }
});

test("where values do not follow the reference, their longer tail is up", () => {
  for (const sign of [-1, 1]) {
    const rows = rowsOf([0, 0, 0, 5, 0, 0].map((value) => [sign * value, 0, 0]));
    const [first] = components(rows, Array(6).fill(7));
    assert.ok(first[3] > 0, `${sign}`);
  }
});

test("a map of features that are mirrored along an axis is the same, its classes from left to right", () => {
  const labels = [...Array(24).keys()].map((i) => Math.floor(i / 8));
  const rows = noise(24, 4).map((row, i) => row.map((value, j) => (j ? value : value / 4 + 9 * labels[i])));
  const wanted = planeOf(rowsOf(rows), labels);
  assert.ok(wanted[0][0] < 0.3 && wanted[12][0] > 0.3 && wanted[12][0] < 0.7 && wanted[23][0] > 0.7);
  for (const axis of [0, 1, 2]) {
    const found = planeOf(rowsOf(mirrored(rows, axis)), labels);
    assert.ok(wanted.every((point, i) => near(point, found[i])), `axis ${axis}`);
  }
});
