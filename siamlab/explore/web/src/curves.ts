// Curves: charts of what runs logged, step by step, as plane/charts.py makes them.

import type { Bars, Lines, Panel, Scene } from "./scene";
import { ticksOf } from "./study";

interface Kind { // one chart
  title: string;
  axis: string;
  always: boolean; // also where no run logged it
  runs: Record<string, [step: number[], value: number[]]>;
}

export interface HeldCurves {
  logged: string[]; // runs with metrics
  kinds: Kind[];
}

interface Runs {
  curves: HeldCurves | null;
  names: string[];
  plane: Bars; // in whose order and style they are
}

const FEW = 3; // names that are listed one by one

// Of the models that are shown; none where no model has a folder.
export function curvePanels({ curves, names, plane }: Runs, first: Scene, shown: string[]): Panel[] {
  if (!curves) return [];
  const without = listed(shown.filter((name) => !curves.logged.includes(name))
    .map((name) => plane.names[names.indexOf(name)]));
  const all = shown.every((name) => !curves.logged.includes(name));
  const more = without.length && !all ? `; no metrics for ${without.join(", ")}` : "";
  const note = ["no metrics for", without.join(",\n")].join("\n").trim();
  const like = first.panels.find(({ chart }) => chart?.kind === "lines") as Panel;
  return curves.kinds.flatMap((kind) => {
    const runs = shown.filter((name) => name in kind.runs);
    if (runs.length === 0 && !kind.always) return [];
    return [{ ...like, id: kind.title.split(",")[0].toLowerCase(), title: kind.title + more,
      chart: curveChart(like.chart as Lines, kind, runs, { names, plane }, note) }];
  });
}

function curveChart(
  like: Lines, { axis, runs }: Kind, shown: string[], { names, plane }: Omit<Runs, "curves">, note: string,
): Lines {
  const steps = shown.flatMap((name) => runs[name][0]);
  const values = shown.flatMap((name) => runs[name][1]);
  const [low, high, last] = [Math.min(0, ...values), Math.max(1, ...values), Math.max(1, ...steps)];
  const of = <T>(all: T[]) => shown.map((name) => all[names.indexOf(name)]);
  return { ...like, y_title: axis, note: shown.length ? "" : note,
    x: shown.map((name) => runs[name][0].map((step) => step / last)),
    y: shown.map((name) => runs[name][1].map((value) => (value - low) / (high - low))),
    names: of(plane.names), colours: of(plane.colours), symbols: of(plane.symbols),
    x_ticks: shown.length ? ticksOf(0, last, 4) : [], y_ticks: shown.length ? ticksOf(low, high) : [] };
}

function listed(names: string[]): string[] { // the first few, the last one with the number of the others
  const few = names.slice(0, FEW);
  const more = names.length - FEW;
  return more > 0 ? [...few.slice(0, -1), `${few[FEW - 1]} and ${more} more`] : few;
}
