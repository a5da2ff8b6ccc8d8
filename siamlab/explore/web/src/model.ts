// Model: in the place of anywidget's, on a page without Python.

import type { Counted, Model, Shown } from "./scene";

export function pageModel(first: Pick<Shown, "scene" | "images">, answer: (event: Counted) => void) {
  const shown: Shown = { ...first, event: null, answered: 0 };
  const listeners: Record<string, () => void> = {};
  const model: Model = {
    get: (name) => shown[name],
    set: (name, value) => { shown[name] = value; },
    on: (name, call) => { listeners[name] = call; },
    save_changes: () => answer(shown.event as Counted), // panels set it before
  };
  return { shown, model, tell: () => listeners["change:scene"]?.() };
}
