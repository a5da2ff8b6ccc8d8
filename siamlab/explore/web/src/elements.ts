// Elements: how parts of a page are made.

import type { Attributes } from "./shapes";

export function add<Name extends keyof HTMLElementTagNameMap>(
  parent: Element, name: Name, attributes: Attributes = {}, content = "",
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (content) made.textContent = content;
  parent.appendChild(made);
  return made;
}

export function tell(element: Element, words: string): void { // the same words need no new layout
  if (element.textContent !== words) element.textContent = words;
}

export function penOf(canvas: HTMLCanvasElement, settings?: CanvasRenderingContext2DSettings) {
  return canvas.getContext("2d", settings) as CanvasRenderingContext2D; // null only for other kinds
}

export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
