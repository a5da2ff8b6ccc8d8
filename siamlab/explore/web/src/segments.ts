// Segments: patches with similar features, by k-means.

import type { Rows } from "./facts";
import { largest, products, random, unit } from "./patches";

const STARTS = 6; // of which the best is kept

// Number of the segment of each row: the best of several k-means by cosine, the largest first.
export function segments(rows: Rows, k: number): number[] {
  const draw = random();
  const tries = [...Array(STARTS)].map(() => settled(rows, begun(rows, Math.min(k, rows.count), draw)));
  const { found, count } = tries.reduce((best, each) => (each.sum > best.sum ? each : best));
  const sizes = [...Array(count).keys()].map((c) => found.filter((f) => f === c).length);
  const order = [...sizes.keys()].sort((a, b) => sizes[b] - sizes[a]);
  return found.map((c) => order.indexOf(c));
}

// Lloyd's steps: nearest centre, mean direction.
function settled(rows: Rows, centres: Rows, turns = 30) {
  let found = new Int32Array(rows.count).fill(-1);
  let sum = 0;
  for (let turn = 0; turn < turns; turn++) {
    const cosines = [...found.keys()].map((i) => products(rows, centres, i));
    const next = Int32Array.from(cosines, largest);
    sum = cosines.reduce((total, each, i) => total + each[next[i]], 0);
    if (next.every((value, i) => value === found[i])) break;
    found = next;
    recentre(rows, centres, found);
  }
  return { found: [...found], sum, count: centres.count };
}

function recentre(rows: Rows, centres: Rows, found: Int32Array): void {
  const { width } = rows;
  const sums = new Float32Array(centres.data.length);
  found.forEach((c, i) => {
    for (let j = 0; j < width; j++) sums[c * width + j] += rows.data[i * width + j];
  });
  for (let c = 0; c < centres.count; c++) { // a segment without patches stays where it is
    if (found.includes(c)) centres.data.set(sums.subarray(c * width, (c + 1) * width), c * width);
  }
  centres.data = unit(centres).data;
}

// By k-means++ (Arthur & Vassilvitskii 2007).
function begun(rows: Rows, k: number, draw: () => number): Rows {
  const { data, width, count } = rows;
  const chosen = [Math.floor((draw() + 1) / 2 * (count - 1))];
  const far = products(rows, rows, chosen[0]).map((cosine) => Math.max(0, 1 - cosine));
  while (chosen.length < k) {
    let left = (draw() + 1) / 2 * far.reduce((total, value) => total + value, 0);
    const next = Math.max(0, far.findIndex((value) => { left -= value; return left <= 0; }));
    chosen.push(next);
    products(rows, rows, next).forEach((cosine, i) => {
      far[i] = Math.min(far[i], Math.max(0, 1 - cosine));
    });
  }
  const starts = new Float32Array(k * width);
  chosen.forEach((i, c) => starts.set(data.subarray(i * width, (i + 1) * width), c * width));
  return { data: starts, width, count: k };
}
