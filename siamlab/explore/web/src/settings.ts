// Settings: the controls of a state, and the state after one of them.

import { COSINES, FROM, ROLLOUT, SIDES_OF_FIRST } from "./choices";
import type { About, State, Way } from "./facts";
import { MEAN, overHeads } from "./heads";
import type { Control, Value } from "./scene";
import { shownStep, stepsOf } from "./steps";
import { HUES } from "./symbols";

const NONE = "nothing";

export function withControl(about: About, state: State, name: string, value: Value): State {
  if (name === "beside") {
    const photo = about.photos.find((each) => each.label === value);
    return { ...state, beside: photo ? photo.id : "", side: "a" };
  }
  return { ...state, [name]: value, ...(name === "heads" ? { head: MEAN } : {}) };
}

export function controlsOf(about: About, state: State): Control[] {
  const layers = Math.max(...about.models.map((model) => model.layers));
  const steps = stepsOf(about);
  const step = steps.length
    ? [slider("step", "training step", state.step, [0, steps.length - 1], shownStep(state, steps))] : [];
  const opacity = slider("opacity", "colour", state.opacity, [0, 100], `${state.opacity} %`);
  const layer = state.show === "attention" && state.from === ROLLOUT ? [] // of all layers
    : [slider("layer", "layer", state.layer, [1, layers])];
  return [besideControl(about, state), ...layer, ...step, ...ownControls(about, state), opacity];
}

function slider(
  name: keyof State, label: string, value: number, [low, high]: [number, number], shown?: string,
): Control {
  return { name, label, value, low, high, options: [], shown };
}

export function choice(name: keyof State, label: string, options: string[], value: string): Control {
  return { name, label, value, low: 0, high: 0, options };
}

function besideControl(about: About, state: State): Control {
  const pair = about.photos.find((photo) => photo.id === state.beside);
  const others = about.photos.filter((photo) => photo.id !== state.photo || photo === pair);
  const labels = others.map((photo) => photo.label ?? photo.name);
  return choice("beside", "beside it", [NONE, ...labels], pair ? pair.label ?? pair.name : NONE);
}

function ownControls(about: About, state: State): Control[] { // of what is shown
  const { show, cosine, patches, least, k } = state;
  const way: Record<Way, () => Control[]> = {
    similarity: () => [choice("cosine", "cosine", COSINES, cosine),
      ...(about.photos.some((photo) => photo.id === state.beside)
        ? [slider("least", "mutual matches from", least, [0, 100], (least / 100).toFixed(2))] : [])],
    components: () => [choice("patches", "patches", SIDES_OF_FIRST, patches)],
    segments: () => [slider("k", "segments", k, [2, HUES.length])],
    attention: () => attentionControls(about, state),
  };
  return way[show as Way]();
}

function attentionControls(about: About, state: State): Control[] {
  const readable = about.models.filter((model) => model.heads);
  const model = readable.find((each) => each.name === state.heads) || readable[0];
  if (!model) return [];
  const from = choice("from", "attention of the", FROM, state.from);
  if (state.from === ROLLOUT) return [from];
  const heads = overHeads(model.heads);
  const head = heads.options.includes(state.head) ? state.head : MEAN;
  return [from, { ...choice("head", "attention", heads.options, head), ...heads },
    choice("heads", "heads below", readable.map((each) => each.name), model.name)];
}
