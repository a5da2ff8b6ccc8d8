import assert from "node:assert/strict";
import { test } from "node:test";

import { needed, viewEvent, viewScene } from "../src/view";
import { aboutOf, features, gotFrom, modelOf, stateOf } from "./facts";

const ABOUT = aboutOf();
const GOT = gotFrom(features);

test("a panel is titled by its model, and by its layer and step where they differ", () => {
  const about = aboutOf({ models: [modelOf("one", { layers: 4 }), modelOf("two", { steps: [0, 5000] })] });
  for (const beside of ["", "q"]) {
    const scene = viewScene(about, stateOf(about, { beside, layer: 3, step: 0 }), GOT);
    assert.deepEqual(scene.panels.map(({ title }) => title),
      ["one, layer 3 of 4", "two, layer 2 of 2, step 0"]);
  }
  assert.deepEqual(viewScene(ABOUT, stateOf(ABOUT), GOT).panels.map(({ title }) => title), ["one", "two"]);
});

test("two photographs are one picture, with marks of the patch, its match and its true place", () => {
  const [alone] = viewScene(ABOUT, stateOf(ABOUT, { photo: "q" }), GOT).panels;
  assert.deepEqual([alone.image, alone.grid, alone.marks.length], ["q", [2, 4], 1]);
  const state = stateOf(ABOUT, { photo: "q", beside: "r", y: 0.75, x: 0.625, least: 0 });
  const scene = viewScene(ABOUT, state, GOT);
  const [both] = scene.panels;
  assert.deepEqual([both.image, both.grid], ["q+r", [2, 8]]);
  assert.deepEqual(both.marks.map(({ kind }) => kind), ["query", "match", "true"]);
  assert.ok(both.marks[0].x < 0.5 && both.marks[1].x > 0.5 && both.marks[2].x > 0.5);
  assert.ok(both.links && both.links.length > 0);
  assert.ok(scene.text.includes("Its distance from the true place in patches: one "));
});

test("components are bright at the far end of their axes, and one photograph's patches come first", () => {
  const state = stateOf(ABOUT, { show: "components", patches: "all", beside: "q" });
  const { heat } = viewScene(ABOUT, state, GOT).panels[0];
  const colour = (row: number, column: number) => [...heat?.rgba?.subarray(4 * (8 * row + column)) ?? []];
  assert.deepEqual([heat?.grid, heat?.rgba?.length], [[2, 8], 64]);
  assert.equal(colour(0, 7)[0], 255); // upper right of the second, whose values are larger
  assert.equal(colour(1, 0)[0], 0); // lower left of the first
  assert.ok(colour(1, 4)[0] > colour(1, 0)[0]);
  assert.equal(colour(0, 0)[3], 220);
});

test("foreground and the other side share the patches among them", () => {
  const alpha = (patches: string) => {
    const { heat } = viewScene(ABOUT, stateOf(ABOUT, { show: "components", patches }), GOT).panels[0];
    return [...heat?.rgba ?? []].filter((_, i) => i % 4 === 3).map((value) => value > 0);
  };
  const [front, back] = [alpha("foreground"), alpha("the other side")];
  assert.deepEqual(front.map((value) => !value), back);
  assert.ok(front.includes(true) && back.includes(true));
});

test("a pointer moves the patch until a click pins it, and a click on it or keys decide anew", () => {
  const start = stateOf(ABOUT);
  const over = viewEvent(ABOUT, start, { panel: "two", hover: 6 });
  assert.deepEqual([over.y, over.x, over.over, over.pinned], [0.75, 0.625, true, false]);
  assert.equal(viewEvent(ABOUT, over, { panel: "two", hover: null }).over, false);
  const pinned = viewEvent(ABOUT, over, { panel: "one", patch: 6 });
  assert.equal(pinned.pinned, true);
  assert.equal(viewEvent(ABOUT, pinned, { panel: "one", hover: 0 }), pinned);
  assert.equal(viewEvent(ABOUT, pinned, { panel: "one", patch: 6 }).pinned, false);
  assert.equal(viewEvent(ABOUT, pinned, { panel: "one", patch: 6, keyed: true }).pinned, true);
  assert.equal(viewEvent(ABOUT, pinned, { panel: "plane", patch: 6 }), pinned); // of a panel that is gone
});

test("a patch of the second photograph is on side b", () => {
  const found = viewEvent(ABOUT, stateOf(ABOUT, { beside: "q" }), { panel: "one", patch: 8 + 5 });
  assert.deepEqual([found.side, found.y, found.x], ["b", 0.75, 0.375]);
});

test("controls and heads change the state, and points of a plane its runs", () => {
  const start = stateOf(ABOUT, { head: "2", side: "b" });
  const set = (control: string, value: string | number) => viewEvent(ABOUT, start, { control, value });
  assert.equal(set("layer", 1).layer, 1);
  assert.equal(set("heads", "two").head, "mean");
  assert.deepEqual([set("beside", "q.png").beside, set("beside", "q.png").side], ["q", "a"]);
  assert.equal(set("beside", "nothing").beside, "");
  assert.equal(viewEvent(ABOUT, start, { panel: "head 3", patch: 0 }).head, "3");
  const plane = { ...start, show: "plane" as const, runs: "1" };
  assert.equal(viewEvent(ABOUT, plane, { panel: "plane", parts: [2, 5] }).runs, "2.5");
  assert.equal(viewEvent(ABOUT, plane, { control: "study", value: "s" }).runs, "");
});

test("a state needs the features of its photographs in each model, and only them", () => {
  const about = aboutOf({ models: [modelOf("one", { layers: 4, heads: 2 }), modelOf("two")] });
  const state = stateOf(about, { photo: "p", beside: "q", layer: 2 });
  const places = ["0/p/2", "0/q/2", "1/p/1", "1/q/1"];
  assert.deepEqual(needed(about, state), places.map((place) => `features/${place}`));
  assert.deepEqual(needed(about, { ...state, show: "attention" }), ["attention/0/p/2"]);
});
