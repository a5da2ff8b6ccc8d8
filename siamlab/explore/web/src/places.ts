// Places: patches of a grid, numbered row by row, and fractions of pictures.

import type { Side } from "./facts";
import type { Grid, Mark, Place } from "./scene";

export const SIDES: Side[] = ["a", "b"];

export function patchAt([rows, columns]: Grid, x: number, y: number): number {
  return Math.floor(Math.min(y, 0.999) * rows) * columns + Math.floor(Math.min(x, 0.999) * columns);
}

export function centreOf([rows, columns]: Grid, patch: number): Place {
  return [(Math.floor(patch / columns) + 0.5) / rows, (patch % columns + 0.5) / columns];
}

export function rowAndColumn(grid: Grid, patch: number) { // numbered from 1
  return { row: Math.floor(patch / grid[1]) + 1, column: patch % grid[1] + 1 };
}

export function markAt([y, x]: Place, kind: string, text = ""): Mark {
  return { y, x, kind, text };
}

export function patchOf(grid: Grid, { y, x }: { y: number; x: number }): number {
  return patchAt(grid, x, y);
}

export function placeOf(grid: Grid, patch: number, side: Side, count: number): Place {
  const [y, x] = centreOf(grid, patch); // in the picture of `count` photographs side by side
  return [y, (x + SIDES.indexOf(side)) / count];
}

type Numbers = Float32Array | Uint8ClampedArray;

// Rows of patches of photographs side by side, `each` numbers for a patch.
export function besides<Kind extends Numbers>(parts: Kind[], [rows, columns]: Grid, each = 1): Kind {
  if (parts.length === 1) return parts[0];
  const wide = columns * each;
  const made = new (parts[0].constructor as new (length: number) => Kind)(parts[0].length * 2);
  for (let row = 0; row < rows; row++) {
    parts.forEach((part, i) => made.set(part.subarray(row * wide, (row + 1) * wide), (2 * row + i) * wide));
  }
  return made;
}
