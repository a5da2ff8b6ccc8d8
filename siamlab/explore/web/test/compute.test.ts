import assert from "node:assert/strict";
import { test } from "node:test";

import { withPatch, type PageState } from "../src/compute";
import { centreOf, rowAndColumn } from "../src/places";

test("a patch is named from 1, and its centre is a fraction of the picture", () => {
  assert.deepEqual(rowAndColumn([2, 4], 5), { row: 2, column: 2 });
  assert.deepEqual(centreOf([2, 4], 5), [0.75, 0.375]);
});

test("a pointer shows a patch until a click pins one; a click on it releases it", () => {
  const free: Pick<PageState, "selected" | "pinned"> = { selected: ["a", 0], pinned: false };
  const over = withPatch(free, "a", { hover: 3 });
  assert.deepEqual(over, { selected: ["a", 3], pinned: false });
  const pinned = withPatch(over, "a", { patch: 3 });
  assert.equal(pinned.pinned, true);
  assert.equal(withPatch(pinned, "a", { hover: 5 }), pinned); // the same object: nothing is drawn anew
  assert.equal(withPatch(pinned, "a", { patch: 3 }).pinned, false);
  assert.equal(withPatch(pinned, "a", { patch: 3, keyed: true }).pinned, true);
});
