import assert from "node:assert/strict";
import { test } from "node:test";

import { linkOf, restored, startState } from "../src/link";
import { aboutOf, mapFacts, modelOf, stateOf } from "./facts";

const ABOUT = aboutOf({ map: mapFacts, pairs: 2, studies: ["s"],
  models: [modelOf("one", { heads: 2, steps: [0, 10] }), modelOf("two")] });

test("a link holds what differs from the start, and is empty there", () => {
  assert.equal(linkOf(ABOUT, startState(ABOUT)), "");
  assert.equal(linkOf(ABOUT, stateOf(ABOUT, { layer: 1, beside: "q" })), "#beside=q&layer=1");
  assert.equal(linkOf(ABOUT, stateOf(ABOUT, { x: 0.1, y: 0.2 })), ""); // a place that is not pinned
});

test("a state comes back from its link", () => {
  const states = [
    stateOf(ABOUT, { show: "attention", head: "2", heads: "two", from: "class token", opacity: 40 }),
    stateOf(ABOUT, { show: "map", image: 2, places: "tsne", only: "mistakes", lasso: "tsne 1 1.1 2.2 3.3" }),
    stateOf(ABOUT, { show: "map", places: "umap", lasso: "umap 0 1.1 2.2 3.3" }),
    stateOf(ABOUT, { show: "matches", first: "two", second: "one", step: 0 }),
    stateOf(ABOUT, { show: "plane", study: "s", points: "runs", probe: "knn", runs: "0.12" }),
    stateOf(ABOUT, { beside: "r", side: "b", y: 0.25, x: 0.125, pinned: true, least: 0, k: 8 }),
  ];
  for (const state of states) assert.deepEqual(restored(ABOUT, linkOf(ABOUT, state)), state);
});

test("what this page does not have is left out of a link", () => {
  const wrong = ["layer=3", "layer=1.5", "step=2", "k=9", "image=3", "show=umap", "photo=z", "only=x",
    "runs=1.a", "lasso=tsne+2+1.1+2.2+3.3", "heads=three", "first=two", "constructor=1", "pinned=true", "y=0.1"];
  for (const word of wrong) assert.deepEqual(restored(ABOUT, `#${word}`), startState(ABOUT), word);
});

test("a layout that this page does not offer is left out of a link", () => {
  const about = aboutOf({ map: { ...mapFacts, layouts: ["components", "tsne"] } });
  assert.deepEqual(restored(about, "#show=map&places=umap"), stateOf(about, { show: "map" }));
  assert.equal(restored(about, "#show=map&places=tsne").places, "tsne");
  assert.equal(restored(about, "#show=map&lasso=umap+0+1.1+2.2+3.3").lasso, "");
});

test("a place outside a photograph is moved into it", () => {
  const { side, y, x, pinned } = restored(ABOUT, "#at=c+7+-2");
  assert.deepEqual({ side, y, x, pinned }, { side: "a", y: 0.999, x: 0, pinned: true });
});
