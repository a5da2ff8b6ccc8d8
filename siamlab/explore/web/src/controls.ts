// Controls: the sliders and choices of a scene.

import { add } from "./elements";
import type { Control, Send } from "./scene";
import { setAll } from "./shapes";

type Input = HTMLInputElement | HTMLSelectElement;

export function showControls(
  bar: HTMLElement, controls: Control[], send: Send, isAhead: (name: string) => boolean,
): void {
  for (const label of bar.children) (label as HTMLElement).hidden = true; // a control that this scene lacks
  controls.forEach((control, i) => {
    const input = bar.querySelector<Input>(`[name="${control.name}"]`) ?? makeControl(bar, control, send);
    const label = input.parentElement as HTMLElement;
    if (input instanceof HTMLSelectElement) offer(input, control.options);
    else {
      setAll(input, { min: control.low, max: control.high });
      (label.querySelector("output") as HTMLElement).textContent = String(control.shown ?? control.value);
    }
    label.style.order = String(i);
    label.hidden = control.options.length === 0 && control.low === control.high; // nothing to choose
    const value = String(control.value);
    if (value !== input.value && !isAhead(control.name)) input.value = value;
  });
}

function makeControl(bar: HTMLElement, { name, label: words, options }: Control, send: Send): Input {
  const label = add(bar, "label");
  add(label, "span", {}, words);
  const choice = options.length > 0;
  const input = choice ? add(label, "select", { name })
    : add(label, "input", { name, type: "range", step: 1 });
  input.addEventListener("input", () => (
    send({ control: name, value: choice ? input.value : Number(input.value) })));
  add(label, "output");
  return input;
}

function offer(input: HTMLSelectElement, options: string[]): void {
  const known = [...input.options].map((option) => option.value).join();
  if (known === options.join()) return;
  input.replaceChildren();
  for (const option of options) add(input, "option", { value: option }, option);
}
