// Patches: what a page computes from the features of patches: cosines, matches, components.

const HALVES = new Float32Array(65536).map((_, bits) => { // of every half-precision number
  const [sign, power, part] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (power === 31) return part ? NaN : sign * Infinity;
  return sign * (power ? 2 ** (power - 15) * (1 + part / 1024) : 2 ** -14 * part / 1024);
});

export function halves(buffer) {
  return Float32Array.from(new Uint16Array(buffer), (bits) => HALVES[bits]);
}

// Rows of one length: the patches of one photograph, or of two, one after the other.
export function joined(parts) {
  if (parts.length === 1) return parts[0];
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let start = 0;
  for (const part of parts) { data.set(part.data, start); start += part.data.length; }
  return { data, width: parts[0].width, count: data.length / parts[0].width };
}

export function unit({ data, width, count }) { // each row of length 1
  const made = new Float32Array(data);
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let j = i * width; j < (i + 1) * width; j++) sum += data[j] * data[j];
    const scale = 1 / Math.max(Math.sqrt(sum), 1e-12);
    for (let j = i * width; j < (i + 1) * width; j++) made[j] *= scale;
  }
  return { data: made, width, count };
}

function mean({ data, width, count }) {
  const sum = new Float64Array(width);
  for (let i = 0; i < data.length; i++) sum[i % width] += data[i];
  return sum.map((value) => value / count);
}

export function centred(rows) { // less the mean row
  const middle = mean(rows);
  return { ...rows, data: rows.data.map((value, i) => value - middle[i % rows.width]) };
}

export function products(rows, other, i) { // of a row with every other row
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

export function largest(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

// Patches of two photographs that are each other's most similar one, the most similar first.
export function mutual(a, b) {
  const there = [];
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

export function random(seed = 1) { // the same numbers every time, -1 to 1 (Lehmer 1951)
  let state = seed;
  return () => { state = state * 48271 % 2147483647; return state / 1073741823.5 - 1; };
}

function orthonormal(vectors) { // by modified Gram-Schmidt, twice, as one pass is not exact enough
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

function dot(a, b) {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += a[j] * b[j];
  return sum;
}

function spread({ data, width, count }, vectors) { // rows' rows times the vectors: X'X v
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
export function components(rows, turns = 40) {
  const middle = centred(rows);
  const draw = random();
  const most = Math.min(8, rows.width);
  let axes = [...Array(most)].map(() => Float64Array.from({ length: rows.width }, draw));
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
    const bright = made.reduce((sum, value) => sum + value ** 3, 0) < 0 ? -1 : 1; // the longer tail
    return made.map((value) => value * bright);
  });
}

function eigen(matrix) { // of a small symmetric matrix, by Jacobi's rotations
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

function turned(a, v, p, q, c, s) {
  for (let k = 0; k < a.length; k++) {
    [a[k][p], a[k][q]] = [c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]];
  }
  for (let k = 0; k < a.length; k++) {
    [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
    [v[k][p], v[k][q]] = [c * v[k][p] - s * v[k][q], s * v[k][p] + c * v[k][q]];
  }
}

export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const next = sorted[Math.min(low + 1, sorted.length - 1)];
  return sorted[low] + (next - sorted[low]) * (place - low);
}

function stretched(values) { // 0 at the 1st, 1 at the 99th percentile
  const [low, high] = [quantile(values, 0.01), quantile(values, 0.99)];
  return Array.from(values, (value) => (high > low
    ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0.5));
}

// Red, green and blue, 0 to 1, of each row; null for those that are not kept.
export function painted(rows, kept) {
  const inside = [...Array(rows.count).keys()].filter((i) => kept[i]);
  const { width } = rows;
  const data = new Float32Array(inside.length * width);
  inside.forEach((i, at) => data.set(rows.data.subarray(i * width, (i + 1) * width), at * width));
  const channels = components({ data, width, count: inside.length }).map(stretched);
  const made = Array(rows.count).fill(null);
  inside.forEach((i, at) => { made[i] = channels.map((channel) => channel[at]); });
  return made;
}

// The side of the first component that touches the borders of the photographs less.
export function foreground(rows, [high, wide]) {
  const [first] = components(rows);
  const border = (i) => {
    const [row, column] = [Math.floor(i % (high * wide) / wide), i % wide];
    return row === 0 || column === 0 || row === high - 1 || column === wide - 1;
  };
  const share = (side) => {
    const inside = [...first.keys()].filter((i) => (first[i] > 0) === side);
    return inside.filter(border).length / Math.max(1, inside.length);
  };
  const side = share(true) <= share(false);
  return Array.from(first, (value) => (value > 0) === side);
}
