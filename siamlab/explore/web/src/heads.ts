// Heads: the slider over the heads of a model.

import type { Control } from "./scene";

export const MEAN = "mean"; // over heads

// What a slider over heads has, the mean of all of them first.
export function overHeads(count: number): Required<Pick<Control, "options" | "slider" | "words">> {
  const numbers = [...Array(count).keys()].map((i) => String(i + 1));
  return { options: [MEAN, ...numbers], slider: true,
    words: [`mean of ${count} heads`, ...numbers.map((i) => `head ${i} of ${count}`)] };
}
