// Facts: what the page of `siamlab view` is about, its state, and the numbers that it fetches.

import type { Grid, Scene, Sides } from "./scene";

export interface ModelFacts {
  name: string;
  grid: Grid;
  size: [height: number, width: number]; // pixels
  width: number; // numbers of a patch
  layers: number;
  heads: number; // 0: attention cannot be shown
  steps?: number[]; // after which a run kept its encoder
  start?: string; // where attention starts: "class token" or "mean patch"
  file?: string; // of a demo: its graph
  files?: Record<string, string>; // of a demo: the graphs of earlier steps
  prefix?: number; // of a demo: tokens before the patches
}

export interface Crop {
  pair: number; // its two crops are of one image
  box: Sides; // fractions of the image
  flip: boolean; // mirrored left-right after the cut
  on?: string[]; // rows of pixels: 1 where the true match is known; none: everywhere
}

export interface Photo {
  id: string;
  name: string;
  side: number; // pixels
  crop?: Crop | null;
  file?: string; // of a demo
  label?: string; // its name, and a number where another has the same
}

export interface MapFacts {
  name: string;
  labels: number[]; // of images; -1: unknown
  classes: string[];
  tile: number; // pixels: side of a thumbnail
  across: number; // thumbnails in a row of the sheet
  k: number; // neighbours that vote; 0: no classes
  layouts: Places[]; // by which points can be placed
}

export interface About {
  models: ModelFacts[];
  photos: Photo[];
  stops: string[];
  most_bytes: number; // of a file
  map: MapFacts | null;
  pairs?: number; // pairs of crops, on which matches are found
  studies?: string[]; // names
}

export type Way = "similarity" | "components" | "segments" | "attention"; // to look at photographs
export type Show = Way | "matches" | "map" | "plane";
export type Section = "matches" | "map"; // shown in the place of panels
export type Side = "a" | "b"; // the first or the second photograph
export type Places = "components" | "tsne" | "umap";

export interface State {
  show: Show;
  photo: string;
  beside: string; // the second photograph; "" for none
  side: Side;
  y: number; // fractions of the photograph
  x: number;
  pinned: boolean;
  over?: boolean; // a pointer is on a photograph
  layer: number; // of the deepest model
  step: number; // number among all steps
  least: number; // percent: cosine of matches that are drawn
  opacity: number; // percent
  cosine: string;
  patches: string;
  k: number; // segments
  head: string;
  from: string;
  heads: string; // the model whose heads are shown; "" for the first one
  image: number; // of the map; -1 for none
  places: Places;
  only: string;
  lasso: string;
  study: string;
  points: string;
  probe: string;
  runs: string; // numbers of chosen points, joined by dots
  first: string; // the two models of matches
  second: string;
}

export interface Rows { // of one width, one after the other
  data: Float32Array;
  width: number;
  count: number;
}

export interface Votes {
  data: Int32Array; // the class of each image
  width: number;
  count: number;
  share: number[]; // of the votes
}

export interface Drawn { // a scene that the server made
  scene: Scene;
  data: Uint8Array;
}

export interface Found { // the patch that a model finds
  y: number;
  x: number;
  error: number; // pixels
  patches: number;
}

export interface Entry { // of the gallery of matches: a place in crop a, and its true place in b
  a: string; // photographs
  b: string;
  name: string;
  y: number;
  x: number;
  true_y: number;
  true_x: number;
  found: Found[];
}

export interface MatchModel {
  name: string;
  colour: string;
  grid: Grid;
  mean: number; // patches
}

export interface Matches {
  side: number; // pixels
  scenes: number; // pairs of scenes, among the pairs of crops
  places: number;
  models: MatchModel[];
  entries: Entry[];
  data: Uint8Array;
}

export type Fetched = Rows | Votes | Drawn | Matches;

// A derived result, made once from what was fetched from an address; of several, from nothing.
export type Got = <T, From = Rows>(
  kind: string, addresses: string | string[], make: (rows: From) => T,
) => T;

export type Change = (next: State, hovering?: boolean) => Promise<void>;
export type Apply = (changes: Partial<State>) => void;
