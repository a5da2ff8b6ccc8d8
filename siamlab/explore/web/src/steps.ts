// Steps: the training steps after which runs kept their encoders.

import type { About, ModelFacts, State } from "./facts";

type Kept = Pick<ModelFacts, "steps">;
type Models = { models: Kept[] };
type Now = Pick<State, "step">;

// Of all models that kept encoders while they were trained.
export function stepsOf(about: Models): number[] {
  const all = new Set(about.models.flatMap((model) => model.steps || []));
  return [...all].sort((a, b) => a - b);
}

// The last one that was kept by then; null for the end.
export function stepOf({ steps: own }: Kept, state: Now, steps: number[]): number | null {
  if (!own?.length) return null;
  const by = Math.max(...own.filter((step) => step <= steps[state.step]), own[0]);
  return by === own.at(-1) ? null : by;
}

// After the name of a model, if it has steps.
export function stepText({ steps }: Kept, step: number | null): string {
  if (!steps?.length) return "";
  return `, step ${(step ?? steps[steps.length - 1]).toLocaleString("en")}`;
}

export function atStep(address: string, step: number | null, name = "step"): string {
  if (step === null) return address;
  return `${address}${address.includes("?") ? "&" : "?"}${name}=${step}`;
}

export function mapAddress(about: About, state: State, i: number, part = ""): string {
  return atStep(`map/${i}${part}`, stepOf(about.models[i], state, stepsOf(about)));
}

export function shownStep(state: Now, steps: number[]): string {
  return steps[state.step].toLocaleString("en");
}
