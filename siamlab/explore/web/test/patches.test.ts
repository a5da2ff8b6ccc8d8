import assert from "node:assert/strict";
import { test } from "node:test";

import { components } from "../src/components";
import { halves, mutual, products, quantile, unit } from "../src/patches";
import { segments } from "../src/segments";
import { rowsOf } from "./facts";

const turn = (angle: number) => [Math.cos(angle), Math.sin(angle)];

test("half-precision numbers are read, the smallest, infinite and missing ones too", () => {
  const bits = Uint16Array.from([0x3c00, 0xc000, 0x0001, 0x7c00, 0x7e00, 0x3555]);
  const values = halves(bits.buffer);
  assert.deepEqual([...values.slice(0, 4)], [1, -2, 2 ** -24, Infinity]);
  assert.ok(Number.isNaN(values[4]) && Math.abs(values[5] - 1 / 3) < 1e-4);
});

test("cosines are products of rows of length 1", () => {
  const rows = unit(rowsOf([[2, 0], [3, 3], [0, -5], [0, 0]]));
  const cosines = [...products(rows, rows, 0)].map((value) => Number(value.toFixed(4)));
  assert.deepEqual(cosines, [1, 0.7071, 0, 0]); // nothing is like a row without a direction
});

test("mutual matches are each other's best, the most similar first", () => {
  const a = rowsOf([turn(0), turn(1), turn(1.1)]);
  const b = rowsOf([turn(0.02), turn(1.11), turn(3)]);
  assert.deepEqual(mutual(a, b).map(([i, j]) => [i, j]), [[2, 1], [0, 0]]);
});

test("components are the principal ones, of the largest share first", () => {
  const points = [...Array(40).keys()].map((i) => (
    [5 * Math.sin(i), 2 * Math.cos(3 * i), 0.1 * Math.sin(7 * i)]));
  const found = components(rowsOf(points), points.map((_, i) => i));
  const spread = (values: ArrayLike<number>) => (
    Array.from(values).reduce((sum, value) => sum + value * value, 0));
  assert.ok(spread(found[0]) > spread(found[1]) && spread(found[1]) > spread(found[2]));
  const total = [0, 1, 2].map((c) => {
    const column = points.map((point) => point[c]);
    const mean = column.reduce((a, b) => a + b) / column.length;
    return spread(column.map((value) => value - mean));
  }).reduce((a, b) => a + b);
  assert.ok(Math.abs(found.map(spread).reduce((a, b) => a + b) / total - 1) < 1e-4);
});

test("segments part directions that lie apart, the largest first", () => {
  const rows = rowsOf([0, 0.1, 0.2, 2, 2.1].map(turn));
  assert.deepEqual([...segments(unit(rows), 2)], [0, 0, 0, 1, 1]);
});

test("a quantile lies between the two values around its place", () => {
  const values = [4, 1, 3, 2];
  const found = [0, 0.5, 1, 0.1].map((share) => Number(quantile(values, share).toFixed(6)));
  assert.deepEqual(found, [1, 2.5, 4, 1.3]);
  assert.deepEqual(values, [4, 1, 3, 2]); // left as they were
  assert.equal(quantile([7], 0.99), 7);
});
