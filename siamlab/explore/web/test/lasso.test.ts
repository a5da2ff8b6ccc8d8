import assert from "node:assert/strict";
import { test } from "node:test";

import { lassoOf, lassoWord, pointsInside } from "../src/lasso";
import type { Point } from "../src/scene";

const SQUARE: Point[] = [[0.1, 0.1], [0.6, 0.1], [0.6, 0.6], [0.1, 0.6]];

test("a line is a word of a link, and back", () => {
  const lasso = { places: "tsne", map: 1, corners: [[-0.02, 0.5], [0.25, 1.004], [0.9, 0]] } as const;
  const word = lassoWord({ ...lasso, corners: lasso.corners.map(([x, y]): Point => [x, y]) });
  assert.equal(word, "tsne 1 -20.500 250.1004 900.0");
  assert.deepEqual(lassoOf(word), lasso);
});

test("a word that is no line is none", () => {
  const words = ["", "tsne 1 1.1 2.2", "pca 1 1.1 2.2 3.3", "tsne 1 1.1 2.2 3", "tsne -1 1.1 2.2 3.3"];
  for (const word of words) assert.equal(lassoOf(word), null, word);
});

test("a long line keeps at most 60 corners", () => {
  const corners = [...Array(500).keys()].map((i): Point => [Math.cos(i), Math.sin(i)]);
  const found = lassoOf(lassoWord({ places: "components", map: 0, corners }));
  assert.ok(found && found.corners.length <= 60 && found.corners.length > 50);
});

test("points inside are those that a line goes around an odd number of times", () => {
  const points: Point[] = [[0.3, 0.3], [0.7, 0.3], [0.3, 0.05], [0.59, 0.59]];
  assert.deepEqual([...pointsInside(points, SQUARE)], [0, 3]);
  const hole: Point[] = [[0.2, 0.2], [0.4, 0.2], [0.4, 0.4], [0.2, 0.4], [0.2, 0.2]];
  const twice = [...SQUARE, SQUARE[0], ...hole];
  assert.deepEqual([...pointsInside([[0.3, 0.3], [0.15, 0.5]], twice)], [1]);
});
