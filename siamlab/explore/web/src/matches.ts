// Matches: where the places of one crop of an image are in the other, and where models find them.

import type { About, Crop, Photo, Side, State } from "./facts";
import type { Place } from "./scene";
import { atStep, stepOf, stepsOf } from "./steps";

export function matchesAddress(about: About, state: State): string {
  const number = (name: string) => about.models.findIndex((model) => model.name === name);
  const [first, second] = [number(state.first), number(state.second)];
  const step = (i: number) => stepOf(about.models[i], state, stepsOf(about));
  return atStep(atStep(`matches/${first}/${second}`, step(first)), step(second), "second_step");
}

// Where the middle of a patch of one of two crops of an image lies in the other; null outside it.
export function trueOf(all: Photo[], shown: string[], side: Side, [y, x]: Place): Place | null {
  const [a, b] = shown.map((id) => all.find((photo) => photo.id === id)?.crop);
  if (!a || !b || a.pair !== b.pair) return null;
  const [from, to] = side === "a" ? [a, b] : [b, a];
  if (!isKnown(from, y, x)) return null;
  const turned = (value: number, { flip }: { flip: boolean }) => (flip ? 1 - value : value);
  const [top, left, height, width] = from.box;
  const source = [top + height * y, left + width * turned(x, from)];
  const [atY, atX] = [(source[0] - to.box[0]) / to.box[2], (source[1] - to.box[1]) / to.box[3]];
  const place: Place = [atY, turned(atX, to)];
  return place.every((value) => value >= 0 && value <= 1) ? place : null;
}

function isKnown({ on = [] }: Crop, y: number, x: number): boolean { // of a scene, only on its object
  const at = (share: number, count: number) => Math.min(count - 1, Math.floor(share * count));
  return on.length === 0 || on[at(y, on.length)][at(x, on[0].length)] === "1";
}
