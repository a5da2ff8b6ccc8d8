// Attention: what a patch or the class token of each model attends to, for the mean or one of its heads.

import { ROLLOUT, START } from "./choices";
import type { Got, State } from "./facts";
import { MEAN } from "./heads";
import { quantile } from "./patches";
import { centreOf, markAt, patchOf, rowAndColumn } from "./places";
import type { Panel, Values } from "./scene";
import { columnsFor, panelOf, type Base, type ModelNow, type Part } from "./scenes";
import { atStep } from "./steps";

type Numbers = Float32Array;

interface Maps { // of one model
  row: (head: number, from: number) => Numbers; // head 0: their mean; from 0: the class token
  start: number; // the largest value of the class token
  patch: number; // in the middle of the largest values of patches
}

export function attentionPanels(models: ModelNow[], state: State, got: Got, base: Base): Part {
  const readable = models.filter((model) => model.heads);
  if (state.from === ROLLOUT) return rolloutPanels(models, readable, got, base);
  const maps = readable.map((model) => attentionOf(model, base, got));
  const high = Math.max(...maps.map((map) => (state.from === START ? map.start : map.patch)), 1e-6);
  const panels = readable.map((model, i) => {
    const head = state.head !== MEAN && Number(state.head) <= model.heads ? Number(state.head) : 0;
    return panelOf(model, base, { heat: heatOf(model, state, maps[i], head), ...lookOf(model, state),
      span: readable.length > 2 ? 2 : 3 });
  });
  const below = Math.max(0, readable.findIndex((model) => model.name === state.heads));
  return { panels: [...panels, ...headPanels(readable[below], state, maps[below], base)], columns: 6,
    text: attentionText(models, readable, state), ...shares(high, true) };
}

function heatOf(model: ModelNow, state: State, map: Maps, head: number): Values {
  const from = state.from === START ? 0 : 1 + patchOf(model.grid, state);
  return { values: map.row(head, from), grid: model.grid, scale: "attention" };
}

function lookOf({ grid }: ModelNow, state: State): Partial<Panel> {
  if (state.from === START) return { still: true };
  const query = markAt(centreOf(grid, patchOf(grid, state)), "query");
  return { hovers: !state.pinned, follows: true, marks: [query] };
}

function headPanels(model: ModelNow | undefined, state: State, map: Maps, base: Base): Panel[] {
  return [...Array(model ? model.heads : 0).keys()].map((i) => `${i + 1}`).map((head) => (
    panelOf(model as ModelNow, base, { id: `head ${head}`, title: `Head ${head}`, grid: [1, 1],
      heat: heatOf(model as ModelNow, state, map, Number(head)), chosen: state.head === head })));
}

function shares(high: number, open: boolean): Pick<Part, "scales"> {
  return { scales: { attention: { title: "attention", low: 0, high, bound: high, open } } };
}

function rolloutPanels(models: ModelNow[], readable: ModelNow[], got: Got, base: Base): Part {
  const rows = readable.map((model) => (
    got("rollout", atStep(`rollout/${model.i}/${base.photos[0]}`, model.step), ({ data }) => data)));
  const panels = readable.map((model, i) => panelOf(model, base, { still: true,
    heat: { values: rows[i], grid: model.grid, scale: "attention" } }));
  const high = Math.max(1e-6, ...rows.map((row) => Math.max(...row)));
  return { panels, columns: columnsFor(readable, base), ...shares(high, false),
    text: `Share of each patch in what flows into ${startOf(readable)} through all layers, heads ` +
      `averaged (rollout).${unreadable(models, readable)}` };
}

function attentionOf(model: ModelNow, base: Base, got: Got): Maps {
  const address = atStep(`attention/${model.i}/${base.photos[0]}/${model.layer}`, model.step);
  return got("heads", address, ({ data }) => {
    const count = model.grid[0] * model.grid[1];
    const size = (count + 1) * count;
    const mean = new Float32Array(size);
    data.forEach((value, i) => { mean[i % size] += value / model.heads; });
    const row = (head: number, i: number) => (head ? data.subarray((head - 1) * size) : mean)
      .subarray(i * count, (i + 1) * count);
    const highs = [...Array(count).keys()].map((i) => Math.max(...row(0, i + 1)));
    return { row, start: Math.max(...row(0, 0)), patch: quantile(highs, 0.5) };
  });
}

function attentionText(models: ModelNow[], readable: ModelNow[], state: State): string {
  const { row, column } = rowAndColumn(models[0].grid, patchOf(models[0].grid, state));
  const what = state.from === START ? startOf(readable) : `the patch in row ${row}, column ${column}`;
  return `Where ${what} attends: ${state.head === MEAN ? "mean over heads" : `head ${state.head}`}. ` +
    `A click on a head below shows it above.${unreadable(models, readable)}`;
}

function startOf(readable: ModelNow[]): string {
  return readable.some((model) => model.start !== START)
    ? "the class token (of models without one, the mean patch)" : "the class token";
}

function unreadable(models: ModelNow[], readable: ModelNow[]): string {
  const none = models.filter((model) => !readable.includes(model)).map((model) => model.name);
  return none.length ? ` Attention of ${none.join(", ")} cannot be shown here.` : "";
}
