import assert from "node:assert/strict";
import { test } from "node:test";

import { attentionRows, rollout } from "../src/attended";
import { modelOf } from "./facts";

const close = (found: Iterable<number>, wanted: number[]) => {
  const values = [...found];
  assert.equal(values.length, wanted.length);
  values.forEach((value, i) => assert.ok(Math.abs(value - wanted[i]) < 1e-6, `${values} is not ${wanted}`));
};

const HALVES = Float32Array.from([0.5, 0.25, 0.25, 0, 0.75, 0.25, 0.2, 0.2, 0.6]); // one head, three tokens

test("rows of attention are those of the class token and the patches, to patches alone", () => {
  const facts = modelOf("one", { grid: [1, 2], heads: 2, prefix: 1 });
  const other = [1, 0, 0, 0.5, 0.5, 0, 0, 1, 0];
  const rows = attentionRows(facts, Float32Array.from([...HALVES, ...other]));
  close(rows, [0.5, 0.5, 0.75, 0.25, 0.25, 0.75, 0, 0, 1, 0, 1, 0]); // a row without any mass stays zero
});

test("without a class token the first row is that of the mean patch", () => {
  const facts = modelOf("one", { grid: [1, 3], heads: 1, prefix: 0, start: "mean patch" });
  close(attentionRows(facts, HALVES).subarray(0, 3), [0.7 / 3, 1.2 / 3, 1.1 / 3]);
});

test("what flows through a layer is half its mean over heads and half itself", () => {
  const facts = modelOf("one", { grid: [1, 2], heads: 2, prefix: 1 });
  const [a, b] = [[0, 1, 0, 0, 1, 0, 0, 0, 1], [0, 0, 1, 0, 0, 1, 0, 1, 0]];
  const layer = Float32Array.from([...a, ...b]);
  close(rollout(facts, [layer]), [0.5, 0.5]); // half stays in the class token, and is left out
  const first = Float32Array.from([...a, ...a]);
  close(rollout(facts, [first, layer]), [0.5 * 0.5 + 0.25, 0.25].map((x) => x / 0.75));
});
