// Controls: the sliders and choices of a scene.

import { add } from "./elements";
import type { Control, Send, Value } from "./scene";
import { setAll } from "./shapes";

type Input = HTMLInputElement | HTMLSelectElement;

export function showControls(
  bar: HTMLElement, controls: Control[], send: Send, isAhead: (name: string) => boolean,
): void {
  for (const label of bar.children) (label as HTMLElement).hidden = true; // a control that this scene lacks
  controls.forEach((control, i) => {
    const input = bar.querySelector<Input>(`[name="${control.name}"]`) ?? makeControl(bar, control, send);
    const label = input.parentElement as HTMLElement;
    const steps = control.slider ? control.options : [];
    const [low, high] = steps.length ? [0, steps.length - 1] : [control.low, control.high];
    if (input instanceof HTMLSelectElement) offer(input, control.options);
    else {
      setAll(input, { min: low, max: high });
      input.dataset.steps = JSON.stringify(steps);
      const words = control.words?.[steps.indexOf(String(control.value))] ?? control.shown ?? control.value;
      (label.querySelector("output") as HTMLElement).textContent = String(words);
      setAll(input, { "aria-valuetext": words }); // else its number among the steps is read out
    }
    label.style.order = String(i);
    label.hidden = false;
    input.hidden = input instanceof HTMLInputElement && low === high; // nothing to choose, but to tell
    const value = String(steps.length ? steps.indexOf(String(control.value)) : control.value);
    if (value !== input.value && !isAhead(control.name)) input.value = value;
  });
}

function makeControl(
  bar: HTMLElement, { name, label: words, options, slider }: Control, send: Send,
): Input {
  const label = add(bar, "label");
  add(label, "span", {}, words);
  const choice = options.length > 0 && !slider;
  const input = choice ? add(label, "select", { name })
    : add(label, "input", { name, type: "range", step: 1 });
  input.addEventListener("input", () => (
    send({ control: name, value: choice ? input.value : valueOf(input as HTMLInputElement) })));
  add(label, "output");
  return input;
}

function valueOf({ value, dataset }: HTMLInputElement): Value { // of a slider
  const steps: string[] = JSON.parse(dataset.steps ?? "[]");
  return steps.length ? steps[Number(value)] : Number(value);
}

function offer(input: HTMLSelectElement, options: string[]): void {
  const known = [...input.options].map((option) => option.value).join();
  if (known === options.join()) return;
  input.replaceChildren();
  for (const option of options) add(input, "option", { value: option }, option);
}
