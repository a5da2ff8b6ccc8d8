// Link: what a page shows as the fragment of its address, and back.

import { choicesOf, showsOf, START_STATE } from "./choices";
import type { About, Side, State } from "./facts";
import { lassoOf } from "./lasso";
import { NUMBERS } from "./plane";
import { stepsOf } from "./steps";
import { HUES } from "./symbols";

// A link holds what differs from the start, and the place of a pinned patch.
export function linkOf(about: About, { y, x, side, pinned, over: _, ...rest }: State): string {
  const start: Partial<State> = startState(about);
  const differing = Object.entries(rest).filter(([key, value]) => value !== start[key as keyof State]);
  const words = differing.map(([key, value]) => [key, String(value)]);
  if (pinned) words.push(["at", [side, y.toFixed(4), x.toFixed(4)].join(" ")]);
  return words.length ? `#${new URLSearchParams(words)}` : "";
}

export function startState(about: About): State {
  const layer = Math.max(1, ...about.models.map((each) => each.layers));
  const step = Math.max(0, stepsOf(about).length - 1);
  return { ...START_STATE, show: showsOf(about)[0], photo: about.photos[0].id, layer, step,
    ...namesOf(about) };
}

function namesOf({ models }: About) {
  const [first, second] = models.map((each) => each.name);
  return { first, second: second || "" };
}

// What a link says, as far as this page has it.
export function restored(about: About, fragment: string): State {
  const words = Object.fromEntries(new URLSearchParams(fragment.replace(/^#/, "")));
  const start = startState(about);
  const made: State = { ...start, ...chosenIn(about, words), ...numbersIn(about, start, words) };
  const lasso = lassoOf(words.lasso || "");
  if (lasso && about.map?.layouts.includes(lasso.places) && lasso.map < about.models.length) {
    made.lasso = words.lasso;
  }
  if (words.probe) made.probe = words.probe;
  if (NUMBERS.test(words.runs)) made.runs = words.runs;
  if (made.first === made.second) Object.assign(made, namesOf(about));
  return words.at ? { ...made, ...placeFrom(words.at.split(" ")) } : made;
}

function chosenIn(about: About, words: Record<string, string>): Partial<State> {
  const known: Record<string, string[] | undefined> = choicesOf(about);
  return Object.fromEntries(Object.entries(words).filter(([key, word]) => (
    Object.hasOwn(known, key) && known[key]?.includes(word))));
}

function numbersIn(about: About, start: State, words: Record<string, string>): Partial<State> {
  const last = about.map ? about.map.labels.length - 1 : -1;
  const ends: [keyof State, low: number, high: number][] = [
    ["layer", 1, start.layer], ["step", 0, start.step], ["least", 0, 100], ["opacity", 0, 100],
    ["k", 2, HUES.length], ["image", -1, last],
  ];
  const found = ends.map(([key, low, high]) => ({ key, value: Number(words[key]), low, high }));
  return Object.fromEntries(found
    .filter(({ value, low, high }) => Number.isInteger(value) && value >= low && value <= high)
    .map(({ key, value }) => [key, value]));
}

function placeFrom([side, y, x]: string[]): Pick<State, "side" | "y" | "x" | "pinned"> {
  const inside = (word: string) => Math.min(0.999, Math.max(0, Number(word) || 0));
  const which: Side = side === "b" ? "b" : "a";
  return { side: which, y: inside(y), x: inside(x), pinned: true };
}
