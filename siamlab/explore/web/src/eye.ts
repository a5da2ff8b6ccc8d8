// Eye: the scene of a page on what a predictor expects in a box, and on what is there.

import {
  bytesIn, fill, heatOf, withPatch, withValues, type PageScene, type PageState, type Picked,
} from "./compute";
import { centreOf, markAt, rowAndColumn } from "./places";
import type { Boxed, Grid, Panel, Sides } from "./scene";

interface HeldPlace { // of an image, a mirroring, a box and a training step
  name: string; // of its images
  cosine: string; // of each prediction with every patch of the target, row by row
  best: number[];
  found: string[]; // cosines as they are shown: with the best, and with the target at the same place
  own: string[];
  right: number; // predictions whose best is at their place
}

interface EyeData { // as eye.py holds it
  grid: Grid;
  boxes: Sides[];
  places: Record<string, HeldPlace>; // by image, mirroring, number of the box and training step
  text: string;
}

const MIRRORED = "mirrored";
const RESTS = " The box snaps to places on a grid, in the size that it has.";
const REFUSAL = "This page does not hold that answer: it holds the box in its present size only. " +
  "For any other answer, open the notebook.";

export const eyeScene: PageScene<EyeData> = {
  refusal: REFUSAL,
  hints: {
    free: "Move over a patch: its answer is shown at once. A click pins it." + RESTS,
    pinned: "Pinned: a click on another patch moves the pin; a click on this one or Escape releases it." + RESTS,
  },
  next: (state, event, { boxes }) => {
    const set = (values: PageState["values"]) => ({ ...state, values: { ...state.values, ...values } });
    if ("control" in event) return set({ [event.control]: event.value });
    if (!("box" in event)) return withPatch(state, event.panel, event as Picked);
    const found = nearestBox(boxes, state.values.box, event);
    if (found >= 0) return set({ box: boxes[found] });
    return event.step?.some(Boolean) ? state : null; // no further in a key's direction, or resized
  },
  scene: (data, first, state, images) => {
    const { grid, boxes } = data;
    const { values, pinned, selected: [, patch] } = state;
    const number = boxes.findIndex((box) => String(box) === String(values.box));
    const step = values.training_step ?? "";
    const held = data.places[`${values.image} ${values.flip} ${number} ${step}`.trimEnd()];
    const source = `image ${values.image}`;
    const view = `view ${held.name}`;
    images[view] ??= cutOf(images[source], values.box, values.flip === MIRRORED, grid);
    const count = grid[0] * grid[1];
    const cosines = bytesIn(held.cosine);
    const own = [...Array(count).keys()].map((i) => cosines[i * (count + 1)]);
    const row = cosines.slice(patch * count, (patch + 1) * count);
    const query = markAt(centreOf(grid, patch), "query");
    const best = held.best[patch];
    const onGrid = { hovers: !pinned, follows: true, marks: [query] };
    const changes: Record<string, Partial<Panel>> = {
      context: { image: source, boxes: first.panels[0].boxes.map((box) => (
        { ...box, ...sidesOf(values.box) })) },
      query: { ...onGrid, image: view, heat: heatOf(own, grid, "cosine") },
      match: { ...onGrid, image: view, heat: heatOf(row, grid, "cosine"),
        marks: [query, markAt(centreOf(grid, best), "match")] },
      expected: { ...onGrid, image: `expected ${held.name}` },
      target: { ...onGrid, image: `target ${held.name}` },
    };
    const words = (at: number) => fill("row {row}, column {column}", rowAndColumn(grid, at));
    return { ...first, panels: first.panels.map((panel) => ({ ...panel, ...changes[panel.id] })),
      text: fill(data.text, { query: words(patch), best: words(best), found: held.found[patch],
        own: held.own[patch], right: held.right, count }),
      controls: withValues(first.controls, values) };
  },
};

function sidesOf([top, left, height, width]: Sides) {
  return { top, left, height, width };
}

// The number of the nearest box of the same size, after an arrow key the nearest in its direction;
// -1 if there is none.
export function nearestBox(boxes: Sides[], now: Sides, { box, step = [0, 0] }: Boxed): number {
  const keyed = step.some(Boolean);
  const [top, left, height, width] = box;
  const ahead = ([y, x]: Sides) => step[0] * (y - now[0]) + step[1] * (x - now[1]) > 0.001;
  const from = keyed ? now : [top, left];
  const sameSize = ([, , h, w]: Sides) => Math.hypot(h - height, w - width) < 0.001;
  const distance = (each: Sides) => (sameSize(each) && (!keyed || ahead(each))
    ? Math.hypot(each[0] - from[0], each[1] - from[1]) : Infinity);
  const distances = boxes.map(distance);
  const least = Math.min(...distances);
  return least < Infinity ? distances.indexOf(least) : -1;
}

// A part of an image as an image.
export function cutOf(
  image: string, [top, left, height, width]: Sides, mirrored: boolean, [rows, columns]: Grid,
): string {
  const turned = mirrored ? ` transform="translate(${2 * left + width} 0) scale(-1 1)"` : "";
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${32 * columns}" height="${32 * rows}" preserveAspectRatio="none" ` +
    `viewBox="${left} ${top} ${width} ${height}"><image href="${image}" width="1" height="1" ` +
    `preserveAspectRatio="none" style="image-rendering: pixelated"${turned}/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
