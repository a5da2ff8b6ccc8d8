// Compute: the scenes of a page from the similarities that it holds, as Python makes them.
// An entry has a function from the state and an event to the next state, and one to its scene.

import { MEAN, overHeads } from "./heads";
import { bytesOf } from "./heat";
import type { Side } from "./facts";
import { centreOf, markAt, rowAndColumn } from "./places";
import type { Control, Grid, Levels, Panel, PanelEvent, Place, Scene, Value } from "./scene";

type Apart = [pixels: number, patches: number];

export type Selected = [panel: string, patch: number];

export interface PageState {
  values: Record<string, any>; // of the controls, and of what else an explorer can change
  selected: Selected;
  pinned?: boolean;
}

interface HeldPlaces { // of one view: for each of its patches
  inside: string; // 1: the other view shows it
  true: Place[];
  ceiling: Apart[];
  shared: number; // patches that both show
  least: Apart;
}

interface HeldSide { // of one view in one layer
  own: string; // similarities within it, half of a symmetric matrix
  top: number[][]; // the patches of the other view that are most similar to each
  error: Apart[];
  mean: Apart;
  worst: [text: string, patch: number][];
}

interface HeldPair { // of an image and two views of it
  a: HeldPlaces;
  b: HeldPlaces;
  boxes: Panel["boxes"];
  layers: Record<string, { a: HeldSide; b: HeldSide; across: string }>;
}

export interface PairData { // as pair.py holds it
  grid: Grid;
  pairs: Record<string, HeldPair>;
  text: Record<"query" | "matched" | "hidden" | "jumps" | "apart", string>;
}

export interface ModelsData { // as models.py holds it
  grid: Grid;
  models: Record<string, {
    pairs: Record<string, HeldPair>;
    attention: Record<string, Record<string, { levels: string; heads: number }>>;
  }>;
  highest: Record<string, number>;
  text: Record<"matched" | "hidden" | "apart", string>;
}

type Part = Pick<Panel, "heat" | "arrows" | "marks">; // of a panel: what answers a patch

export interface PageScene<Data> {
  hints?: typeof HINTS;
  begin?: (data: Data, state: PageState) => PageState; // where a page holds less than its explorer
  refusal?: string; // of an event that `next` answers with null: the page does not hold its answer
  next: (state: PageState, event: PanelEvent, data: Data) => PageState | null;
  // `images` gets those that are made here
  scene: (data: Data, first: Scene, state: PageState, images: Record<string, string>) => Scene;
}

export function fill(template: string, words: Record<string, Value>): string {
  return template.replace(/\{(\w+)\}/g, (_, name) => String(words[name]));
}

// Of texts that were unpacked: a pointer needs the same ones again.
const bytes = new Map<string, Uint8Array>();

export function bytesIn(text: string): Uint8Array {
  const known = bytes.get(text) ?? bytesOf(text);
  bytes.set(text, known);
  return known;
}

export function heatOf(levels: Iterable<number>, grid: Grid, scale: string): Levels {
  return { levels: btoa(String.fromCharCode(...levels)), grid, scale };
}

// Of a symmetric matrix of which the lower half is held.
function halfRow(half: Uint8Array, row: number, count: number): number[] {
  const at = (i: number, j: number): number => (i < j ? at(j, i) : half[i * (i + 1) / 2 + j]);
  return [...Array(count).keys()].map((column) => at(row, column));
}

export function withValues(controls: Control[], values: PageState["values"]): Control[] {
  return controls.map((control) => ({ ...control, value: values[control.name] }));
}

function placeKey({ image, views, training_step: step = "" }: PageState["values"]): string { // as held.py's
  return `${image} ${views} ${step}`.trimEnd();
}

// The panels of both views for a patch of one of them, and the text about it.
export function answerOfPair({ grid, pairs }: Pick<PairData, "grid" | "pairs">, values: PageState["values"],
  here: Side, patch: number) {
  const count = grid[0] * grid[1];
  const there = here === "a" ? "b" : "a";
  const place = pairs[placeKey(values)];
  const held = place.layers[values.layer];
  const side = held[here];
  const inside = place[here].inside[patch] === "1";
  const across = bytesIn(held.across); // from a, row by row, to b
  const found = here === "a" ? across.slice(patch * count, (patch + 1) * count)
    : across.filter((_, i) => i % count === patch);
  const top = side.top[patch].map((each) => centreOf(grid, each));
  const truth = place[here].true[patch];
  const marks = [markAt(top[0], "match")];
  if (inside) marks.push(markAt(truth, "true"));
  top.slice(1).forEach((each, i) => marks.push(markAt(each, "next", String(i + 2))));
  const own = halfRow(bytesIn(side.own), patch, count);
  const query: Part = { heat: heatOf(own, grid, "cosine"), arrows: [],
    marks: [markAt(centreOf(grid, patch), "query")] };
  const answer: Part = { heat: heatOf(found, grid, "cosine"), marks,
    arrows: inside ? [[...top[0], ...truth]] : [] };
  return {
    place, side, inside, there,
    error: side.error[patch],
    least: place[here].ceiling[patch],
    shown: here === "a" ? { a: query, b: answer } : { a: answer, b: query },
  };
}

export const EXACT = " Values are exact to 0.4 % of the end of their scale.";

// The pointer shows the patch below it, until a click pins one; a click on it or Escape releases it.
export const HINTS = { free: "Move over a patch: its answer is shown at once. A click pins it.",
  pinned: "Pinned: a click on another patch moves the pin; a click on this one or Escape releases it." };

export interface Picked {
  hover?: number | null;
  patch?: number;
  keyed?: boolean;
}

export function withPatch<S extends Pick<PageState, "selected" | "pinned">>(
  state: S, panel: string, { hover, patch, keyed }: Picked,
): S {
  if (hover === null || (hover !== undefined && state.pinned)) return state;
  if (hover !== undefined) return { ...state, selected: [panel, hover] };
  if (patch === undefined) return state;
  const again = state.pinned && String(state.selected) === String([panel, patch]);
  return { ...state, selected: [panel, patch], pinned: Boolean(keyed || !again) };
}

export const pairScene: PageScene<PairData> = {
  next: (state, event) => ("control" in event
    ? { ...state, values: { ...state.values, [event.control]: event.value } }
    : withPatch(state, event.panel, event as Picked)),
  scene: (data, first, { values, pinned, selected: [panel, patch] }) => {
    const here = sideOf(panel);
    const answer = answerOfPair(data, values, here, patch);
    const { side, place } = answer;
    const panels = first.panels.map((panel) => (panel.id === "source"
      ? { ...panel, image: `source-${values.image}`, boxes: place.boxes }
      : { ...panel, image: `${panel.id}-${values.image}-${values.views}`,
        ...answer.shown[sideOf(panel.id)], hovers: !pinned, follows: true }));
    return { ...first, panels,
      text: textOfPair(data.text, data.grid, answer, here, patch),
      controls: withValues(first.controls, values),
      jumps: side.worst.map(([text, worst]) => ({ text, panel: here, patch: worst })),
      jumps_title: fill(data.text.jumps, { here }) };
  },
};

export function textOfPair(
  text: PairData["text"], grid: Grid, answer: ReturnType<typeof answerOfPair>, here: Side, patch: number,
): string {
  const { side, place, inside, there, error, least } = answer;
  const away = (both: Apart) => apart(text, both);
  const numbers = { error: away(error), least: away(least), shared: place[here].shared,
    mean: away(side.mean), mean_least: away(place[here].least), there };
  const query = fill(text.query, rowAndColumn(grid, patch));
  return fill(inside ? text.matched : text.hidden, { query, ...numbers });
}

function apart(text: { apart: string }, [pixels, patches]: Apart): string {
  return fill(text.apart, { pixels: pixels.toFixed(1), patches: patches.toFixed(1) });
}

function sideOf(panel: string): Side {
  return panel === "b" ? "b" : "a";
}

export const HEADS_OF = "heads of"; // the name of a control of models.py

export const modelsScene: PageScene<ModelsData> = {
  next: (state, event) => {
    const set = (changes: PageState["values"]) => ({ ...state, values: { ...state.values, ...changes } });
    if ("control" in event) {
      return set({ ...(event.control === HEADS_OF ? { head: MEAN } : {}), [event.control]: event.value });
    }
    if (event.panel.startsWith("head ")) return set({ head: event.panel.slice(5) });
    return withPatch(state, "a", event as Picked);
  },
  scene: (data, first, state) => {
    const { values, selected: [, patch] } = state;
    const answers = Object.entries(data.models).map(([name, model]) => (
      { name, ...answerOfPair({ grid: data.grid, pairs: model.pairs }, values, "a", patch) }));
    const heads = headsOf(data, first, state);
    const errors = answers.map(({ name, error }) => `${name} ${apart(data.text, error)}`).join("; ");
    const high = data.highest[`${placeKey(values)} ${values.layer}`];
    const scale = { ...first.scales.attention, high, bound: high };
    return { ...first, scales: { ...first.scales, attention: scale },
      panels: [...answers.flatMap(({ name, shown }) => threeOf(data, first, state, name, shown)),
        ...heads.map(({ panel }) => panel)],
      text: fill(answers[0].inside ? data.text.matched : data.text.hidden,
        { errors, ...rowAndColumn(data.grid, patch) }),
      controls: withValues(first.controls, values).map((control) => (
        control.name === "head" ? { ...control, ...overHeads(heads.length) } : control)) };
  },
};

// Attention, similarity and match of one model.
function threeOf(
  data: ModelsData, first: Scene, state: PageState, name: string, shown: { a: Part; b: Part },
): Panel[] {
  const { values, pinned, selected: [, patch] } = state;
  const pair = `${values.image}-${values.views}`;
  const panel = (part: string) => first.panels.find(({ id }) => id === `${name} ${part}`) as Panel;
  const query = { image: `a-${pair}`, marks: [markAt(centreOf(data.grid, patch), "query")],
    hovers: !pinned, follows: true };
  const head = values.head === MEAN ? 0 : Number(values.head);
  return [
    { ...panel("attention"), ...query, heat: attentionOf(data, state, name, head) },
    { ...panel("similarity"), ...query, heat: shown.a.heat },
    { ...panel("match"), image: `b-${pair}`, ...shown.b,
      marks: shown.b.marks.filter((mark) => mark.kind !== "next") },
  ];
}

function headsOf(data: ModelsData, first: Scene, state: PageState) { // of one model, a panel for each
  const { values } = state;
  const below = values[HEADS_OF];
  const last = first.panels[first.panels.length - 1];
  const { heads } = heldAttention(data, state, below);
  return [...Array(heads).keys()].map((i) => String(i + 1)).map((name) => ({ name, panel: {
    ...last, id: `head ${name}`, title: `${below}: head ${name}`, image: `a-${values.image}-${values.views}`,
    heat: attentionOf(data, state, below, Number(name)), chosen: values.head === name } }));
}

function heldAttention({ models }: ModelsData, { values }: PageState, name: string) {
  return models[name].attention[placeKey(values)][values.layer];
}

// Row 0: the mean over heads, also of a head that is none.
function attentionOf(data: ModelsData, state: PageState, name: string, head: number): Levels {
  const { grid } = data;
  const count = grid[0] * grid[1];
  const { levels, heads } = heldAttention(data, state, name);
  const start = ((head <= heads ? head : 0) * count + state.selected[1]) * count;
  return heatOf(bytesIn(levels).slice(start, start + count), grid, "attention");
}
