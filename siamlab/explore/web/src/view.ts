// View: the scene of photographs under several models, from the features that the page was given.
// A state names photographs, what is shown, and a place: (side, y, x), fractions of a photograph.

import { attentionPanels } from "./attention";
import { ROLLOUT } from "./choices";
import { componentPanels, segmentPanels } from "./colourings";
import type { About, Drawn, Got, ModelFacts, State, Way } from "./facts";
import { lassoOf } from "./lasso";
import { matchesAddress } from "./matches";
import { SIDES } from "./places";
import { planeAddress, planeEvent } from "./plane";
import type { PanelEvent, Scene } from "./scene";
import type { Base, ModelNow, Part } from "./scenes";
import { controlsOf, withControl } from "./settings";
import { similarityPanels } from "./similarity";
import { atStep, mapAddress, stepOf, stepsOf, stepText } from "./steps";

const PANELS: Record<Way, (models: ModelNow[], state: State, got: Got, base: Base) => Part> = {
  similarity: similarityPanels, components: componentPanels, segments: segmentPanels,
  attention: attentionPanels,
};

export function photosOf(state: State): string[] {
  return state.beside && state.show !== "attention" ? [state.photo, state.beside] : [
    state.show === "attention" && state.side === "b" && state.beside ? state.beside : state.photo];
}

function modelsOf(about: About, state: State): ModelNow[] {
  const deepest = Math.max(...about.models.map((model) => model.layers));
  const steps = stepsOf(about);
  return about.models.map((model, i) => ({
    ...model, i, layer: layerOf(model, state, deepest), step: stepOf(model, state, steps) }));
}

// As deep in each model, from its first layer to its last.
function layerOf(model: ModelFacts, state: State, deepest: number): number {
  return Math.max(1, Math.ceil(state.layer * model.layers / deepest));
}

// What has to be fetched before a state can be shown: addresses below that of the page.
export function needed(about: About, state: State): string[] {
  if (state.show === "map") return neededByMap(about, state);
  if (state.show === "matches") return [matchesAddress(about, state)];
  if (state.show === "plane") return [planeAddress(state)];
  const models = modelsOf(about, state);
  const photos = photosOf(state);
  if (state.show !== "attention") {
    return models.flatMap(({ i, layer, step }) => (
      photos.map((photo) => atStep(`features/${i}/${photo}/${layer}`, step))));
  }
  const readable = models.filter((model) => model.heads);
  return readable.map(({ i, layer, step }) => atStep(
    state.from === ROLLOUT ? `rollout/${i}/${photos[0]}` : `attention/${i}/${photos[0]}/${layer}`, step));
}

function neededByMap(about: About, state: State): string[] {
  const lasso = lassoOf(state.lasso);
  const further = about.map?.k ? ["/votes"] : [];
  const layouts = new Set([state.places, lasso?.places ?? state.places]);
  further.push(...[...layouts].filter((each) => each !== "components").map((each) => `/${each}`));
  return about.models.flatMap((_, i) => ["", ...further].map((part) => mapAddress(about, state, i, part)));
}

export function viewEvent(about: About, state: State, event: PanelEvent): State { // the next one
  if (state.show === "plane") return planeEvent(state, event);
  if ("control" in event) return withControl(about, state, event.control, event.value);
  if (event.panel.startsWith("head ")) return { ...state, head: event.panel.slice(5) };
  const patch = "hover" in event ? event.hover : "patch" in event ? event.patch : null;
  if (patch === null) return state.pinned ? state : { ...state, over: false };
  if ("hover" in event && state.pinned) return state;
  const model = about.models.find((each) => event.panel === each.name);
  if (!model) return state;
  const count = photosOf(state).length;
  const [rows, columns] = model.grid;
  const [row, column] = [Math.floor(patch / (columns * count)), patch % (columns * count)];
  const place = { y: (row + 0.5) / rows, x: (column % columns + 0.5) / columns,
    side: count === 2 ? SIDES[Math.floor(column / columns)] : state.side };
  if ("hover" in event) return { ...state, ...place, over: true };
  const again = state.side === place.side && state.y === place.y && state.x === place.x;
  const keyed = "keyed" in event && event.keyed === true;
  return { ...state, ...place, over: true, pinned: keyed || !(state.pinned && again) };
}

export function viewScene(about: About, state: State, got: Got): Scene {
  if (state.show === "plane") return got("scene", planeAddress(state), ({ scene }: Drawn) => scene);
  const photos = photosOf(state);
  const models = modelsOf(about, state);
  const base = { about, photos, image: photos.join("+"), count: photos.length };
  const panelsOf = PANELS[state.show as Way];
  const { panels, columns, text, scales = {}, legend = [] } = panelsOf(models, state, got, base);
  const depths = new Set(models.map((model) => model.layers)).size > 1;
  for (const panel of panels) {
    const model = models.find((each) => each.name === panel.id);
    if (model && depths) panel.title += `, layer ${model.layer} of ${model.layers}`;
    if (model) panel.title += stepText(model, model.step);
  }
  return { panels, columns, text, scales, legend, controls: controlsOf(about, state), jumps: [],
    jumps_title: "", stops: about.stops, symbols: {}, linked: true };
}
