// Study: the scene of a page on the plane of studies, for any selection of points and any probe.

import { withValues, type PageScene, type PageState } from "./compute";
import { placeLabels, type Rect } from "./labels";
import type { Bars, PanelEvent, Point } from "./scene";

type Row = [name: string, value: number, low: number | null, high: number | null];

interface HeldPoints { // of a study: its configurations or its runs
  names: string[];
  chosen: string[]; // that are chosen first
  head: string;
  plane: Bars;
  lines: Record<string, Record<string, string>>; // what is told of each, by the one chosen first
  probes: Record<string, { title: string; rows: Row[] }>;
}

interface StudyData { // as study.py holds it
  states: Record<string, HeldPoints>;
  described: number; // chosen points at most that are described and compared
  named: number; // points at most of which all have names
}

type Ends = NonNullable<Bars["whiskers"][number]>;

const UNITS: Point = [800, 600]; // as in points.py, whose charts these are
const [LETTER, LINE, DOT, WHISKER] = [21, 38, 20, 8];
const SUMMARY = "semantic";

export const studyScene: PageScene<StudyData> = {
  hints: { free: "A click chooses a point; a rectangle around points, or Shift and a click, several.",
    pinned: "" },
  next: (state, event, data) => {
    const own = pointsOf(data, state.values);
    const set = (values: PageState["values"]) => ({ ...state, values: { ...state.values, ...values } });
    if ("control" in event) return set(controlled(data, state.values, event));
    if ("parts" in event) return set({ chosen: event.parts.map((part) => own.names[part]) });
    return "patch" in event ? set({ chosen: [own.names[event.patch]] }) : state;
  },
  scene: (data, first, { values }) => {
    const own = pointsOf(data, values);
    const described = values.chosen.slice(0, data.described);
    const more = values.chosen.length - described.length;
    const [base] = described;
    const lines = described.map((name: string) => (own.lines[base] ?? own.lines[own.names[0]])[name]);
    const { title, rows } = own.probes[values.probe];
    const shown = rows.filter(([name]) => described.includes(name));
    const [plane, bars] = first.panels;
    return { ...first,
      panels: [
        { ...plane, title: `All ${values.points}`, grid: [1, own.names.length],
          chart: planeOf(own, values.chosen, own.names.length <= data.named ? own.names : described) },
        { ...bars, title: `Chosen ${values.points}: ${values.probe}`, chart: valuesOf(own, shown, title) },
      ],
      text: [own.head, ...lines, ...(more > 0 ? [`${more} more are chosen.`] : [])].join("\n"),
      controls: withValues(first.controls, values).map((control) => (
        control.name === "probe" ? { ...control, options: Object.keys(own.probes) } : control)) };
  },
};

function pointsOf({ states }: StudyData, { study, points }: PageState["values"]): HeldPoints {
  return states[`${study} ${points}`];
}

// Other points begin with all that fit, and keep the probe if they have it.
function controlled(
  data: StudyData, values: PageState["values"], { control, value }: Extract<PanelEvent, { control: string }>,
): PageState["values"] {
  const next = { ...values, [control]: value };
  if (control === "probe" || value === values[control]) return next;
  const { chosen, probes } = pointsOf(data, next);
  return { ...next, chosen, probe: next.probe in probes ? next.probe : SUMMARY };
}

export function planeOf({ names, plane }: Pick<HeldPoints, "names" | "plane">, chosen: string[], named: string[]): Bars {
  const numbers = named.map((name) => names.indexOf(name));
  const points = plane.x.map((x, i): Point => [x, plane.y[i]]);
  const whiskers = plane.whiskers.map((ends, i) => (numbers.includes(i) ? ends : null));
  return { ...plane, chosen: chosen.map((name) => names.indexOf(name)),
    places: numbers.length === names.length ? plane.places : besides(points, plane.names, numbers, whiskers),
    whiskers };
}

function valuesOf({ names, plane }: HeldPoints, rows: Row[], title: string): Bars {
  const numbers = rows.map(([name]) => names.indexOf(name));
  const of = <T>(all: T[]) => numbers.map((i) => all[i]);
  const { values, ticks, ends } = axisOf(rows);
  const x = rows.map((_, i) => (i + 0.5) / rows.length);
  const points = x.map((at, i): Point => [at, values[i]]);
  const whiskers = ends.map(([low, high], i): Ends => [x[i], x[i], low, high]);
  return { ...plane, x, y: values, names: of(plane.names), colours: of(plane.colours),
    symbols: of(plane.symbols), x_title: "", y_title: title, x_ticks: [], y_ticks: ticks, chosen: [],
    places: besides(points, of(plane.names), [...x.keys()], whiskers), joined: false, whiskers };
}

// Beyond the values and their whiskers, if these are not too long.
function axisOf(rows: Row[]) {
  const all = rows.map(([, value]) => value);
  const ends = rows.map(([, value, low, high]): Point => [low ?? value, high ?? value]);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const span = high - low || 0.1;
  const [least, most] = [Math.min(...ends.map(([end]) => end)), Math.max(...ends.map(([, end]) => end))];
  const bottom = Math.max(low - span, Math.min(low - 0.15 * span, least - 0.05 * span));
  const top = Math.min(high + span, Math.max(high + 0.15 * span, most + 0.05 * span));
  const share = (value: number) => Math.min(1, Math.max(0, (value - bottom) / (top - bottom)));
  return { values: all.map(share), ticks: ticksOf(bottom, top),
    ends: ends.map(([start, end]): Point => [share(start), share(end)]) };
}

export function ticksOf(low: number, high: number, gaps = 6): [number, string][] { // round numbers
  const power = 10 ** Math.floor(Math.log10((high - low) / 2));
  const step = [0.5, 1, 2, 5].map((times) => times * power).find((each) => (high - low) / each <= gaps) ?? power;
  const [first, last] = [Math.ceil(low / step), Math.floor(high / step)];
  return [...Array(Math.max(0, last - first + 1)).keys()].map((i) => {
    const mark = (first + i) * step;
    const words = Number(mark.toPrecision(10)).toLocaleString("en", { maximumSignificantDigits: 10 });
    return [(mark - low) / (high - low), words];
  });
}

// Middles of the names of the points with these numbers; null for the others.
function besides(
  points: Point[], names: string[], numbers: number[], whiskers: (Ends | null)[],
): (Point | null)[] {
  const down = points.map(downOf);
  const sizes = numbers.map((i): Point => [LETTER * names[i].length + 8, LINE]);
  const dots = down.map(([x, y]): Rect => [x - DOT, y - DOT, x + DOT, y + DOT]);
  const lines = whiskers.flatMap((ends, i) => (ends ? linesOf(points[i], ends) : []));
  const offsets = placeLabels(numbers.map((i) => down[i]), sizes, dots, [0, 0, ...UNITS], lines);
  const places: (Point | null)[] = points.map(() => null);
  numbers.forEach((number, i) => {
    const [x, y] = points[number];
    places[number] = [x + offsets[i][0] / UNITS[0], y - offsets[i][1] / UNITS[1]];
  });
  return places;
}

function downOf([x, y]: Point): Point { // a place of the drawing area
  return [x * UNITS[0], (1 - y) * UNITS[1]];
}

function linesOf([x, y]: Point, [left, right, low, high]: Ends): Rect[] { // boxes of both whiskers
  const boxOf = (from: Point, to: Point): Rect => {
    const [[a, b], [c, d]] = [downOf(from), downOf(to)];
    return [a - WHISKER, b - WHISKER, c + WHISKER, d + WHISKER];
  };
  return [boxOf([left, y], [right, y]), boxOf([x, high], [x, low])];
}
