// Colourings: patches in the colours of their components, or of the segment that they are in.

import { SIDES_OF_FIRST } from "./choices";
import { foreground, painted } from "./components";
import type { Got, Rows, State } from "./facts";
import { joined } from "./patches";
import { besides } from "./places";
import type { Colours, Grid } from "./scene";
import {
  addressesOf, columnsFor, featuresOf, panelOf, wideGrid, type Base, type ModelNow, type Part,
} from "./scenes";
import { segments } from "./segments";
import { stepsOf } from "./steps";
import { HUES } from "./symbols";

const STRONG = 170; // of 255: opacity of a segment; photographs stay visible
const SOLID = 220; // of a patch in the colours of components

export function componentPanels(models: ModelNow[], state: State, got: Got, base: Base): Part {
  const panels = models.map((model) => {
    const colours = got(`components ${state.patches}`, addressesOf(model, base), () => {
      const rows = joined(featuresOf(model, base, got, "raw"));
      return painted(rows, keptPatches(rows, model.grid, state.patches), model.grid);
    });
    const bytes = rgba(colours.map((colour) => colour && [...colour.map((v) => 255 * v), SOLID]));
    return panelOf(model, base, { heat: coloured(bytes, model, base), still: true });
  });
  const which = state.patches === SIDES_OF_FIRST[2] ? ""
    : " Patches on the other side of the first component are left out; they are often the background.";
  return { panels, columns: columnsFor(models, base),
    text: `The first three principal components of the patches${base.count === 2
      ? " of both photographs together" : ""}, as red, green and blue.${which} Colours cannot be ` +
      `compared between models${stepsOf(base.about).length ? " or steps" : ""}.` };
}

function keptPatches(rows: Rows, grid: Grid, which: string): boolean[] {
  if (which === SIDES_OF_FIRST[2]) return new Array(rows.count).fill(true);
  const kept = foreground(rows, grid);
  return which === SIDES_OF_FIRST[0] ? kept : kept.map((value) => !value);
}

export function segmentPanels(models: ModelNow[], state: State, got: Got, base: Base): Part {
  let first: number[] | null = null;
  const panels = models.map((model) => {
    const found = got(`segments ${state.k}`, addressesOf(model, base),
      () => segments(joined(featuresOf(model, base, got, "unit")), state.k));
    const numbers = first && first.length === found.length ? alike(found, first, state.k) : found;
    first ??= numbers;
    const bytes = rgba(numbers.map((k) => [...hue(HUES[k]), STRONG]));
    return panelOf(model, base, { heat: coloured(bytes, model, base), still: true });
  });
  return { panels, columns: columnsFor(models, base),
    text: `The patches${base.count === 2 ? " of both photographs together" : ""} in ${state.k} ` +
      "segments of similar features (k-means by cosine), separately in each model; segments that " +
      "overlap most with those of the first model have their colours." };
}

// Renumbered so that the largest overlaps have the same number.
function alike(found: number[], first: number[], k: number): number[] {
  const overlap: [count: number, own: number, first: number][] = [];
  for (let a = 0; a < k; a++) {
    for (let b = 0; b < k; b++) {
      overlap.push([found.filter((value, i) => value === a && first[i] === b).length, a, b]);
    }
  }
  const names: number[] = new Array(k).fill(-1);
  for (const [, a, b] of overlap.sort((x, y) => y[0] - x[0])) {
    if (names[a] < 0 && !names.includes(b)) names[a] = b;
  }
  return found.map((value) => names[value]);
}

function hue(colour: string): number[] {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

// Null is transparent.
function rgba(colours: (number[] | null)[]): Uint8ClampedArray {
  const made = new Uint8ClampedArray(4 * colours.length);
  colours.forEach((colour, i) => { if (colour) made.set(colour, 4 * i); });
  return made;
}

function coloured(bytes: Uint8ClampedArray, { grid }: ModelNow, base: Base): Colours {
  const each = bytes.length / base.count;
  const parts = base.photos.map((_, i) => bytes.subarray(i * each, (i + 1) * each));
  return { rgba: besides(parts, grid, 4), grid: wideGrid(grid, base) };
}
