// Facts for tests: a page about two models and three photographs, two of them crops of one image.

import type { About, Got, ModelFacts, Photo, Places, Rows, State } from "../src/facts";
import { startState } from "../src/link";

export const rowsOf = (rows: number[][]): Rows => (
  { data: Float32Array.from(rows.flat()), width: rows[0].length, count: rows.length });

export const modelOf = (name: string, more: Partial<ModelFacts> = {}): ModelFacts => (
  { name, grid: [2, 4], size: [8, 16], width: 3, layers: 2, heads: 0, steps: [], start: "class token",
    ...more });

const photoOf = (id: string, more: Partial<Photo> = {}): Photo => (
  { id, name: `${id}.png`, label: `${id}.png`, side: 8, crop: null, ...more });

export const aboutOf = (more: Partial<About> = {}): About => ({
  models: [modelOf("one"), modelOf("two")],
  photos: [photoOf("p"), photoOf("q", { crop: { pair: 3, box: [0, 0, 0.5, 0.5], flip: false } }),
    photoOf("r", { crop: { pair: 3, box: [0.25, 0.25, 0.5, 0.5], flip: true } })],
  stops: ["rgb(0, 0, 0)", "rgb(255, 255, 255)"], most_bytes: 100, map: null, pairs: 0, studies: [],
  ...more });

export const mapFacts = { name: "images", labels: [0, 1, 1], classes: ["x", "y"], tile: 48, across: 2, k: 1,
  layouts: ["components", "tsne", "umap"] satisfies Places[] };

export const stateOf = (about: About, more: Partial<State> = {}): State => (
  { ...startState(about), ...more });

// Results from what each address has, made anew each time.
export const gotFrom = (rows: (address: string) => Rows): Got => (
  (_, addresses, make) => make(rows(String(addresses)) as never));

// Features of every photograph: patches in a line from the lower left to the upper right corner.
export function features(address: string): Rows {
  const shift = address.includes("/q/") ? 0.5 : 0;
  return rowsOf([...Array(8).keys()].map((i) => {
    const far = Math.hypot(1 - Math.floor(i / 4), i % 4);
    return [far + shift, Math.sin(5 * i) / 4, Math.cos(3 * i) / 9];
  }));
}
