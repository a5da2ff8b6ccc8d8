import assert from "node:assert/strict";
import { test } from "node:test";

import { eyeScene } from "../src/eye";
import type { PageState } from "../src/compute";
import type { Sides, Step } from "../src/scene";

const boxes: Sides[] = [[0, 0, 0.6, 0.6], [0, 0.4, 0.6, 0.6]];
const data = { grid: [2, 2] as [number, number], boxes, places: {}, text: "" };
const state: PageState = { values: { box: boxes[1] }, selected: ["query", 0] };
const moved = (box: Sides, step?: Step) => eyeScene.next(state, { panel: "context", box, step }, data);

test("a box of another size is refused, in a sentence that says which size the page holds", () => {
  assert.equal(moved([0, 0.4, 0.5, 0.7]), null);
  assert.ok(/the box in its present size only.* open the notebook/.test(eyeScene.refusal ?? ""));
});

test("a box goes to the nearest place, and no further where there is none", () => {
  assert.deepEqual(moved([0.1, 0.1, 0.6, 0.6])?.values.box, boxes[0]);
  assert.equal(moved([0, 0.42, 0.6, 0.6], [0, 1]), state);
});
