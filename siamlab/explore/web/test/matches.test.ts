import assert from "node:assert/strict";
import { test } from "node:test";

import { matchesAddress, trueOf } from "../src/matches";
import type { Place } from "../src/scene";
import { aboutOf, modelOf, stateOf } from "./facts";

const { photos } = aboutOf();
const rounded = (place: Place | null) => place && place.map((value) => Number(value.toFixed(6)));

test("a place of one crop is where the image has it in the other, mirrored as that one is", () => {
  // crop q shows the image from 0 to 0.5, crop r from 0.25 to 0.75 and mirrored
  assert.deepEqual(rounded(trueOf(photos, ["q", "r"], "a", [0.75, 0.6])), [0.25, 0.9]);
  assert.deepEqual(rounded(trueOf(photos, ["q", "r"], "b", [0.25, 0.9])), [0.75, 0.6]);
  assert.deepEqual(rounded(trueOf(photos, ["r", "q"], "a", [0.25, 0.9])), [0.75, 0.6]);
});

test("there is no true place outside the other crop, or without two crops of one image", () => {
  assert.equal(trueOf(photos, ["q", "r"], "a", [0.25, 0.75]), null);
  assert.equal(trueOf(photos, ["q"], "a", [0.75, 0.6]), null);
  assert.equal(trueOf(photos, ["p", "q"], "a", [0.75, 0.6]), null);
  const other = photos.map((photo) => (photo.id === "r" && photo.crop
    ? { ...photo, crop: { ...photo.crop, pair: 4 } } : photo));
  assert.equal(trueOf(other, ["q", "r"], "a", [0.75, 0.6]), null);
});

test("of a scene the true place is known only on its object", () => {
  const on = ["1111", "1111", "0000", "0010"];
  const scenes = photos.map((photo) => (photo.id === "q" && photo.crop
    ? { ...photo, crop: { ...photo.crop, on } } : photo));
  assert.deepEqual(rounded(trueOf(scenes, ["q", "r"], "a", [0.8, 0.6])), [0.3, 0.9]);
  assert.equal(trueOf(scenes, ["q", "r"], "a", [0.7, 0.6]), null);
  assert.deepEqual(rounded(trueOf(scenes, ["q", "r"], "b", [0.2, 0.9])), [0.7, 0.6]);
});

test("matches are asked for by the numbers of both models and their steps", () => {
  const about = aboutOf({ models: [modelOf("one"), modelOf("two", { steps: [0, 5, 9] })] });
  const state = stateOf(about, { first: "two", second: "one", step: 1 });
  assert.equal(matchesAddress(about, state), "matches/1/0?step=5");
});
