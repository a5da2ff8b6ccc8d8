import assert from "node:assert/strict";
import { test } from "node:test";

import { Words } from "../src/paper_words";
import "../src/viewer";
import { aboutOf, modelOf } from "./facts";

const ABOUT = aboutOf({ models: [modelOf("one", { heads: 2 }), modelOf("two", { heads: 2, grid: [1, 2] })] });

// As Python calls it.
function called(link: string, name: string, ...words: unknown[]): any {
  const { called: call } = globalThis as unknown as { called: (json: string) => string };
  return JSON.parse(call(JSON.stringify([ABOUT, link, name, ...words])));
}

test("words of a link are written and read as browsers do", () => {
  const pairs: [string, string][] = [["show", "a b"], ["from", "~it's (100 %) *!"], ["ö", "&=+"], ["none", ""]];
  const text = new URLSearchParams(pairs).toString();
  assert.equal(new Words(pairs).toString(), text);
  assert.deepEqual([...new Words(text)], pairs);
  assert.deepEqual([...new Words("")], []);
});

test("a patch that is selected is pinned, and comes back in every view of it", () => {
  for (const [link, patch] of [["", 6], ["#beside=q", 6], ["#beside=q", 13], ["#show=attention", 1]] as const) {
    const once = called(link, "selected", "one", patch);
    assert.deepEqual(called(once, "pinned"), ["one", patch]);
    assert.equal(called(once, "selected", "one", patch), once); // not released by a second time
  }
  assert.deepEqual(called("", "pinned"), [null, null]);
  assert.deepEqual(called("#beside=q", "panels"), { one: [2, 8], two: [1, 4] });
  assert.deepEqual(called("#show=segments", "panels"), {});
});

test("settings are those of the page, by names that Python can write", () => {
  const names = called("#show=segments", "settings").map(({ name }: { name: string }) => name);
  assert.deepEqual(names, ["show", "photo", "beside", "layer", "k", "opacity"]);
  assert.equal(called("#show=segments", "withSetting", "k", 6), "#show=segments&k=6");
  assert.equal(called("", "withSetting", "photo", "q.png"), "#photo=q");
  assert.equal(called("#beside=q", "withSetting", "beside", "nothing"), "");
});

test("a scene is made of the numbers that were given", () => {
  const [first] = called("#at=a+0.1+0.1", "missing");
  assert.equal(first, "features/0/p/2");
  for (const [address, patches] of [["features/0/p/2", 8], ["features/1/p/2", 2]] as const) {
    called("", "keep", address, "\u0000<".repeat(3 * patches)); // ones, in half precision
  }
  assert.deepEqual(called("", "missing"), []);
  const { panels, photos, opacity } = called("#opacity=50", "scene");
  assert.deepEqual([photos, opacity], [["p"], 0.5]);
  assert.ok(panels[0].heat.values.every((value: number) => Math.abs(value - 1) < 1e-6));
});
