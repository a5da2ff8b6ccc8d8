// Patches: what a page computes from the features of patches: cosines, matches.

import type { Rows } from "./facts";

export type Match = [here: number, there: number, cosine: number];

const HALVES = new Float32Array(65536).map((_, bits) => { // of every half-precision number
  const [sign, power, part] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (power === 31) return part ? NaN : sign * Infinity;
  return sign * (power ? 2 ** (power - 15) * (1 + part / 1024) : 2 ** -14 * part / 1024);
});

export function halves(buffer: ArrayBuffer): Float32Array {
  return Float32Array.from(new Uint16Array(buffer), (bits) => HALVES[bits]);
}

// Rows of one length: the patches of one photograph, or of two, one after the other.
export function joined(parts: Rows[]): Rows {
  if (parts.length === 1) return parts[0];
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let start = 0;
  for (const part of parts) { data.set(part.data, start); start += part.data.length; }
  return { data, width: parts[0].width, count: data.length / parts[0].width };
}

export function unit({ data, width, count }: Rows): Rows { // each row of length 1
  const made = new Float32Array(data);
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let j = i * width; j < (i + 1) * width; j++) sum += data[j] * data[j];
    const scale = 1 / Math.max(Math.sqrt(sum), 1e-12);
    for (let j = i * width; j < (i + 1) * width; j++) made[j] *= scale;
  }
  return { data: made, width, count };
}

function mean({ data, width, count }: Rows): Float64Array {
  const sum = new Float64Array(width);
  for (let i = 0; i < data.length; i++) sum[i % width] += data[i];
  return sum.map((value) => value / count);
}

export function centred(rows: Rows): Rows { // less the mean row
  const middle = mean(rows);
  return { ...rows, data: rows.data.map((value, i) => value - middle[i % rows.width]) };
}

// Of a row with every other row.
export function products(rows: Rows, other: Rows, i: number): Float32Array {
  const { data, count, width } = other;
  const query = rows.data.subarray(i * width, (i + 1) * width);
  const made = new Float32Array(count);
  for (let row = 0, at = 0; row < count; row++) {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += query[j] * data[at++];
    made[row] = sum;
  }
  return made;
}

export function largest(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

// Patches of two photographs that are each other's most similar one, the most similar first.
export function mutual(a: Rows, b: Rows): Match[] {
  const there: Match[] = [];
  const back = new Float32Array(b.count).fill(-Infinity);
  const from = new Int32Array(b.count);
  for (let i = 0; i < a.count; i++) {
    const found = products(a, b, i);
    const j = largest(found);
    there.push([i, j, found[j]]);
    found.forEach((value, k) => { if (value > back[k]) { back[k] = value; from[k] = i; } });
  }
  return there.filter(([i, j]) => from[j] === i).sort((x, y) => y[2] - x[2]);
}

// The same numbers every time, -1 to 1 (Lehmer 1951).
export function random(seed = 1): () => number {
  let state = seed;
  return () => { state = state * 48271 % 2147483647; return state / 1073741823.5 - 1; };
}

export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const next = sorted[Math.min(low + 1, sorted.length - 1)];
  return sorted[low] + (next - sorted[low]) * (place - low);
}
