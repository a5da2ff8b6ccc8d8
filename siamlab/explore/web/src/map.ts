// Map: places of images by the features of a model, their neighbours, and what a map looks like now.

import type { About, Apply, MapFacts, ModelFacts, Places, Rows, State, Votes } from "./facts";
import { components } from "./components";
import type { Lasso } from "./lasso";
import { products } from "./patches";
import type { Point, Sides } from "./scene";

export const NEAR = 8; // neighbours that are shown

export type Near = [image: number, cosine: number];

export interface Act { // what a user can do
  set: Apply;
  select: (image: number) => void;
  look: (image: number) => void;
  lasso: (word: string) => void;
}

export interface Atlas { // the maps of all models
  whole: About;
  about: MapFacts;
  text: HTMLElement;
  sheet: HTMLImageElement; // of thumbnails
  bar: { places: HTMLSelectElement; mistakes: HTMLButtonElement };
  drawn: HTMLElement; // what is saved as a picture
  aside: HTMLElement; // the images inside the line
  showStep: (state: State) => void;
  act: Act;
  views: MapView[];
  places: Places;
  mistakes: boolean; // no others are shown
  over: number; // image under the pointer; -1 for none, as both below
  chosen: number;
  chosenClass: number;
  inside: Set<number>; // of the line
  lasso: Lasso | null;
  drawing: { view: MapView; corners: Point[] } | null;
}

export interface MapView { // the map of one model
  model: ModelFacts;
  title: HTMLElement;
  canvas: HTMLCanvasElement;
  right: HTMLElement; // how many k-NN gets right
  verdict: HTMLElement;
  near: HTMLElement;
  points: Point[];
  found: Near[];
  votes: Votes | null;
  wrong: boolean[]; // what neighbours vote
  atlas: Atlas;
  box: Sides | null; // drawn by keys: left, top, right and bottom
}

// From 0 to 1, the second one downwards.
function fitted(across: ArrayLike<number>, up: ArrayLike<number>): Point[] {
  const fit = (values: ArrayLike<number>) => {
    const all = Array.from(values);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    return all.map((value) => (high > low ? (value - low) / (high - low) : 0.5));
  };
  const [x, y] = [fit(across), fit(up)];
  return x.map((value, i) => [value, 1 - y[i]]);
}

// The first two principal components, which grow with the number of the class where they follow it.
export function planeOf(rows: Rows, labels: number[]): Point[] {
  const [across, up] = components(rows, labels, 20);
  return fitted(across, up);
}

export function placesOf({ data }: Rows): Point[] { // of t-SNE
  const pick = (column: number) => data.filter((_, i) => i % 2 === column);
  return fitted(pick(0), pick(1));
}

// The most similar images, itself left out.
export function nearest(rows: Rows, i: number, count = NEAR): Near[] {
  const cosines = products(rows, rows, i);
  const order = [...cosines.keys()].filter((other) => other !== i);
  return order.sort((a, b) => cosines[b] - cosines[a]).slice(0, count).map((j) => [j, cosines[j]]);
}

export function tileOf({ tile, across }: MapFacts, i: number): Square { // on the sheet of thumbnails
  return [tile * (i % across), tile * Math.floor(i / across), tile];
}

export type Square = [left: number, top: number, side: number];
