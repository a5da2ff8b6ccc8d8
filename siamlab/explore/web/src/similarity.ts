// Similarity: which patches are like one, in both photographs, and which match each other.

import { COSINES } from "./choices";
import type { Got, Rows, Side, State } from "./facts";
import { numberText } from "./heat";
import { trueOf } from "./matches";
import { largest, mutual, products } from "./patches";
import { besides, centreOf, markAt, patchOf, placeOf, rowAndColumn, SIDES } from "./places";
import type { Grid, Link, Panel, Place } from "./scene";
import {
  addressesOf, columnsFor, featuresOf, panelOf, wideGrid,
  type Base, type FeatureWay, type ModelNow, type Part,
} from "./scenes";

const MOST_LINKS = 60;

interface Answer { // of one model
  panel: Panel;
  count: number; // mutual matches
  cosine: number | null; // of the match; null without a second photograph
  away: number | null; // patches from the match to the true place; null where that is not known
}

export function similarityPanels(models: ModelNow[], state: State, got: Got, base: Base): Part {
  const way: FeatureWay = state.cosine === COSINES[0] ? "unit" : "centred";
  const answers = models.map((model) => similarityOf(model, state, got, base, way));
  const title = way === "unit" ? "cosine" : "cosine, centred";
  const legend: Part["legend"] = [["query", "patch"]];
  if (base.count === 2) legend.push(["match", "most similar patch there"]);
  if (answers.some(({ away }) => away !== null)) legend.push(["true", "its true place"]);
  return { panels: answers.map((answer) => answer.panel), columns: columnsFor(models, base), legend,
    scales: { cosine: { title, low: -1, high: 1, bound: 1 } },
    text: similarityText(models, state, base, answers) };
}

function similarityOf(model: ModelNow, state: State, got: Got, base: Base, way: FeatureWay): Answer {
  const { grid } = model;
  const rows = featuresOf(model, base, got, way);
  const both = base.count === 2;
  const [here, there]: Side[] = state.side === "b" && both ? ["b", "a"] : ["a", "b"];
  const patch = patchOf(grid, state);
  const found = rows.map((other) => products(rows[SIDES.indexOf(here)], other, patch));
  const cosines = found[SIDES.indexOf(there)];
  const match = both ? largest(cosines) : null;
  const truth = both ? trueOf(base.about.photos, base.photos, here, centreOf(grid, patch)) : null;
  const marks = [markAt(placeOf(grid, patch, here, base.count), "query")];
  if (match !== null) marks.push(markAt(placeOf(grid, match, there, 2), "match"));
  if (truth) marks.push(markAt([truth[0], (truth[1] + SIDES.indexOf(there)) / 2], "true"));
  const links = both ? linksOf(model, state, got, base, way, rows) : [];
  const heat = { values: besides(found, grid), grid: wideGrid(grid, base), scale: "cosine" };
  const panel = panelOf(model, base, { heat, marks, links: links.slice(0, MOST_LINKS),
    hovers: !state.pinned, follows: true });
  return { panel, count: links.length, cosine: match === null ? null : cosines[match],
    away: match === null || !truth ? null : distance(grid, centreOf(grid, match), truth) };
}

function distance(grid: Grid, a: Place, b: Place): number { // in patches
  return Math.hypot((a[0] - b[0]) * grid[0], (a[1] - b[1]) * grid[1]);
}

function linksOf(
  model: ModelNow, state: State, got: Got, base: Base, way: FeatureWay, rows: Rows[],
): Link[] {
  const all = got(`mutual ${way}`, addressesOf(model, base), () => mutual(rows[0], rows[1]));
  const strong = all.filter(([, , cosine]) => cosine >= state.least / 100);
  return strong.map(([i, j]): Link => {
    const [y, x] = centreOf(model.grid, i);
    return [...placeOf(model.grid, i, "a", 2), ...placeOf(model.grid, j, "b", 2),
      `hsl(${Math.round(360 * x)} 90% ${Math.round(35 + 30 * y)}%)`];
  });
}

function similarityText(models: ModelNow[], state: State, base: Base, answers: Answer[]): string {
  const { row, column } = rowAndColumn(models[0].grid, patchOf(models[0].grid, state));
  const place = `row ${row}, column ${column}`;
  const pinned = `Pinned patch in ${place}: the pointer reads values in all models; a click ` +
    "elsewhere moves the pin, a click on it or Escape releases it.";
  const free = state.over ? `Patch in ${place}; a click pins it.`
    : "Move over a photograph: all models show what is similar to the patch under the pointer. " +
      "A click pins it.";
  const said = state.pinned ? pinned : free;
  if (base.count === 1) return said;
  const list = (value: (answer: Answer) => string) => (
    models.map(({ name }, i) => `${name} ${value(answers[i])}`).join(", "));
  const each = list(({ count }) => String(count));
  const best = list(({ cosine }) => numberText(cosine ?? NaN));
  const away = list((answer) => numberText(answer.away ?? NaN));
  const true_ = answers.every((answer) => answer.away !== null)
    ? ` Its distance from the true place in patches: ${away}.` : "";
  return `${said}\nCosine of the most similar patch there: ${best}.${true_} Mutual nearest neighbours with ` +
    `a cosine of ${(state.least / 100).toFixed(2)} or more: ${each}` +
    (answers.some((answer) => answer.count > MOST_LINKS) ? ` (${MOST_LINKS} are drawn).` : ".");
}
