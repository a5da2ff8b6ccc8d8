// Path: the scene of a page that walks from one method to another: of all models' panels those of a
// step, and the plane on which the step is chosen.

import {
  answerOfPair, HEADS_OF, modelsScene, textOfPair, withValues,
  type ModelsData, type PageScene, type PageState, type PairData,
} from "./compute";
import type { Panel, Scene } from "./scene";

const PANELS = 3; // of each step: attention, similarity and match

interface PathData { // as path.py holds it
  models: ModelsData; // by the names of the steps
  whole: Scene; // of all models
  names: string[];
  steps: string[]; // what is told of each
  text: Record<string, PairData["text"]>;
}

export const pathScene: PageScene<PathData> = {
  next: (state, event, { models }) => {
    if ("control" in event || event.panel !== "path") return modelsScene.next(state, event, models);
    if (!("patch" in event)) return state; // of several points, or of a pointer over them
    return { ...state, values: { ...state.values, step: event.patch + 1 } };
  },
  scene: (data, first, state, images) => {
    const i = state.values.step - 1;
    const values = { ...state.values, [HEADS_OF]: data.names[i] };
    const whole = modelsScene.scene(data.models, data.whole, { ...state, values }, images);
    const { panels } = first;
    const head = whole.controls.filter(({ name }) => name === "head"); // of as many heads as this step has
    const controls = first.controls.map((control) => head.find(({ name }) => name === control.name) ?? control);
    return { ...whole, columns: first.columns, legend: first.legend,
      panels: [...whole.panels.slice(PANELS * i, PANELS * (i + 1)), chosen(panels[panels.length - 1], i)],
      text: `${data.steps[i]}\n${matchText(data, data.names[i], state)}`,
      controls: withValues(controls, state.values) };
  },
};

function chosen(plane: Panel, step: number): Panel {
  return { ...plane, chart: plane.chart && { ...plane.chart, chosen: [step] } };
}

function matchText({ models, text }: PathData, name: string, { values, selected: [, patch] }: PageState) {
  const { grid } = models;
  const answer = answerOfPair({ grid, pairs: models.models[name].pairs }, values, "a", patch);
  return textOfPair(text[name], grid, answer, "a", patch);
}
