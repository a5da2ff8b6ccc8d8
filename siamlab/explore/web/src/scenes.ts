// Scenes: the panels of each way to look at photographs, one for each model.

import { centreOf, markAt, rowAndColumn } from "./compute";
import { numberText } from "./heat";
import { trueOf } from "./matches";
import { centred, foreground, joined, largest, mutual, painted, products, quantile, unit } from "./patches";
import { segments } from "./segments";
import { about } from "./shell";
import { atStep, stepsOf } from "./steps";
import { besides, COSINES, MEAN, patchOf, placeOf, ROLLOUT, SIDES, SIDES_OF_FIRST, START } from "./view";

const MOST_LINKS = 60;
export const HUES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#999999"];
const STRONG = 170; // of 255: opacity of a segment; photographs stay visible
const SOLID = 220; // of a patch in the colours of components

function panelOf(model, base, more) {
  const [rows, columns] = model.grid;
  return { id: model.name, title: model.name, image: base.image, grid: [rows, columns * base.count],
    marks: [], boxes: [], arrows: [], chosen: false, span: 1, still: false, several: false,
    chart: null, heat: null, ...more };
}

function columnsFor(models, base) {
  if (base.count === 2) return models.length === 1 ? 1 : 2;
  return Math.max(2, Math.min(4, models.length));
}

function addressesOf(model, base) {
  return base.photos.map((photo) => atStep(`features/${model.i}/${photo}/${model.layer}`, model.step));
}

function featuresOf(model, base, got, way) { // one entry for each photograph
  return addressesOf(model, base).map((address) => {
    if (way === "raw") return got("raw", address, (rows) => rows);
    return got(way, address, (rows) => unit(way === "unit" ? rows : centred(rows)));
  });
}

export function similarityPanels(models, state, got, base) {
  const way = state.cosine === COSINES[0] ? "unit" : "centred";
  const answers = models.map((model) => similarityOf(model, state, got, base, way));
  return { panels: answers.map((answer) => answer.panel), columns: columnsFor(models, base),
    scales: { cosine: { title: way === "unit" ? "cosine" : "cosine, centred", low: -1, high: 1, bound: 1 } },
    legend: [["query", "patch"], ...(base.count === 2 ? [["match", "most similar patch there"]] : []),
    ...(answers.some(({ away }) => away !== null) ? [["true", "its true place"]] : [])],
    text: similarityText(models, state, base, answers) };
}

function similarityOf(model, state, got, base, way) {
  const { grid } = model;
  const rows = featuresOf(model, base, got, way);
  const [here, there] = state.side === "b" && base.count === 2 ? [1, 0] : [0, 1];
  const patch = patchOf(grid, state);
  const found = rows.map((other) => products(rows[here], other, patch));
  const marks = [markAt(placeOf(grid, patch, SIDES[here], base.count), "query")];
  let match = null;
  let links = [];
  let truth = null;
  if (base.count === 2) {
    match = largest(found[there]);
    marks.push(markAt(placeOf(grid, match, SIDES[there], 2), "match"));
    truth = trueOf(base.photos, state, SIDES[here], centreOf(grid, patch));
    if (truth) marks.push(markAt([truth[0], (truth[1] + there) / 2], "true"));
    links = linksOf(model, state, got, base, way, rows);
  }
  const heat = { values: besides(found, grid), grid: [grid[0], grid[1] * base.count], scale: "cosine" };
  const panel = panelOf(model, base, { heat, marks, links: links.slice(0, MOST_LINKS),
    hovers: !state.pinned, follows: true });
  const away = truth && Math.hypot(...centreOf(grid, match).map((at, i) => (at - truth[i]) * grid[i]));
  return { panel, count: links.length, match: match === null ? null : found[there][match], away };
}

function linksOf(model, state, got, base, way, rows) {
  const all = got(`mutual ${way}`, addressesOf(model, base), () => mutual(rows[0], rows[1]));
  const strong = all.filter(([, , cosine]) => cosine >= state.least / 100);
  return strong.map(([i, j]) => {
    const [y, x] = centreOf(model.grid, i);
    return [...placeOf(model.grid, i, "a", 2), ...placeOf(model.grid, j, "b", 2),
      `hsl(${Math.round(360 * x)} 90% ${Math.round(35 + 30 * y)}%)`];
  });
}

function similarityText(models, state, base, answers) {
  const { row, column } = rowAndColumn(models[0].grid, patchOf(models[0].grid, state));
  const place = `row ${row}, column ${column}`;
  const pinned = `Pinned patch in ${place}: the pointer reads values in all models; a click ` +
    "elsewhere moves the pin, a click on it or Escape releases it.";
  const free = state.over ? `Patch in ${place}; a click pins it.`
    : "Move over a photograph: all models show what is similar to the patch under the pointer. " +
      "A click pins it.";
  const said = state.pinned ? pinned : free;
  if (base.count === 1) return said;
  const each = models.map(({ name }, i) => `${name} ${answers[i].count}`).join(", ");
  const best = models.map(({ name }, i) => `${name} ${numberText(answers[i].match)}`).join(", ");
  const away = models.map(({ name }, i) => `${name} ${numberText(answers[i].away ?? NaN)}`).join(", ");
  const true_ = answers.every((answer) => answer.away !== null)
    ? ` Its distance from the true place in patches: ${away}.` : "";
  return `${said}\nCosine of the most similar patch there: ${best}.${true_} Mutual nearest neighbours with ` +
    `a cosine of ${(state.least / 100).toFixed(2)} or more: ${each}` +
    (answers.some((answer) => answer.count > MOST_LINKS) ? ` (${MOST_LINKS} are drawn).` : ".");
}

export function componentPanels(models, state, got, base) {
  const panels = models.map((model) => {
    const colours = got(`components ${state.patches}`, addressesOf(model, base), () => {
      const rows = joined(featuresOf(model, base, got, "raw"));
      return painted(rows, keptPatches(rows, model.grid, state.patches));
    });
    const bytes = rgba(colours.map((colour) => colour && [...colour.map((v) => 255 * v), SOLID]));
    return panelOf(model, base, { heat: coloured(bytes, model, base), still: true });
  });
  const which = state.patches === SIDES_OF_FIRST[2] ? ""
    : " Patches on the other side of the first component are left out; they are often the background.";
  return { panels, columns: columnsFor(models, base),
    text: `The first three principal components of the patches${base.count === 2
      ? " of both photographs together" : ""}, as red, green and blue.${which} Colours cannot be ` +
      `compared between models${stepsOf(about).length ? " or steps" : ""}.` };
}

function keptPatches(rows, grid, which) {
  if (which === SIDES_OF_FIRST[2]) return new Array(rows.count).fill(true);
  const kept = foreground(rows, grid);
  return which === SIDES_OF_FIRST[0] ? kept : kept.map((value) => !value);
}

export function segmentPanels(models, state, got, base) {
  let first = null;
  const panels = models.map((model) => {
    const found = got(`segments ${state.k}`, addressesOf(model, base),
      () => segments(joined(featuresOf(model, base, got, "unit")), state.k));
    const numbers = first && first.length === found.length ? alike(found, first, state.k) : found;
    first = first || numbers;
    const bytes = rgba(numbers.map((k) => [...hue(HUES[k]), STRONG]));
    return panelOf(model, base, { heat: coloured(bytes, model, base), still: true });
  });
  return { panels, columns: columnsFor(models, base),
    text: `The patches${base.count === 2 ? " of both photographs together" : ""} in ${state.k} ` +
      "segments of similar features (k-means by cosine), separately in each model; segments that " +
      "overlap most with those of the first model have their colours." };
}

function alike(found, first, k) { // renumbered so that the largest overlaps have the same number
  const overlap = [];
  for (let a = 0; a < k; a++) {
    for (let b = 0; b < k; b++) {
      overlap.push([found.filter((value, i) => value === a && first[i] === b).length, a, b]);
    }
  }
  const names = new Array(k).fill(-1);
  for (const [, a, b] of overlap.sort((x, y) => y[0] - x[0])) {
    if (names[a] < 0 && !names.includes(b)) names[a] = b;
  }
  return found.map((value) => names[value]);
}

function hue(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

function rgba(colours) { // null is transparent
  const made = new Uint8ClampedArray(4 * colours.length);
  colours.forEach((colour, i) => { if (colour) made.set(colour, 4 * i); });
  return made;
}

function coloured(bytes, { grid }, base) {
  const each = bytes.length / base.count;
  const parts = base.photos.map((_, i) => bytes.subarray(i * each, (i + 1) * each));
  return { rgba: besides(parts, grid, 4), grid: [grid[0], grid[1] * base.count] };
}

export function attentionPanels(models, state, got, base) {
  const readable = models.filter((model) => model.heads);
  if (state.from === ROLLOUT) return rolloutPanels(models, readable, got, base);
  const from = (model) => (state.from === START ? 0 : 1 + patchOf(model.grid, state));
  const maps = readable.map((model) => attentionOf(model, base, got));
  const high = Math.max(...maps.map((map) => (state.from === START ? map.start : map.patch)), 1e-6);
  const heat = (model, map, head) => (
    { values: map.row(head, from(model)), grid: model.grid, scale: "attention" });
  const look = (model) => (state.from === START ? { still: true }
    : { hovers: !state.pinned, follows: true,
      marks: [markAt(centreOf(model.grid, patchOf(model.grid, state)), "query")] });
  const panels = readable.map((model, i) => {
    const head = state.head !== MEAN && Number(state.head) <= model.heads ? Number(state.head) : 0;
    return panelOf(model, base, { heat: heat(model, maps[i], head), ...look(model),
      span: readable.length > 2 ? 2 : 3 });
  });
  const below = Math.max(0, readable.findIndex((model) => model.name === state.heads));
  for (let head = 1; readable.length && head <= readable[below].heads; head++) {
    panels.push(panelOf(readable[below], base, { id: `head ${head}`, title: `head ${head}`,
      grid: [1, 1], heat: heat(readable[below], maps[below], head),
      chosen: state.head === String(head) }));
  }
  return { panels, columns: 6, text: attentionText(models, readable, state), ...shares(high, true) };
}

function shares(high, open) {
  return { scales: { attention: { title: "attention", low: 0, high, bound: high, open } } };
}

function rolloutPanels(models, readable, got, base) {
  const rows = readable.map((model) => (
    got("rollout", atStep(`rollout/${model.i}/${base.photos[0]}`, model.step), ({ data }) => data)));
  const panels = readable.map((model, i) => panelOf(model, base, { still: true,
    heat: { values: rows[i], grid: model.grid, scale: "attention" } }));
  const high = Math.max(1e-6, ...rows.map((row) => Math.max(...row)));
  return { panels, columns: columnsFor(readable, base), ...shares(high, false),
    text: `Share of each patch in what flows into ${startOf(readable)} through all layers, heads ` +
      `averaged (rollout).${unreadable(models, readable)}` };
}

function attentionOf(model, base, got) {
  const address = atStep(`attention/${model.i}/${base.photos[0]}/${model.layer}`, model.step);
  return got("heads", address, ({ data }) => {
    const count = model.grid[0] * model.grid[1];
    const size = (count + 1) * count;
    const mean = new Float32Array(size);
    data.forEach((value, i) => { mean[i % size] += value / model.heads; });
    const row = (head, i) => (head ? data.subarray((head - 1) * size) : mean)
      .subarray(i * count, (i + 1) * count);
    const highs = [...Array(count).keys()].map((i) => Math.max(...row(0, i + 1)));
    return { row, start: Math.max(...row(0, 0)), patch: quantile(highs, 0.5) };
  });
}

function attentionText(models, readable, state) {
  const { row, column } = rowAndColumn(models[0].grid, patchOf(models[0].grid, state));
  const what = state.from === START ? startOf(readable) : `the patch in row ${row}, column ${column}`;
  return `Where ${what} attends: ${state.head === MEAN ? "mean over heads" : `head ${state.head}`}. ` +
    `A click on a head below shows it above.${unreadable(models, readable)}`;
}

function startOf(readable) {
  return readable.some((model) => model.start !== START)
    ? "the class token (of models without one, the mean patch)" : "the class token";
}

function unreadable(models, readable) {
  const none = models.filter((model) => !readable.includes(model)).map((model) => model.name);
  return none.length ? ` Attention of ${none.join(", ")} cannot be shown here.` : "";
}
