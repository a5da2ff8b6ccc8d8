// Slider: the training step in the bar of a section.

import { add } from "./elements";
import type { About, Apply, State } from "./facts";
import { shownStep, stepsOf } from "./steps";

export function makeStepSlider(bar: Element, about: About, set: Apply): (state: State) => void {
  const steps = stepsOf(about);
  if (!steps.length) return () => {};
  const label = add(bar, "label", {}, "training step ");
  const input = add(label, "input", { type: "range", name: "step", min: 0, max: steps.length - 1 });
  const output = add(label, "output");
  input.addEventListener("input", () => set({ step: Number(input.value) }));
  return (state) => { // brings it to a state
    input.value = String(state.step);
    output.textContent = ` ${shownStep(state, steps)}`;
  };
}
