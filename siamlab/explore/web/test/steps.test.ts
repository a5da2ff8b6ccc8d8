import assert from "node:assert/strict";
import { test } from "node:test";

import { atStep, stepOf, stepsOf, stepText } from "../src/steps";

const MODELS = [{ steps: [0, 1000, 4000] }, { steps: [2000, 4000] }, { steps: [] }, {}];

test("the slider has the steps of all models once, in order", () => {
  assert.deepEqual(stepsOf({ models: MODELS }), [0, 1000, 2000, 4000]);
});

test("a model shows the last step that it kept by then, else its first, and its end at the end", () => {
  const steps = stepsOf({ models: MODELS });
  const found = MODELS.map((model) => steps.map((_, step) => stepOf(model, { step }, steps)));
  assert.deepEqual(found, [[0, 1000, 1000, null], [2000, 2000, 2000, null],
    [null, null, null, null], [null, null, null, null]]);
});

test("the name of a model says its step if it has any", () => {
  assert.equal(stepText(MODELS[0], 1000), ", step 1,000");
  assert.equal(stepText(MODELS[0], null), ", step 4,000");
  assert.equal(stepText(MODELS[2], null), "");
});

test("an address names a step, also after another word", () => {
  assert.equal(atStep("map/0", null), "map/0");
  assert.equal(atStep(atStep("matches/0/1", 10), 20, "second_step"), "matches/0/1?step=10&second_step=20");
});
