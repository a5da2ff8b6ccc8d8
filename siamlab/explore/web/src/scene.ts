// Scene: what panels show, as scene.py sends it or a page makes it; what they report; and who answers.

import type { Answers } from "./alone";

export type Grid = [rows: number, columns: number];
export type Place = [y: number, x: number]; // fractions of a picture
export type Point = [x: number, y: number]; // the same the other way round, as pointers have it
export type Step = [down: number, right: number];
export type Ends = [y: number, x: number, toY: number, toX: number];
export type Link = [...Ends, colour: string]; // between two patches of one picture
export type Sides = [top: number, left: number, height: number, width: number];
export type Outline = Point[]; // corners of a symbol of radius 1, right and down
export type Value = string | number; // of a control

export interface Scale {
  title: string;
  low: number; // 0 or less
  high: number;
  bound: number; // size of a value, of either sign, that has the strongest colour
  open?: boolean; // larger values have the colour of `high`
}

interface OnGrid {
  grid: Grid;
  levels?: string;
  values?: Float32Array;
  rgba?: Uint8ClampedArray;
}

export interface Levels extends OnGrid { // as Python sends them: base64 of one byte for each patch
  levels: string;
  scale: string; // key of Scene.scales
  values?: undefined;
  rgba?: undefined;
}

export interface Values extends OnGrid { // made in the page
  values: Float32Array;
  scale: string;
  levels?: undefined;
  rgba?: undefined;
}

export interface Colours extends OnGrid { // made in the page: four bytes for each patch, no scale
  rgba: Uint8ClampedArray;
  scale?: undefined;
  levels?: undefined;
  values?: undefined;
}

export type Shaded = Levels | Values;
export type Heat = Shaded | Colours;

export interface Mark {
  y: number; // fractions of the panel
  x: number;
  kind: string; // "query", "true", "match" or "next"
  text: string;
}

export interface Box {
  top: number; // fractions of the panel
  left: number;
  height: number;
  width: number;
  name: string;
  colour: string;
  movable: boolean;
}

interface Axes {
  names: string[];
  colours: string[];
  x_title: string;
  y_title: string;
  x_ticks: [at: number, words: string][];
  y_ticks: [at: number, words: string][];
  chosen: number[];
  symbols: string[]; // keys of Scene.symbols
  places: (Point | null)[]; // middles of the names of points
  whiskers: ([left: number, right: number, low: number, high: number] | null)[];
  joined: boolean;
  note: string;
}

export interface Bars extends Axes { // or points; places are fractions of the drawing area
  kind: "points" | "bars";
  x: number[]; // of bars their n + 1 edges
  y: number[];
}

export interface Lines extends Axes {
  kind: "lines";
  x: number[][];
  y: number[][];
}

export type Chart = Bars | Lines;

export interface Panel {
  id: string;
  title: string;
  image: string; // key of the images; "" for a chart
  grid: Grid | null;
  heat: Heat | null;
  marks: Mark[];
  boxes: Box[];
  arrows: Ends[];
  chosen: boolean;
  span: number;
  still: boolean;
  chart: Chart | null;
  several: boolean;
  links?: Link[]; // made in the page, as all below
  hovers?: boolean; // reports the patch under the pointer
  follows?: boolean; // reports the patch to which keys move
}

export interface Control {
  name: string;
  label: string;
  value: Value;
  low: number;
  high: number;
  options: string[]; // none for a slider over numbers
  slider?: boolean; // over the options, which are in order
  words?: string[]; // what a slider says in the place of each option
  shown?: string; // in the place of its value
}

export interface Jump {
  text: string;
  panel: string;
  patch: number;
}

export interface Scene {
  panels: Panel[];
  columns: number;
  text: string;
  controls: Control[];
  scales: Record<string, Scale>;
  legend: [kind: string, meaning: string][];
  jumps: Jump[];
  jumps_title: string;
  stops: string[];
  symbols: Record<string, Outline>;
  linked?: boolean; // a place under the pointer is shown in all panels
  opacity?: number; // of heat, where a picture is made without a page
}

export interface NoScene { // before the first one is here
  panels?: undefined;
  controls?: Control[];
  text?: string;
}

export interface Patched { // a patch, point or bar was clicked, or keys moved to it
  panel: string;
  patch: number;
  keyed?: boolean;
}

export interface Hovered { // null: the pointer left
  panel: string;
  hover: number | null;
}

export interface Brushed { // several points or bars
  panel: string;
  parts: number[];
}

export interface Boxed { // a box was dragged, or moved by a key in the direction of `step`
  panel: string;
  box: Sides;
  step?: Step;
}

export interface Controlled {
  control: string;
  value: Value;
}

export type PanelEvent = Patched | Hovered | Brushed | Boxed | Controlled;
export type Counted = PanelEvent & { count: number }; // so that equal events differ
export type Send = (event: PanelEvent) => void;

export interface Shown { // what a model holds
  scene: Scene | NoScene;
  images: Record<string, string>; // addresses by key
  event: Counted | { count?: undefined } | null; // the last one
  answered: number; // the count of the last one that was handled
  keep?: boolean; // whether a widget asks for what an exported page has
  kept?: Answers | { first?: undefined }; // that, once it is here
}

export interface Model { // that of anywidget, as far as panels use it
  get<Name extends keyof Shown>(name: Name): Shown[Name];
  set<Name extends keyof Shown>(name: Name, value: Shown[Name]): void;
  on(name: `change:${keyof Shown}` | "comm_live_update", call: () => void): void;
  save_changes(): void;
}

export interface Drawing { // a panel's picture as far as it is drawn as SVG, on a page or without one
  svg: SVGElement;
  panel: Panel;
  ratio: number; // height of its picture by its width
  chosen: number[]; // points or bars
  symbols: Record<string, Outline>;
  cursor: number; // patch at which the keys are
  focused?: boolean;
  pointed?: number | null; // patch under the pointer in another panel
  band?: Sides | null; // of a brush: left, top, right and bottom
}

export interface View extends Drawing { // a panel on a page
  figure: HTMLElement;
  title: HTMLElement;
  stage: HTMLElement;
  image: HTMLImageElement;
  heat: HTMLCanvasElement;
  svg: SVGSVGElement;
  scale: HTMLElement;
  all: All;
  linked?: boolean;
  colours?: Scale | null; // of its heat
  over?: number | null; // patch that was reported as under the pointer
}

export interface All { // of one explorer
  views: Map<string, View>;
  pointed: { at: Point | null }; // the place under the pointer, where panels are linked
}
