// Reconstruction: the scene of a page on the pixels that a run predicts for hidden patches.

import { fill, withPatch, withValues, type PageScene, type Picked } from "./compute";
import { centreOf, markAt, rowAndColumn } from "./places";
import type { Grid, Panel } from "./scene";

interface HeldPlace { // of an image, a mask and a training step
  hidden: string; // 1 for each patch that the model does not see
  lost: string[]; // as it is shown; "" where nothing is predicted
  levels: string; // the same as heat
  rest: string; // what is told of all patches
}

interface ReconstructionData { // as reconstruction.py holds it
  grid: Grid;
  places: Record<string, HeldPlace>;
  text: Record<"seen" | "unpredicted" | "predicted", string>;
}

export const reconstructionScene: PageScene<ReconstructionData> = {
  next: (state, event) => ("control" in event
    ? { ...state, values: { ...state.values, [event.control]: event.value } }
    : withPatch(state, event.panel, event as Picked)),
  scene: ({ grid, places, text }, first, { values, pinned, selected: [, patch] }, images) => {
    const masked = `${values.image} ${values.mask}`;
    const name = `${masked} ${values.training_step ?? ""}`.trimEnd();
    const { hidden, lost, levels, rest } = places[name];
    const image = `image ${values.image}`;
    const onGrid = { marks: [markAt(centreOf(grid, patch), "query")], hovers: !pinned, follows: true };
    const part = (key: string, source: string) => {
      images[key] ??= partOf(images[source], grid, patch);
      return { image: key };
    };
    const changes: Record<string, Partial<Panel>> = {
      seen: { image: `seen ${masked}`, ...onGrid },
      reconstruction: { image: `whole ${name}`, ...onGrid },
      image: { image, heat: { levels, grid, scale: "lost" }, ...onGrid },
      predicted: part(`predicted ${name} ${patch}`, `whole ${name}`),
      true: part(`true ${masked} ${patch}`, image),
    };
    const own = hidden[patch] === "0" ? text.seen : lost[patch] ? text.predicted : text.unpredicted;
    return { ...first, panels: first.panels.map((panel) => ({ ...panel, ...changes[panel.id] })),
      text: fill(own, { ...rowAndColumn(grid, patch), lost: lost[patch] }) + rest,
      controls: withValues(first.controls, values) };
  },
};

// One patch of an image as an image.
function partOf(image: string, [rows, columns]: Grid, patch: number): string {
  const [top, left] = [Math.floor(patch / columns), patch % columns];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64" ` +
    `viewBox="${left} ${top} 1 1"><image href="${image}" width="${columns}" height="${rows}" ` +
    `preserveAspectRatio="none" style="image-rendering: pixelated"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
