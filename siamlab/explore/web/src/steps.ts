// Steps: the training steps after which runs kept their encoders, and the slider over them.

import { add } from "./panels";

export function stepsOf(about) { // of all models that kept encoders while they were trained
  const all = new Set(about.models.flatMap((model) => model.steps || []));
  return [...all].sort((a, b) => a - b);
}

export function stepOf(model, state, steps) { // the last one that was kept by then; null for the end
  if (!model.steps?.length) return null;
  const by = Math.max(...model.steps.filter((step) => step <= steps[state.step]), model.steps[0]);
  return by === model.steps.at(-1) ? null : by;
}

export function stepText(model, step) { // after the name of a model, if it has steps
  if (!model.steps?.length) return "";
  return `, step ${(step ?? model.steps.at(-1)).toLocaleString("en")}`;
}

export function atStep(address, step, name = "step") {
  if (step === null) return address;
  return `${address}${address.includes("?") ? "&" : "?"}${name}=${step}`;
}

export function mapAddress(about, state, i, part = "") {
  return atStep(`map/${i}${part}`, stepOf(about.models[i], state, stepsOf(about)));
}

export function stepSlider(state, steps) { // name, label, ends and what is shown
  return ["step", "training step", 0, steps.length - 1, steps[state.step].toLocaleString("en")];
}

// The slider in the bar of a section; returns what brings it to a state.
export function makeStepSlider(bar, about, set) {
  const steps = stepsOf(about);
  if (!steps.length) return () => {};
  const label = add(bar, "label", {}, "training step ");
  const input = add(label, "input", { type: "range", name: "step", min: 0, max: steps.length - 1 });
  const output = add(label, "output");
  input.addEventListener("input", () => set({ step: Number(input.value) }));
  return (state) => {
    input.value = state.step;
    output.textContent = ` ${stepSlider(state, steps).at(-1)}`;
  };
}
