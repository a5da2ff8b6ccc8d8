// Components: the principal axes of rows of features, and patches in their colours.

import { centred, quantile, random } from "./patches";
import type { Rows } from "./facts";
import type { Grid } from "./scene";

const TAIL = 0.2; // weight of the skewness against the correlation with a reference

type Axis = Float64Array<ArrayBuffer>;
type Colour = number[]; // red, green and blue, 0 to 1

// By modified Gram-Schmidt, twice, as one pass is not exact enough.
function orthonormal(vectors: Axis[]): Axis[] {
  for (let turn = 0; turn < 2; turn++) {
    vectors.forEach((v, i) => {
      for (let k = 0; k < i; k++) {
        const share = dot(v, vectors[k]);
        for (let j = 0; j < v.length; j++) v[j] -= share * vectors[k][j];
      }
      const length = Math.sqrt(dot(v, v)) || 1;
      for (let j = 0; j < v.length; j++) v[j] /= length;
    });
  }
  return vectors;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += a[j] * b[j];
  return sum;
}

// Rows' rows times the vectors: X'X v.
function spread({ data, width, count }: Rows, vectors: Axis[]): Axis[] {
  return vectors.map((vector) => {
    const made = new Float64Array(width);
    for (let i = 0; i < count; i++) {
      const row = data.subarray(i * width, (i + 1) * width);
      const share = dot(row, vector);
      for (let j = 0; j < width; j++) made[j] += share * row[j];
    }
    return made;
  });
}

// Values of the rows along their first three principal axes, by subspace iteration over eight.
export function components(rows: Rows, reference: ArrayLike<number>, turns = 40): Axis[] {
  const middle = centred(rows);
  const draw = random();
  const most = Math.min(8, rows.width);
  let axes = [...Array(most)].map((): Axis => Float64Array.from({ length: rows.width }, draw));
  for (let turn = 0; turn < turns; turn++) axes = orthonormal(spread(middle, axes));
  const images = spread(middle, axes);
  const small = axes.map((a) => images.map((b) => dot(a, b)));
  const { values, vectors } = eigen(small);
  const order = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, 3);
  return order.map((k) => {
    const axis = new Float64Array(rows.width);
    axes.forEach((a, i) => a.forEach((value, j) => { axis[j] += vectors[i][k] * value; }));
    const made = new Float64Array(rows.count);
    if (values[k] <= 1e-7 * values[order[0]]) return made; // no variance: only rounding
    for (let i = 0; i < rows.count; i++) {
      made[i] = dot(middle.data.subarray(i * rows.width, (i + 1) * rows.width), axis);
    }
    const sign = signOf(made, reference);
    return made.map((value) => value * sign);
  });
}

// Which end of an axis is up is arbitrary, and every rule turns it somewhere as features change. This one
// does so rarely: values grow with a reference that stays the same, from layer to layer and from step to
// step; where they hardly follow it, their longer tail is up. Of the same axes in consecutive layers of
// the zoo, 5 % are turned; 17 % would be if only the tail decided. As in siamlab/figure/components.py.
function signOf(values: Axis, reference: ArrayLike<number>): number {
  const count = values.length;
  const middle = Array.from(reference).reduce((sum, value) => sum + value, 0) / count;
  const other = Float64Array.from(reference, (value) => value - middle);
  const size = Math.sqrt(dot(values, values));
  const along = dot(values, other) / (size * Math.sqrt(dot(other, other)) || 1);
  const tail = TAIL * Math.sqrt(count) * values.reduce((sum, value) => sum + value ** 3, 0) / size ** 3;
  return (Math.abs(along) >= Math.abs(tail) ? along : tail) < 0 ? -1 : 1;
}

// The reference of patches: how far each is from the lower left corner of its photograph.
export function cornerDistance([rows, columns]: Grid, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => (
    Math.hypot(rows - 1 - Math.floor(i / columns) % rows, i % columns)));
}

// Of a small symmetric matrix, by Jacobi's rotations.
function eigen(matrix: number[][]): { values: number[]; vectors: number[][] } {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  const v = a.map((_, i) => a.map((__, j) => Number(i === j)));
  for (let turn = 0; turn < 30; turn++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p][q] === 0) continue;
        const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        turned(a, v, p, q, c, t * c);
      }
    }
  }
  return { values: a.map((row, i) => row[i]), vectors: v };
}

function turned(a: number[][], v: number[][], p: number, q: number, c: number, s: number): void {
  for (let k = 0; k < a.length; k++) {
    [a[k][p], a[k][q]] = [c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]];
  }
  for (let k = 0; k < a.length; k++) {
    [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
    [v[k][p], v[k][q]] = [c * v[k][p] - s * v[k][q], s * v[k][p] + c * v[k][q]];
  }
}

function stretched(values: Axis): number[] { // 0 at the 1st, 1 at the 99th percentile
  const [low, high] = [quantile(values, 0.01), quantile(values, 0.99)];
  return Array.from(values, (value) => (high > low
    ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0.5));
}

// Red, green and blue, 0 to 1, of each row; null for those that are not kept.
export function painted(rows: Rows, kept: boolean[], grid: Grid): (Colour | null)[] {
  const inside = [...Array(rows.count).keys()].filter((i) => kept[i]);
  const { width } = rows;
  const data = new Float32Array(inside.length * width);
  inside.forEach((i, at) => data.set(rows.data.subarray(i * width, (i + 1) * width), at * width));
  const far = cornerDistance(grid, rows.count);
  const reference = inside.map((i) => far[i]);
  const channels = components({ data, width, count: inside.length }, reference).map(stretched);
  const made: (Colour | null)[] = Array(rows.count).fill(null);
  inside.forEach((i, at) => { made[i] = channels.map((channel) => channel[at]); });
  return made;
}

// The side of the first component that touches the borders of the photographs less.
export function foreground(rows: Rows, grid: Grid): boolean[] {
  const [high, wide] = grid;
  const [first] = components(rows, cornerDistance(grid, rows.count));
  const border = (i: number) => {
    const [row, column] = [Math.floor(i % (high * wide) / wide), i % wide];
    return row === 0 || column === 0 || row === high - 1 || column === wide - 1;
  };
  const share = (side: boolean) => {
    const inside = [...first.keys()].filter((i) => (first[i] > 0) === side);
    return inside.filter(border).length / Math.max(1, inside.length);
  };
  const side = share(true) <= share(false);
  return Array.from(first, (value) => (value > 0) === side);
}
