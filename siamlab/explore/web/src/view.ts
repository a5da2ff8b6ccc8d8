// View: the scene of photographs under several models, from the features that the page was given.
// A state names photographs, what is shown, and a place: (side, y, x), fractions of a photograph.

import { centreOf } from "./compute";
import { patchAt } from "./input";
import { lassoOf } from "./lasso";
import { PLACES } from "./map";
import { matchesAddress } from "./matches";
import { planeAddress, planeEvent, POINTS } from "./plane";
import { attentionPanels, componentPanels, HUES, segmentPanels, similarityPanels } from "./scenes";
import { atStep, mapAddress, stepOf, stepSlider, stepsOf, stepText } from "./steps";
import { MISTAKES } from "./verdicts";

const SHOWS = ["similarity", "components", "segments", "attention"];
export const SIDES = ["a", "b"];
const NONE = "nothing";
export const MEAN = "mean";
const PATCH = "selected patch";
export const START = "class token";
export const ROLLOUT = "class token, by rollout";

const FROM = [PATCH, START, ROLLOUT];
export const COSINES = ["as it is", "less the mean patch"];
export const SIDES_OF_FIRST = ["foreground", "the other side", "all"]; // of the first component
export const START_STATE = {
  show: "similarity", beside: "", layer: 0, side: "a", y: 0.5, x: 0.5, pinned: false, least: 60,
  opacity: 100, cosine: COSINES[0], patches: SIDES_OF_FIRST[0], k: 4, head: MEAN, from: PATCH, heads: "",
  image: -1, places: "components", only: "", lasso: "", study: "", points: "", probe: "", runs: "",
};

export function showsOf(about) {
  const readable = about.models.some((model) => model.heads);
  const shows = SHOWS.filter((show) => show !== "attention" || readable);
  const pairs = about.pairs && about.models.length > 1;
  const planes = about.studies?.length ? ["plane"] : [];
  if (about.models.length === 0) return planes;
  return [...shows, ...(pairs ? ["matches"] : []), ...(about.map ? ["map"] : []), ...planes];
}

export function choicesOf(about) { // all values of what is chosen among names
  const ids = about.photos.map((photo) => photo.id);
  const heads = [...Array(Math.max(0, ...about.models.map((model) => model.heads))).keys()];
  const names = about.models.map((model) => model.name);
  return { first: names, second: names, places: Object.keys(PLACES), only: ["", MISTAKES], show: showsOf(about), study: about.studies, points: POINTS, photo: ids, beside: ["", ...ids], cosine: COSINES, patches: SIDES_OF_FIRST,
    from: FROM, head: [MEAN, ...heads.map((i) => String(i + 1))],
    heads: ["", ...names] };
}

export function photosOf(state) {
  return state.beside && state.show !== "attention" ? [state.photo, state.beside] : [
    state.show === "attention" && state.side === "b" && state.beside ? state.beside : state.photo];
}

function layerOf(model, state, deepest) { // as deep in each model, from its first layer to its last
  return Math.max(1, Math.ceil(state.layer * model.layers / deepest));
}

// What has to be fetched before a state can be shown: addresses below that of the page.
export function needed(about, state) {
  if (state.show === "map") return neededByMap(about, state);
  if (state.show === "matches") return [matchesAddress(about, state)];
  if (state.show === "plane") return [planeAddress(state)];
  if (state.show === "attention" && state.from === ROLLOUT) return rolloutsOf(about, state);
  const deepest = Math.max(...about.models.map((model) => model.layers));
  const steps = stepsOf(about);
  return about.models.flatMap((model, i) => photosOf(state).flatMap((photo) => {
    const layer = layerOf(model, state, deepest);
    const kind = state.show === "attention" ? "attention" : "features";
    if (kind === "attention" && !model.heads) return [];
    return atStep(`${kind}/${i}/${photo}/${layer}`, stepOf(model, state, steps));
  }));
}

function neededByMap(about, state) {
  const lasso = lassoOf(state.lasso);
  const further = about.map.k ? ["/votes"] : [];
  if ([state.places, lasso?.places].includes("tsne")) further.push("/tsne");
  return about.models.flatMap((_, i) => ["", ...further].map((part) => mapAddress(about, state, i, part)));
}

function rolloutsOf(about, state) {
  return about.models.flatMap((model, i) => (
    model.heads
      ? [atStep(`rollout/${i}/${photosOf(state)[0]}`, stepOf(model, state, stepsOf(about)))] : []));
}

export function viewEvent(about, state, event) { // the next state
  if (state.show === "plane") return planeEvent(state, event);
  if ("control" in event) return withControl(about, state, event.control, event.value);
  if (event.panel.startsWith("head ")) return { ...state, head: event.panel.slice(5) };
  const patch = event.hover ?? event.patch;
  if (patch === null || patch === undefined) return state.pinned ? state : { ...state, over: false };
  if ("hover" in event && state.pinned) return state;
  const model = about.models.find((each) => event.panel === each.name);
  const count = photosOf(state).length;
  const [rows, columns] = model.grid;
  const [row, column] = [Math.floor(patch / (columns * count)), patch % (columns * count)];
  const place = { y: (row + 0.5) / rows, x: (column % columns + 0.5) / columns,
    side: count === 2 ? SIDES[Math.floor(column / columns)] : state.side };
  if ("hover" in event) return { ...state, ...place, over: true };
  const again = ["side", "y", "x"].every((key) => state[key] === place[key]);
  return { ...state, ...place, over: true, pinned: event.keyed || !(state.pinned && again) };
}

function withControl(about, state, name, value) {
  if (name === "beside") {
    const photo = about.photos.find((each) => each.label === value);
    return { ...state, beside: photo ? photo.id : "", side: "a" };
  }
  return { ...state, [name]: value, ...(name === "heads" ? { head: MEAN } : {}) };
}

export function controlsOf(about, state) {
  const slider = (name, label, low, high, shown) => (
    { name, label, value: state[name], low, high, options: [], shown });
  const choice = (name, label, options, value = state[name]) => (
    { name, label, value, low: 0, high: 0, options });
  const layers = Math.max(...about.models.map((model) => model.layers));
  const pair = about.photos.find((photo) => photo.id === state.beside);
  const others = about.photos.filter((photo) => photo.id !== state.photo || photo === pair);
  const beside = choice("beside", "beside it", [NONE, ...others.map((photo) => photo.label)],
    pair ? pair.label : NONE);
  const own = {
    similarity: [choice("cosine", "cosine", COSINES), ...(pair ? [
      slider("least", "mutual matches from", 0, 100, (state.least / 100).toFixed(2))] : [])],
    components: [choice("patches", "patches", SIDES_OF_FIRST)],
    segments: [slider("k", "segments", 2, HUES.length)],
    attention: attentionControls(about, state, choice),
  }[state.show];
  const steps = stepsOf(about);
  const step = steps.length ? [slider(...stepSlider(state, steps))] : [];
  const opacity = slider("opacity", "colour", 0, 100, `${state.opacity} %`);
  const layer = state.show === "attention" && state.from === ROLLOUT ? [] // of all layers
    : [slider("layer", "layer", 1, layers)];
  return [beside, ...layer, ...step, ...own, opacity];
}

function attentionControls(about, state, choice) {
  const readable = about.models.filter((model) => model.heads);
  const model = readable.find((each) => each.name === state.heads) || readable[0];
  if (!model) return [];
  const heads = [MEAN, ...[...Array(model.heads).keys()].map((i) => String(i + 1))];
  const head = heads.includes(state.head) ? state.head : MEAN;
  const from = choice("from", "attention of the", FROM);
  if (state.from === ROLLOUT) return [from];
  return [from, choice("head", "head", heads, head),
    choice("heads", "heads below", readable.map((each) => each.name), model.name)];
}

export function patchOf([rows, columns], { y, x }) {
  return patchAt([rows, columns], x, y);
}

export function placeOf(grid, patch, side, count) { // (y, x) in the picture of `count` photographs
  const [y, x] = centreOf(grid, patch);
  return [y, (x + SIDES.indexOf(side)) / count];
}

export function besides(parts, [rows, columns], each = 1) { // rows of patches of photographs side by side
  if (parts.length === 1) return parts[0];
  const made = new parts[0].constructor(parts[0].length * 2);
  for (let row = 0; row < rows; row++) {
    parts.forEach((part, i) => made.set(part.subarray(row * columns * each, (row + 1) * columns * each),
      (2 * row + i) * columns * each));
  }
  return made;
}

// `got(kind, address, make)`: a derived result, made once from what was fetched.
export function viewScene(about, state, got) {
  if (state.show === "plane") return got("scene", planeAddress(state), ({ scene }) => scene);
  const deepest = Math.max(...about.models.map((model) => model.layers));
  const photos = photosOf(state);
  const steps = stepsOf(about);
  const models = about.models.map((model, i) => ({ ...model, i, layer: layerOf(model, state, deepest),
    step: stepOf(model, state, steps) }));
  const shown = { similarity: similarityPanels, components: componentPanels,
    segments: segmentPanels, attention: attentionPanels }[state.show];
  const base = { photos, image: photos.join("+"), count: photos.length };
  const { panels, columns, text, scales = {}, legend = [] } = shown(models, state, got, base);
  const depths = new Set(models.map((model) => model.layers)).size > 1;
  for (const panel of panels) {
    const model = models.find((each) => each.name === panel.id);
    if (model && depths) panel.title += `, layer ${model.layer} of ${model.layers}`;
    if (model) panel.title += stepText(model, model.step);
  }
  return { panels, columns, text, scales, legend, controls: controlsOf(about, state), jumps: [],
    jumps_title: "", stops: about.stops, symbols: {}, linked: true };
}
