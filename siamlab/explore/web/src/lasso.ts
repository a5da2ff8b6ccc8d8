// Lasso: a line around points of one map, as a word of a link, and the points inside it.
// The word: the kind of places, the map's number, and x.y in thousandths.

import type { Places } from "./facts";
import type { Point } from "./scene";

const CORNERS = 60; // at most: a link must not become too long
const WORD = /^(components|tsne|umap) (\d+)((?: -?\d+\.-?\d+){3,64})$/;

export interface Lasso {
  places: Places;
  map: number;
  corners: Point[]; // fractions of the map
}

export function lassoWord({ places, map, corners }: Lasso): string {
  const every = Math.max(1, Math.ceil(corners.length / CORNERS));
  const kept = corners.filter((_, i) => i % every === 0);
  const words = kept.map((corner) => corner.map((value) => Math.round(1000 * value)).join("."));
  return [places, map, ...words].join(" ");
}

export function lassoOf(word: string): Lasso | null { // null for a word that is none
  const found = word.match(WORD);
  if (!found) return null;
  const corners = found[3].trim().split(" ").map((pair) => {
    const [x, y] = pair.split(".");
    return [Number(x) / 1000, Number(y) / 1000] as Point;
  });
  return { places: found[1] as Places, map: Number(found[2]), corners };
}

function isInside([x, y]: Point, corners: Point[]): boolean { // by the even-odd rule
  let inside = false;
  corners.forEach(([x1, y1], i) => {
    const [x2, y2] = corners[(i + 1) % corners.length];
    if ((y1 > y) !== (y2 > y) && x < x1 + (y - y1) / (y2 - y1) * (x2 - x1)) inside = !inside;
  });
  return inside;
}

export function pointsInside(points: Point[], corners: Point[]): Set<number> {
  return new Set([...points.keys()].filter((i) => isInside(points[i], corners)));
}
