// Scenes: what panels of photographs have in common, whatever is shown of them.

import type { About, Got, ModelFacts, Rows } from "./facts";
import { centred, unit } from "./patches";
import type { Grid, Panel, Scene } from "./scene";
import { atStep } from "./steps";

export interface ModelNow extends ModelFacts { // a model in a state
  i: number; // its number
  layer: number;
  step: number | null; // null: at its end
}

export interface Base { // of all panels
  about: About;
  photos: string[]; // side by side
  image: string; // the key of both
  count: number;
}

export type Part = Pick<Scene, "panels" | "columns" | "text"> & Partial<Pick<Scene, "scales" | "legend">>;
export type FeatureWay = "raw" | "unit" | "centred";

export function panelOf(model: ModelNow, base: Base, more: Partial<Panel>): Panel {
  return { id: model.name, title: model.name, image: base.image, grid: wideGrid(model.grid, base),
    marks: [], boxes: [], arrows: [], chosen: false, span: 1, still: false, several: false,
    chart: null, heat: null, ...more };
}

export function wideGrid([rows, columns]: Grid, { count }: Pick<Base, "count">): Grid {
  return [rows, columns * count];
}

export function columnsFor(models: ModelNow[], base: Base): number {
  if (base.count === 2) return models.length === 1 ? 1 : 2;
  return Math.max(2, Math.min(4, models.length));
}

export function addressesOf(model: ModelNow, base: Base): string[] {
  return base.photos.map((photo) => atStep(`features/${model.i}/${photo}/${model.layer}`, model.step));
}

// One entry for each photograph.
export function featuresOf(model: ModelNow, base: Base, got: Got, way: FeatureWay): Rows[] {
  return addressesOf(model, base).map((address) => {
    if (way === "raw") return got("raw", address, (rows) => rows);
    return got(way, address, (rows) => unit(way === "unit" ? rows : centred(rows)));
  });
}
