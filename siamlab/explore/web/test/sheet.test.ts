import assert from "node:assert/strict";
import { test } from "node:test";

import { levelsOf, numberText, tableOf } from "../src/heat";
import { Element } from "../src/paper";
import { broken, textWidth, wrapped } from "../src/words";

test("lines end after words, and are no wider than their room", () => {
  const words = "every patch of the picture that is selected";
  const lines = wrapped(words, 90, 10);
  assert.equal(lines.join(" "), words);
  assert.ok(lines.length > 2 && lines.every((line) => textWidth(line, 10) <= 90));
  assert.deepEqual(wrapped("", 90, 10), []);
});

test("names are broken after their signs, numbers are not, and a long word is cut", () => {
  assert.deepEqual(broken("zoo:siameseim", 50, 10), ["zoo:", "siamesei", "m"]);
  assert.deepEqual(broken("at 0.25", 30, 10), ["at", "0.25"]);
  assert.deepEqual(broken("", 50, 10), [""]);
});

test("text in a drawing cannot leave it, and has only letters that XML may have", () => {
  const made = new Element("text");
  made.setAttribute("title", 'a"b');
  made.textContent = "</text>\u0001&\uffff\u{1f600}";
  assert.equal(made.toString(), '<text title="a&quot;b">&lt;/text&gt;\ufffd&amp;\ufffd\u{1f600}</text>');
});

test("heat has 128 for zero, the ends for the bound of either sign, and 0 for nothing", () => {
  const values = Float32Array.of(0, 2, -2, 9, NaN, 1);
  assert.deepEqual([...levelsOf({ values }, 2)], [128, 255, 1, 255, 0, 192]);
  const table = tableOf(["rgb(0, 0, 0)", "rgb(100, 100, 100)", "rgb(200, 200, 200)"]);
  assert.deepEqual(table[128].slice(0, 3), [100, 100, 100]);
  assert.equal(table[128][3], 0); // no colour at zero
  assert.equal(table[255][3], 255 * 0.75);
});

test("numbers have two digits and a minus of their width", () => {
  assert.deepEqual([-0.1234, 12.34, 0].map(numberText), ["−0.12", "12", "0"]);
});
