// Viewer: the rules of the page without a page, for Python: what can be set, and the scene of a link.

import { relabel, showsOf } from "./choices";
import type { About, State } from "./facts";
import { linkOf, restored } from "./link";
import { halves } from "./patches";
import { Words } from "./paper_words";
import { patchOf, SIDES } from "./places";
import type { Control, Value } from "./scene";
import { choice, controlsOf, withControl } from "./settings";
import { about, give, got, missing, open, state } from "./store";
import { photosOf, viewEvent, viewScene } from "./view";

if (!("URLSearchParams" in globalThis)) Object.assign(globalThis, { URLSearchParams: Words });

const CALLS = { settings, withSetting, selected, pinned, panels, missing, keep, scene };

Object.assign(globalThis, { called: (json: string) => {
  const [facts, link, name, ...rest] = JSON.parse(json) as [About, string, keyof typeof CALLS, ...never[]];
  relabel(facts.photos);
  open(facts, () => restored(facts, link));
  const answer = (CALLS[name] as (...words: never[]) => unknown)(...rest);
  return JSON.stringify(answer ?? null, (_, value) => (ArrayBuffer.isView(value) ? [...value as any] : value));
} });

function settings(): Control[] {
  const labels = about.photos.map((photo) => photo.label ?? photo.name);
  const photo = about.photos.findIndex(({ id }) => id === state.photo);
  return [choice("show", "show", showsOf(about), state.show),
    choice("photo", "photograph", labels, labels[photo]), ...controlsOf(about, state)];
}

function withSetting(name: keyof State, value: Value): string {
  const photo = about.photos.find((each) => each.label === value);
  return linkOf(about, name === "photo" && photo ? { ...state, photo: photo.id, side: "a" }
    : withControl(about, state, name, value));
}

function panels(): Record<string, [rows: number, columns: number]> { // those with patches to select
  if (state.show !== "similarity" && state.show !== "attention") return {};
  const count = photosOf(state).length;
  const shown = about.models.filter(({ heads }) => heads || state.show === "similarity");
  return Object.fromEntries(shown.map(({ name, grid: [rows, columns] }) => [name, [rows, columns * count]]));
}

function selected(panel: string, patch: number): string {
  return linkOf(about, viewEvent(about, state, { panel, patch, keyed: true }));
}

function pinned(): [panel: string | null, patch: number | null] { // in the first panel
  const [name, grid] = Object.entries(panels())[0] ?? [];
  const model = about.models.find((each) => each.name === name);
  if (!state.pinned || !model || !grid) return [null, null];
  const [columns, patch] = [model.grid[1], patchOf(model.grid, state)];
  const side = grid[1] > columns ? SIDES.indexOf(state.side) : 0;
  return [model.name, Math.floor(patch / columns) * grid[1] + side * columns + patch % columns];
}

function keep(address: string, bytes: string): void { // each letter of the text is one byte
  give(address, halves(Uint8Array.from(bytes, (letter) => letter.charCodeAt(0)).buffer));
}

function scene() {
  return { ...viewScene(about, state, got), opacity: state.opacity / 100, photos: photosOf(state) };
}
