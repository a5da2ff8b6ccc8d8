// Linked: the scene of a page on the plane with histogram, curves and examples, for any brushing.

import { withValues, type PageScene, type PageState } from "./compute";
import { curvePanels, type HeldCurves } from "./curves";
import { cutOf } from "./eye";
import { bytesOf } from "./heat";
import { centreOf, markAt } from "./places";
import type { Bars, Chart, Ends, Grid, Panel, Place, Scene, Sides } from "./scene";
import { planeOf } from "./study";

interface HeldModel {
  line: string; // what is told of it
  grid: Grid;
  views: string; // key of LinkedData.views
  values: Record<string, { values: string; images?: number[] }>; // by measure
  best: string; // of each patch of view a that view b shows: its match
}

interface HeldViews { // of an image, for one size of input
  boxes: [a: Sides, b: Sides];
  flips: [a: boolean, b: boolean];
  inside: string; // 1 for each patch of view a that view b shows
  true: Place[];
}

interface HeldMeasure {
  of: "pairs" | "patches" | "images";
  part: string; // patches or images
  shown: number; // examples
  legend: Scene["legend"];
}

interface LinkedData { // as plane/explorer.py holds it
  names: string[];
  base: string;
  plane: Bars;
  models: Record<string, HeldModel>;
  views: Record<string, { draw: number; images: HeldViews[] }>;
  measures: Record<string, HeldMeasure>;
  curves: HeldCurves | null; // null: no model has a folder
  bars: number;
  described: number; // chosen models at most that are described
  named: number; // models at most of which all have names
  note: string; // which images are held, if not all
}

interface Row {
  image: number;
  patch: number; // -1: the whole image
  value: number;
  best: number; // the match of a pair
}

export const linkedScene: PageScene<LinkedData> = {
  begin: withExamples,
  hints: { free: "A click chooses a point or a bar; a rectangle around points, or Shift and a click, several.",
    pinned: "" },
  next: (state, event, data) => {
    const set = (values: PageState["values"]) => (
      withExamples(data, { ...state, values: { ...state.values, ...values } }));
    if ("control" in event) return set(withMeasure(data, state, { [event.control]: event.value }));
    const parts = "parts" in event ? event.parts : "patch" in event ? [event.patch] : [];
    if (parts.length === 0) return state;
    if (event.panel !== "plane") {
      return { ...state, values: { ...state.values, bars: rangeOf(parts) }, selected: [event.panel, parts[0]] };
    }
    const chosen = parts.map((part) => data.names[part]);
    return set({ chosen, ...withMeasure(data, state, { model: chosen[0] }) });
  },
  scene: (data, first, state, images) => {
    const { model, measure } = state.values;
    const rows = rowsOf(data, model, measure);
    const edges = edgesOf(data, state);
    const inside = rows.filter(({ value }) => state.values.bars.includes(barOf(value, edges)))
      .sort((a, b) => b.value - a.value);
    return { ...first,
      panels: [planePanel(data, first, state), barsPanel(data, first, state, rows, edges),
        ...curvePanels(data, first, state.values.chosen.slice(0, data.described)),
        ...inside.slice(0, data.measures[measure].shown).flatMap((row, i) => example(data, first, state, row, i, images))],
      text: textOf(data, state, rows.length, inside.length, edges),
      legend: data.measures[measure].legend,
      controls: withValues(first.controls, state.values).map((control) => ({ ...control,
        options: control.name === "model" ? state.values.chosen : Object.keys(data.models[model].values) })) };
  },
};

// Another measure where the present one is not possible for the model.
function withMeasure(data: LinkedData, { values }: PageState, changes: PageState["values"]) {
  const possible = data.models[changes.model ?? values.model].values;
  return { ...(values.measure in possible ? {} : { measure: Object.keys(possible)[0] }), ...changes };
}

// The highest bar that has any values, where the chosen ones have none.
function withExamples(data: LinkedData, state: PageState): PageState {
  const { model, measure, bars } = state.values;
  const edges = edgesOf(data, state);
  const filled = rowsOf(data, model, measure).map(({ value }) => barOf(value, edges));
  if (filled.some((bar) => bars.includes(bar))) return state;
  return { ...state, values: { ...state.values, bars: [Math.max(...filled)] } };
}

function rangeOf(parts: number[]): number[] {
  const [low, high] = [Math.min(...parts), Math.max(...parts)];
  return [...Array(high - low + 1).keys()].map((i) => low + i);
}

const known = new Map<string, Row[]>(); // by model and measure

function rowsOf(data: LinkedData, name: string, measure: string): Row[] {
  const key = `${name} ${measure}`;
  const found = known.get(key) ?? makeRows(data, data.models[name], measure);
  known.set(key, found);
  return found;
}

function makeRows({ measures, views }: LinkedData, model: HeldModel, measure: string): Row[] {
  const { values, images } = model.values[measure];
  const numbers = new Float32Array(bytesOf(values).buffer);
  const { of } = measures[measure];
  const best = of === "pairs" ? new Uint16Array(bytesOf(model.best).buffer) : [];
  const places = images ? images.map((image): Place => [image, -1])
    : views[model.views].images.flatMap(({ inside }, image) => [...inside].flatMap((shown, patch): Place[] => (
      of === "pairs" && shown === "0" ? [] : [[image, patch]])));
  return places.map(([image, patch], i) => ({ image, patch, value: numbers[i], best: best[i] }));
}

// The chosen models that are described, the one of the histogram, and the base.
function describedIn({ described, base }: LinkedData, { values }: PageState): string[] {
  return [...new Set<string>([...values.chosen.slice(0, described), values.model, base])];
}

function edgesOf(data: LinkedData, state: PageState): number[] {
  const { measure } = state.values;
  const able = describedIn(data, state).filter((name) => measure in data.models[name].values);
  let [low, high] = [Infinity, -Infinity];
  for (const name of able) {
    for (const { value } of rowsOf(data, name, measure)) [low, high] = [Math.min(low, value), Math.max(high, value)];
  }
  return [...Array(data.bars + 1).keys()].map((i) => low + (high - low) * i / data.bars);
}

function barOf(value: number, edges: number[]): number { // one on an edge belongs to the bar above it
  return edges.slice(1, -1).filter((edge) => value >= edge).length;
}

function planePanel(data: LinkedData, first: Scene, state: PageState): Panel {
  const { names, named } = data;
  const described = describedIn(data, state);
  const shown = names.filter((name) => names.length <= named || described.includes(name));
  return { ...first.panels[0], chart: planeOf(data, state.values.chosen, shown) };
}

function barsPanel(
  data: LinkedData, first: Scene, { values }: PageState, rows: Row[], edges: number[],
): Panel {
  const counts = Array<number>(data.bars).fill(0);
  for (const { value } of rows) counts[barOf(value, edges)] += 1;
  const shares = counts.map((count) => count / Math.max(1, rows.length));
  const most = Math.max(...shares);
  const { part } = data.measures[values.measure];
  const panel = first.panels[1];
  const ticks = edges.map((edge, i): [number, string] => [i / data.bars, general(edge)]);
  const chart = { ...panel.chart, x: ticks.map(([at]) => at), y: shares.map((share) => share / (1.05 * most)),
    names: counts.map((count, i) => `${general(edges[i])} to ${general(edges[i + 1])}: ${count}`),
    x_title: values.measure, y_title: `share of ${part}`, chosen: values.bars,
    x_ticks: ticks.filter((_, i) => i % Math.max(1, Math.floor(data.bars / 4)) === 0),
    y_ticks: [[0, "0 %"], [1 / 1.05, `${evenly(100 * most)} %`]] } as Chart;
  return { ...panel, title: `${values.model}: all ${part}`, chart };
}

function example(
  data: LinkedData, first: Scene, { values }: PageState, row: Row, i: number, images: Record<string, string>,
): Panel[] {
  const { grid, views } = data.models[values.model];
  const { image, patch, value, best } = row;
  const query = patch < 0 ? [] : [markAt(centreOf(grid, patch), "query")];
  const bare = { ...first.panels[0], chart: null, several: false, span: 1, grid, still: true };
  if (data.measures[values.measure].of !== "pairs") {
    const name = `image ${image}`;
    return [{ ...bare, id: `${i} image`, title: `Image ${image}: ${general(value)}`, image: name, marks: query }];
  }
  const { draw, images: all } = data.views[views];
  const { boxes, flips, true: truth } = all[image];
  const keys = ["a", "b"].map((side) => `${side}-${image}-${draw}`);
  keys.forEach((key, side) => {
    images[key] ??= cutOf(images[`image ${image}`], boxes[side], flips[side], grid);
  });
  const [found, wanted] = [centreOf(grid, best), truth[patch]];
  const arrow: Ends = [...found, ...wanted];
  return [
    { ...bare, id: `${i} a`, title: `Image ${image}, view a`, image: keys[0], marks: query },
    { ...bare, id: `${i} b`, title: `View b: ${general(value)}`, image: keys[1], arrows: [arrow],
      marks: [markAt(found, "match"), markAt(wanted, "true")] },
  ];
}

function textOf(data: LinkedData, { values }: PageState, total: number, inside: number, edges: number[]): string {
  const { part, shown } = data.measures[values.measure];
  const { bars, chosen, model, measure } = values;
  const [low, high] = [edges[bars[0]], edges[bars[bars.length - 1] + 1]].map(general);
  const examples = inside > shown ? `; the ${shown} with the largest values are shown` : "";
  const described = chosen.slice(0, data.described);
  const lines = data.names.filter((name) => described.includes(name)).map((name) => data.models[name].line);
  const more = chosen.length - described.length;
  return [`${model}: ${inside} ${part} of ${total} with ${measure} from ${low} to ${high}${examples}.`,
    ...lines, ...(more > 0 ? [`${more} more are chosen.`] : []), ...(data.note ? [data.note] : [])].join("\n");
}

export function general(value: number): string { // three digits, as Python's .3g
  const [digits, power] = value.toExponential(2).split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 3) return String(Number(value.toPrecision(3)));
  const sign = exponent < 0 ? "-" : "+";
  return `${Number(digits)}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function evenly(value: number): number { // halves to the even number, as Python
  const near = Math.round(value);
  return near - value === 0.5 && near % 2 ? near - 1 : near;
}
