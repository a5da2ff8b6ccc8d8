// Choices: what can be shown on the page of `siamlab view`, by the names that its links have.

import type { About, Photo, Places, Show, State, Way } from "./facts";
import { MEAN, overHeads } from "./heads";

const WAYS: Way[] = ["similarity", "components", "segments", "attention"];
const PATCH = "selected patch";
export const START = "class token";
export const ROLLOUT = "class token, by rollout";
export const FROM = [PATCH, START, ROLLOUT];
export const COSINES = ["as it is", "less the mean patch"];
export const SIDES_OF_FIRST = ["foreground", "the other side", "all"]; // of the first component
export const PLACES: Record<Places, string> = { components: "principal components", tsne: "t-SNE",
  umap: "UMAP" };
export const MISTAKES = "mistakes";
export const POINTS = ["configurations", "runs"];

export const START_STATE = {
  show: "similarity", beside: "", layer: 0, side: "a", y: 0.5, x: 0.5, pinned: false, least: 60,
  opacity: 100, cosine: COSINES[0], patches: SIDES_OF_FIRST[0], k: 4, head: MEAN, from: PATCH, heads: "",
  image: -1, places: "components", only: "", lasso: "", study: "", points: "", probe: "", runs: "",
} satisfies Partial<State>;

export function showsOf(about: About): Show[] {
  const readable = about.models.some((model) => model.heads);
  const ways = WAYS.filter((show) => show !== "attention" || readable);
  const planes: Show[] = about.studies?.length ? ["plane"] : [];
  if (about.models.length === 0) return planes;
  const pairs: Show[] = about.pairs && about.models.length > 1 ? ["matches"] : [];
  const map: Show[] = about.map ? ["map"] : [];
  return [...ways, ...pairs, ...map, ...planes];
}

export function choicesOf(about: About): Partial<Record<keyof State, string[]>> { // all values of words
  const ids = about.photos.map((photo) => photo.id);
  const names = about.models.map((model) => model.name);
  const most = Math.max(0, ...about.models.map((model) => model.heads));
  return { show: showsOf(about), photo: ids, beside: ["", ...ids], cosine: COSINES, patches: SIDES_OF_FIRST,
    from: FROM, head: overHeads(most).options, heads: ["", ...names], places: about.map?.layouts ?? [],
    only: ["", MISTAKES], first: names, second: names, study: about.studies, points: POINTS };
}

export function relabel(photos: Photo[]): void { // distinguish two photographs of one name in lists
  const seen = new Map<string, number>();
  for (const photo of photos) {
    const count = (seen.get(photo.name) || 0) + 1;
    seen.set(photo.name, count);
    photo.label = count > 1 ? `${photo.name} (${count})` : photo.name;
  }
}
