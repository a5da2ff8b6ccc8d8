// Built from siamlab/explore/web/src by `make web`.

// src/heads.ts
var MEAN = "mean";
function overHeads(count) {
  const numbers = [...Array(count).keys()].map((i) => String(i + 1));
  return {
    options: [MEAN, ...numbers],
    slider: true,
    words: [`mean of ${count} heads`, ...numbers.map((i) => `head ${i} of ${count}`)]
  };
}

// src/choices.ts
var WAYS = ["similarity", "components", "segments", "attention"];
var PATCH = "selected patch";
var START = "class token";
var ROLLOUT = "class token, by rollout";
var FROM = [PATCH, START, ROLLOUT];
var COSINES = ["as it is", "less the mean patch"];
var SIDES_OF_FIRST = ["foreground", "the other side", "all"];
var MISTAKES = "mistakes";
var POINTS = ["configurations", "runs"];
var START_STATE = {
  show: "similarity",
  beside: "",
  layer: 0,
  side: "a",
  y: 0.5,
  x: 0.5,
  pinned: false,
  least: 60,
  opacity: 100,
  cosine: COSINES[0],
  patches: SIDES_OF_FIRST[0],
  k: 4,
  head: MEAN,
  from: PATCH,
  heads: "",
  image: -1,
  places: "components",
  only: "",
  lasso: "",
  study: "",
  points: "",
  probe: "",
  runs: ""
};
function showsOf(about2) {
  const readable = about2.models.some((model) => model.heads);
  const ways = WAYS.filter((show) => show !== "attention" || readable);
  const planes = about2.studies?.length ? ["plane"] : [];
  if (about2.models.length === 0) return planes;
  const pairs = about2.pairs && about2.models.length > 1 ? ["matches"] : [];
  const map = about2.map ? ["map"] : [];
  return [...ways, ...pairs, ...map, ...planes];
}
function choicesOf(about2) {
  const ids = about2.photos.map((photo) => photo.id);
  const names = about2.models.map((model) => model.name);
  const most = Math.max(0, ...about2.models.map((model) => model.heads));
  return {
    show: showsOf(about2),
    photo: ids,
    beside: ["", ...ids],
    cosine: COSINES,
    patches: SIDES_OF_FIRST,
    from: FROM,
    head: overHeads(most).options,
    heads: ["", ...names],
    places: about2.map?.layouts ?? [],
    only: ["", MISTAKES],
    first: names,
    second: names,
    study: about2.studies,
    points: POINTS
  };
}
function relabel(photos) {
  const seen = /* @__PURE__ */ new Map();
  for (const photo of photos) {
    const count = (seen.get(photo.name) || 0) + 1;
    seen.set(photo.name, count);
    photo.label = count > 1 ? `${photo.name} (${count})` : photo.name;
  }
}

// src/lasso.ts
var WORD = /^(components|tsne|umap) (\d+)((?: -?\d+\.-?\d+){3,64})$/;
function lassoOf(word) {
  const found = word.match(WORD);
  if (!found) return null;
  const corners = found[3].trim().split(" ").map((pair) => {
    const [x, y] = pair.split(".");
    return [Number(x) / 1e3, Number(y) / 1e3];
  });
  return { places: found[1], map: Number(found[2]), corners };
}

// src/plane.ts
var NUMBERS = /^\d+(\.\d+)*$/;
function planeAddress(state2, below = "") {
  const words = { study: state2.study, points: state2.points, probe: state2.probe, chosen: state2.runs };
  return `plane${below}?${new URLSearchParams(Object.entries(words).filter(([, word]) => word))}`;
}
function planeEvent(state2, event) {
  if ("parts" in event) return { ...state2, runs: event.parts.join(".") };
  if ("patch" in event) return { ...state2, runs: String(event.patch) };
  if (!("control" in event)) return state2;
  const changed = { ...state2, [event.control]: event.value };
  return event.control === "probe" ? changed : { ...changed, runs: "" };
}

// src/steps.ts
function stepsOf(about2) {
  const all = new Set(about2.models.flatMap((model) => model.steps || []));
  return [...all].sort((a, b) => a - b);
}
function stepOf({ steps: own }, state2, steps) {
  if (!own?.length) return null;
  const by = Math.max(...own.filter((step) => step <= steps[state2.step]), own[0]);
  return by === own.at(-1) ? null : by;
}
function stepText({ steps }, step) {
  if (!steps?.length) return "";
  return `, step ${(step ?? steps[steps.length - 1]).toLocaleString("en")}`;
}
function atStep(address, step, name = "step") {
  if (step === null) return address;
  return `${address}${address.includes("?") ? "&" : "?"}${name}=${step}`;
}
function mapAddress(about2, state2, i, part = "") {
  return atStep(`map/${i}${part}`, stepOf(about2.models[i], state2, stepsOf(about2)));
}
function shownStep(state2, steps) {
  return steps[state2.step].toLocaleString("en");
}

// src/symbols.ts
var HUES = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#f0e442",
  "#999999"
];
var COLOURS = HUES.slice(0, 7);

// src/link.ts
function linkOf(about2, { y, x, side, pinned: pinned2, over: _, ...rest }) {
  const start = startState(about2);
  const differing = Object.entries(rest).filter(([key, value]) => value !== start[key]);
  const words = differing.map(([key, value]) => [key, String(value)]);
  if (pinned2) words.push(["at", [side, y.toFixed(4), x.toFixed(4)].join(" ")]);
  return words.length ? `#${new URLSearchParams(words)}` : "";
}
function startState(about2) {
  const layer = Math.max(1, ...about2.models.map((each) => each.layers));
  const step = Math.max(0, stepsOf(about2).length - 1);
  return {
    ...START_STATE,
    show: showsOf(about2)[0],
    photo: about2.photos[0].id,
    layer,
    step,
    ...namesOf(about2)
  };
}
function namesOf({ models }) {
  const [first, second] = models.map((each) => each.name);
  return { first, second: second || "" };
}
function restored(about2, fragment) {
  const words = Object.fromEntries(new URLSearchParams(fragment.replace(/^#/, "")));
  const start = startState(about2);
  const made = { ...start, ...chosenIn(about2, words), ...numbersIn(about2, start, words) };
  const lasso = lassoOf(words.lasso || "");
  if (lasso && about2.map?.layouts.includes(lasso.places) && lasso.map < about2.models.length) {
    made.lasso = words.lasso;
  }
  if (words.probe) made.probe = words.probe;
  if (NUMBERS.test(words.runs)) made.runs = words.runs;
  if (made.first === made.second) Object.assign(made, namesOf(about2));
  return words.at ? { ...made, ...placeFrom(words.at.split(" ")) } : made;
}
function chosenIn(about2, words) {
  const known = choicesOf(about2);
  return Object.fromEntries(Object.entries(words).filter(([key, word]) => Object.hasOwn(known, key) && known[key]?.includes(word)));
}
function numbersIn(about2, start, words) {
  const last = about2.map ? about2.map.labels.length - 1 : -1;
  const ends = [
    ["layer", 1, start.layer],
    ["step", 0, start.step],
    ["least", 0, 100],
    ["opacity", 0, 100],
    ["k", 2, HUES.length],
    ["image", -1, last]
  ];
  const found = ends.map(([key, low, high]) => ({ key, value: Number(words[key]), low, high }));
  return Object.fromEntries(found.filter(({ value, low, high }) => Number.isInteger(value) && value >= low && value <= high).map(({ key, value }) => [key, value]));
}
function placeFrom([side, y, x]) {
  const inside = (word) => Math.min(0.999, Math.max(0, Number(word) || 0));
  const which = side === "b" ? "b" : "a";
  return { side: which, y: inside(y), x: inside(x), pinned: true };
}

// src/patches.ts
var HALVES = new Float32Array(65536).map((_, bits) => {
  const [sign, power, part] = [bits >> 15 ? -1 : 1, bits >> 10 & 31, bits & 1023];
  if (power === 31) return part ? NaN : sign * Infinity;
  return sign * (power ? 2 ** (power - 15) * (1 + part / 1024) : 2 ** -14 * part / 1024);
});
function halves(buffer) {
  return Float32Array.from(new Uint16Array(buffer), (bits) => HALVES[bits]);
}
function joined(parts) {
  if (parts.length === 1) return parts[0];
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let start = 0;
  for (const part of parts) {
    data.set(part.data, start);
    start += part.data.length;
  }
  return { data, width: parts[0].width, count: data.length / parts[0].width };
}
function unit({ data, width, count }) {
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
function centred(rows) {
  const middle = mean(rows);
  return { ...rows, data: rows.data.map((value, i) => value - middle[i % rows.width]) };
}
function products(rows, other, i) {
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
function largest(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
function mutual(a, b) {
  const there = [];
  const back = new Float32Array(b.count).fill(-Infinity);
  const from = new Int32Array(b.count);
  for (let i = 0; i < a.count; i++) {
    const found = products(a, b, i);
    const j = largest(found);
    there.push([i, j, found[j]]);
    found.forEach((value, k) => {
      if (value > back[k]) {
        back[k] = value;
        from[k] = i;
      }
    });
  }
  return there.filter(([i, j]) => from[j] === i).sort((x, y) => y[2] - x[2]);
}
function random(seed = 1) {
  let state2 = seed;
  return () => {
    state2 = state2 * 48271 % 2147483647;
    return state2 / 10737418235e-1 - 1;
  };
}
function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const next = sorted[Math.min(low + 1, sorted.length - 1)];
  return sorted[low] + (next - sorted[low]) * (place - low);
}

// src/paper_words.ts
var KEPT = { "%20": "+", "!": "%21", "'": "%27", "(": "%28", ")": "%29", "~": "%7E" };
var encoded = (word) => encodeURIComponent(word).replace(/%20|[!'()~]/g, (part) => KEPT[part]);
var decoded = (word) => decodeURIComponent(word.replace(/\+/g, " "));
var Words = class {
  pairs;
  constructor(from) {
    this.pairs = typeof from !== "string" ? from : from.split("&").filter(Boolean).map((part) => {
      const [key, ...value] = part.split("=");
      return [decoded(key), decoded(value.join("="))];
    });
  }
  [Symbol.iterator]() {
    return this.pairs[Symbol.iterator]();
  }
  toString() {
    return this.pairs.map((pair) => pair.map(encoded).join("=")).join("&");
  }
};

// src/places.ts
var SIDES = ["a", "b"];
function patchAt([rows, columns], x, y) {
  return Math.floor(Math.min(y, 0.999) * rows) * columns + Math.floor(Math.min(x, 0.999) * columns);
}
function centreOf([rows, columns], patch) {
  return [(Math.floor(patch / columns) + 0.5) / rows, (patch % columns + 0.5) / columns];
}
function rowAndColumn(grid, patch) {
  return { row: Math.floor(patch / grid[1]) + 1, column: patch % grid[1] + 1 };
}
function markAt([y, x], kind, text = "") {
  return { y, x, kind, text };
}
function patchOf(grid, { y, x }) {
  return patchAt(grid, x, y);
}
function placeOf(grid, patch, side, count) {
  const [y, x] = centreOf(grid, patch);
  return [y, (x + SIDES.indexOf(side)) / count];
}
function besides(parts, [rows, columns], each = 1) {
  if (parts.length === 1) return parts[0];
  const wide = columns * each;
  const made = new parts[0].constructor(parts[0].length * 2);
  for (let row = 0; row < rows; row++) {
    parts.forEach((part, i) => made.set(part.subarray(row * wide, (row + 1) * wide), (2 * row + i) * wide));
  }
  return made;
}

// src/settings.ts
var NONE = "nothing";
function withControl(about2, state2, name, value) {
  if (name === "beside") {
    const photo = about2.photos.find((each) => each.label === value);
    return { ...state2, beside: photo ? photo.id : "", side: "a" };
  }
  return { ...state2, [name]: value, ...name === "heads" ? { head: MEAN } : {} };
}
function controlsOf(about2, state2) {
  const layers = Math.max(...about2.models.map((model) => model.layers));
  const steps = stepsOf(about2);
  const step = steps.length ? [slider("step", "training step", state2.step, [0, steps.length - 1], shownStep(state2, steps))] : [];
  const opacity = slider("opacity", "colour", state2.opacity, [0, 100], `${state2.opacity} %`);
  const layer = state2.show === "attention" && state2.from === ROLLOUT ? [] : [slider("layer", "layer", state2.layer, [1, layers])];
  return [besideControl(about2, state2), ...layer, ...step, ...ownControls(about2, state2), opacity];
}
function slider(name, label, value, [low, high], shown) {
  return { name, label, value, low, high, options: [], shown };
}
function choice(name, label, options, value) {
  return { name, label, value, low: 0, high: 0, options };
}
function besideControl(about2, state2) {
  const pair = about2.photos.find((photo) => photo.id === state2.beside);
  const others = about2.photos.filter((photo) => photo.id !== state2.photo || photo === pair);
  const labels = others.map((photo) => photo.label ?? photo.name);
  return choice("beside", "beside it", [NONE, ...labels], pair ? pair.label ?? pair.name : NONE);
}
function ownControls(about2, state2) {
  const { show, cosine, patches, least, k } = state2;
  const way = {
    similarity: () => [
      choice("cosine", "cosine", COSINES, cosine),
      ...about2.photos.some((photo) => photo.id === state2.beside) ? [slider("least", "mutual matches from", least, [0, 100], (least / 100).toFixed(2))] : []
    ],
    components: () => [choice("patches", "patches", SIDES_OF_FIRST, patches)],
    segments: () => [slider("k", "segments", k, [2, HUES.length])],
    attention: () => attentionControls(about2, state2)
  };
  return way[show]();
}
function attentionControls(about2, state2) {
  const readable = about2.models.filter((model2) => model2.heads);
  const model = readable.find((each) => each.name === state2.heads) || readable[0];
  if (!model) return [];
  const from = choice("from", "attention of the", FROM, state2.from);
  if (state2.from === ROLLOUT) return [from];
  const heads = overHeads(model.heads);
  const head = heads.options.includes(state2.head) ? state2.head : MEAN;
  return [
    from,
    { ...choice("head", "attention", heads.options, head), ...heads },
    choice("heads", "heads below", readable.map((each) => each.name), model.name)
  ];
}

// src/scenes.ts
function panelOf(model, base, more) {
  return {
    id: model.name,
    title: model.name,
    image: base.image,
    grid: wideGrid(model.grid, base),
    marks: [],
    boxes: [],
    arrows: [],
    chosen: false,
    span: 1,
    still: false,
    several: false,
    chart: null,
    heat: null,
    ...more
  };
}
function wideGrid([rows, columns], { count }) {
  return [rows, columns * count];
}
function columnsFor(models, base) {
  if (base.count === 2) return models.length === 1 ? 1 : 2;
  return Math.max(2, Math.min(4, models.length));
}
function addressesOf(model, base) {
  return base.photos.map((photo) => atStep(`features/${model.i}/${photo}/${model.layer}`, model.step));
}
function featuresOf(model, base, got2, way) {
  return addressesOf(model, base).map((address) => {
    if (way === "raw") return got2("raw", address, (rows) => rows);
    return got2(way, address, (rows) => unit(way === "unit" ? rows : centred(rows)));
  });
}

// src/attention.ts
function attentionPanels(models, state2, got2, base) {
  const readable = models.filter((model) => model.heads);
  if (state2.from === ROLLOUT) return rolloutPanels(models, readable, got2, base);
  const maps = readable.map((model) => attentionOf(model, base, got2));
  const high = Math.max(...maps.map((map) => state2.from === START ? map.start : map.patch), 1e-6);
  const panels2 = readable.map((model, i) => {
    const head = state2.head !== MEAN && Number(state2.head) <= model.heads ? Number(state2.head) : 0;
    return panelOf(model, base, {
      heat: heatOf(model, state2, maps[i], head),
      ...lookOf(model, state2),
      span: readable.length > 2 ? 2 : 3
    });
  });
  const below = Math.max(0, readable.findIndex((model) => model.name === state2.heads));
  return {
    panels: [...panels2, ...headPanels(readable[below], state2, maps[below], base)],
    columns: 6,
    text: attentionText(models, readable, state2),
    ...shares(high, true)
  };
}
function heatOf(model, state2, map, head) {
  const from = state2.from === START ? 0 : 1 + patchOf(model.grid, state2);
  return { values: map.row(head, from), grid: model.grid, scale: "attention" };
}
function lookOf({ grid }, state2) {
  if (state2.from === START) return { still: true };
  const query = markAt(centreOf(grid, patchOf(grid, state2)), "query");
  return { hovers: !state2.pinned, follows: true, marks: [query] };
}
function headPanels(model, state2, map, base) {
  return [...Array(model ? model.heads : 0).keys()].map((i) => `${i + 1}`).map((head) => panelOf(model, base, {
    id: `head ${head}`,
    title: `Head ${head}`,
    grid: [1, 1],
    heat: heatOf(model, state2, map, Number(head)),
    chosen: state2.head === head
  }));
}
function shares(high, open2) {
  return { scales: { attention: { title: "attention", low: 0, high, bound: high, open: open2 } } };
}
function rolloutPanels(models, readable, got2, base) {
  const rows = readable.map((model) => got2("rollout", atStep(`rollout/${model.i}/${base.photos[0]}`, model.step), ({ data }) => data));
  const panels2 = readable.map((model, i) => panelOf(model, base, {
    still: true,
    heat: { values: rows[i], grid: model.grid, scale: "attention" }
  }));
  const high = Math.max(1e-6, ...rows.map((row) => Math.max(...row)));
  return {
    panels: panels2,
    columns: columnsFor(readable, base),
    ...shares(high, false),
    text: `Share of each patch in what flows into ${startOf(readable)} through all layers, heads averaged (rollout).${unreadable(models, readable)}`
  };
}
function attentionOf(model, base, got2) {
  const address = atStep(`attention/${model.i}/${base.photos[0]}/${model.layer}`, model.step);
  return got2("heads", address, ({ data }) => {
    const count = model.grid[0] * model.grid[1];
    const size = (count + 1) * count;
    const mean2 = new Float32Array(size);
    data.forEach((value, i) => {
      mean2[i % size] += value / model.heads;
    });
    const row = (head, i) => (head ? data.subarray((head - 1) * size) : mean2).subarray(i * count, (i + 1) * count);
    const highs = [...Array(count).keys()].map((i) => Math.max(...row(0, i + 1)));
    return { row, start: Math.max(...row(0, 0)), patch: quantile(highs, 0.5) };
  });
}
function attentionText(models, readable, state2) {
  const { row, column } = rowAndColumn(models[0].grid, patchOf(models[0].grid, state2));
  const what = state2.from === START ? startOf(readable) : `the patch in row ${row}, column ${column}`;
  return `Where ${what} attends: ${state2.head === MEAN ? "mean over heads" : `head ${state2.head}`}. A click on a head below shows it above.${unreadable(models, readable)}`;
}
function startOf(readable) {
  return readable.some((model) => model.start !== START) ? "the class token (of models without one, the mean patch)" : "the class token";
}
function unreadable(models, readable) {
  const none = models.filter((model) => !readable.includes(model)).map((model) => model.name);
  return none.length ? ` Attention of ${none.join(", ")} cannot be shown here.` : "";
}

// src/components.ts
var TAIL = 0.2;
function orthonormal(vectors) {
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
function spread({ data, width, count }, vectors) {
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
function components(rows, reference, turns = 40) {
  const middle = centred(rows);
  const draw2 = random();
  const most = Math.min(8, rows.width);
  let axes = [...Array(most)].map(() => Float64Array.from({ length: rows.width }, draw2));
  for (let turn = 0; turn < turns; turn++) axes = orthonormal(spread(middle, axes));
  const images = spread(middle, axes);
  const small = axes.map((a) => images.map((b) => dot(a, b)));
  const { values, vectors } = eigen(small);
  const order = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, 3);
  return order.map((k) => {
    const axis = new Float64Array(rows.width);
    axes.forEach((a, i) => a.forEach((value, j) => {
      axis[j] += vectors[i][k] * value;
    }));
    const made = new Float64Array(rows.count);
    if (values[k] <= 1e-7 * values[order[0]]) return made;
    for (let i = 0; i < rows.count; i++) {
      made[i] = dot(middle.data.subarray(i * rows.width, (i + 1) * rows.width), axis);
    }
    const sign = signOf(made, reference);
    return made.map((value) => value * sign);
  });
}
function signOf(values, reference) {
  const count = values.length;
  const middle = Array.from(reference).reduce((sum, value) => sum + value, 0) / count;
  const other = Float64Array.from(reference, (value) => value - middle);
  const size = Math.sqrt(dot(values, values));
  const along = dot(values, other) / (size * Math.sqrt(dot(other, other)) || 1);
  const tail = TAIL * Math.sqrt(count) * values.reduce((sum, value) => sum + value ** 3, 0) / size ** 3;
  return (Math.abs(along) >= Math.abs(tail) ? along : tail) < 0 ? -1 : 1;
}
function cornerDistance([rows, columns], count) {
  return Float64Array.from({ length: count }, (_, i) => Math.hypot(rows - 1 - Math.floor(i / columns) % rows, i % columns));
}
function eigen(matrix) {
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
function stretched(values) {
  const [low, high] = [quantile(values, 0.01), quantile(values, 0.99)];
  return Array.from(values, (value) => high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0.5);
}
function painted(rows, kept, grid) {
  const inside = [...Array(rows.count).keys()].filter((i) => kept[i]);
  const { width } = rows;
  const data = new Float32Array(inside.length * width);
  inside.forEach((i, at) => data.set(rows.data.subarray(i * width, (i + 1) * width), at * width));
  const far = cornerDistance(grid, rows.count);
  const reference = inside.map((i) => far[i]);
  const channels = components({ data, width, count: inside.length }, reference).map(stretched);
  const made = Array(rows.count).fill(null);
  inside.forEach((i, at) => {
    made[i] = channels.map((channel) => channel[at]);
  });
  return made;
}
function foreground(rows, grid) {
  const [high, wide] = grid;
  const [first] = components(rows, cornerDistance(grid, rows.count));
  const border = (i) => {
    const [row, column] = [Math.floor(i % (high * wide) / wide), i % wide];
    return row === 0 || column === 0 || row === high - 1 || column === wide - 1;
  };
  const share = (side2) => {
    const inside = [...first.keys()].filter((i) => first[i] > 0 === side2);
    return inside.filter(border).length / Math.max(1, inside.length);
  };
  const side = share(true) <= share(false);
  return Array.from(first, (value) => value > 0 === side);
}

// src/segments.ts
var STARTS = 6;
function segments(rows, k) {
  const draw2 = random();
  const tries = [...Array(STARTS)].map(() => settled(rows, begun(rows, Math.min(k, rows.count), draw2)));
  const { found, count } = tries.reduce((best, each) => each.sum > best.sum ? each : best);
  const sizes = [...Array(count).keys()].map((c) => found.filter((f) => f === c).length);
  const order = [...sizes.keys()].sort((a, b) => sizes[b] - sizes[a]);
  return found.map((c) => order.indexOf(c));
}
function settled(rows, centres, turns = 30) {
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
function recentre(rows, centres, found) {
  const { width } = rows;
  const sums = new Float32Array(centres.data.length);
  found.forEach((c, i) => {
    for (let j = 0; j < width; j++) sums[c * width + j] += rows.data[i * width + j];
  });
  for (let c = 0; c < centres.count; c++) {
    if (found.includes(c)) centres.data.set(sums.subarray(c * width, (c + 1) * width), c * width);
  }
  centres.data = unit(centres).data;
}
function begun(rows, k, draw2) {
  const { data, width, count } = rows;
  const chosen = [Math.floor((draw2() + 1) / 2 * (count - 1))];
  const far = products(rows, rows, chosen[0]).map((cosine) => Math.max(0, 1 - cosine));
  while (chosen.length < k) {
    let left = (draw2() + 1) / 2 * far.reduce((total, value) => total + value, 0);
    const next = Math.max(0, far.findIndex((value) => {
      left -= value;
      return left <= 0;
    }));
    chosen.push(next);
    products(rows, rows, next).forEach((cosine, i) => {
      far[i] = Math.min(far[i], Math.max(0, 1 - cosine));
    });
  }
  const starts = new Float32Array(k * width);
  chosen.forEach((i, c) => starts.set(data.subarray(i * width, (i + 1) * width), c * width));
  return { data: starts, width, count: k };
}

// src/colourings.ts
var STRONG = 170;
var SOLID = 220;
function componentPanels(models, state2, got2, base) {
  const panels2 = models.map((model) => {
    const colours = got2(`components ${state2.patches}`, addressesOf(model, base), () => {
      const rows = joined(featuresOf(model, base, got2, "raw"));
      return painted(rows, keptPatches(rows, model.grid, state2.patches), model.grid);
    });
    const bytes = rgba(colours.map((colour) => colour && [...colour.map((v) => 255 * v), SOLID]));
    return panelOf(model, base, { heat: coloured(bytes, model, base), still: true });
  });
  const which = state2.patches === SIDES_OF_FIRST[2] ? "" : " Patches on the other side of the first component are left out; they are often the background.";
  return {
    panels: panels2,
    columns: columnsFor(models, base),
    text: `The first three principal components of the patches${base.count === 2 ? " of both photographs together" : ""}, as red, green and blue.${which} Colours cannot be compared between models${stepsOf(base.about).length ? " or steps" : ""}.`
  };
}
function keptPatches(rows, grid, which) {
  if (which === SIDES_OF_FIRST[2]) return new Array(rows.count).fill(true);
  const kept = foreground(rows, grid);
  return which === SIDES_OF_FIRST[0] ? kept : kept.map((value) => !value);
}
function segmentPanels(models, state2, got2, base) {
  let first = null;
  const panels2 = models.map((model) => {
    const found = got2(
      `segments ${state2.k}`,
      addressesOf(model, base),
      () => segments(joined(featuresOf(model, base, got2, "unit")), state2.k)
    );
    const numbers = first && first.length === found.length ? alike(found, first, state2.k) : found;
    first ??= numbers;
    const bytes = rgba(numbers.map((k) => [...hue(HUES[k]), STRONG]));
    return panelOf(model, base, { heat: coloured(bytes, model, base), still: true });
  });
  return {
    panels: panels2,
    columns: columnsFor(models, base),
    text: `The patches${base.count === 2 ? " of both photographs together" : ""} in ${state2.k} segments of similar features (k-means by cosine), separately in each model; segments that overlap most with those of the first model have their colours.`
  };
}
function alike(found, first, k) {
  const overlap = [];
  for (let a = 0; a < k; a++) {
    for (let b = 0; b < k; b++) {
      overlap.push([found.filter((value, i) => value === a && first[i] === b).length, a, b]);
    }
  }
  const names = new Array(k).fill(-1);
  for (const [, a, b] of overlap.sort((x, y) => y[0] - x[0])) {
    if (names[a] < 0 && !names.includes(b)) names[a] = b;
  }
  return found.map((value) => names[value]);
}
function hue(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}
function rgba(colours) {
  const made = new Uint8ClampedArray(4 * colours.length);
  colours.forEach((colour, i) => {
    if (colour) made.set(colour, 4 * i);
  });
  return made;
}
function coloured(bytes, { grid }, base) {
  const each = bytes.length / base.count;
  const parts = base.photos.map((_, i) => bytes.subarray(i * each, (i + 1) * each));
  return { rgba: besides(parts, grid, 4), grid: wideGrid(grid, base) };
}

// src/matches.ts
function matchesAddress(about2, state2) {
  const number = (name) => about2.models.findIndex((model) => model.name === name);
  const [first, second] = [number(state2.first), number(state2.second)];
  const step = (i) => stepOf(about2.models[i], state2, stepsOf(about2));
  return atStep(atStep(`matches/${first}/${second}`, step(first)), step(second), "second_step");
}
function trueOf(all, shown, side, [y, x]) {
  const [a, b] = shown.map((id) => all.find((photo) => photo.id === id)?.crop);
  if (!a || !b || a.pair !== b.pair) return null;
  const [from, to] = side === "a" ? [a, b] : [b, a];
  if (!isKnown(from, y, x)) return null;
  const turned2 = (value, { flip }) => flip ? 1 - value : value;
  const [top, left, height, width] = from.box;
  const source = [top + height * y, left + width * turned2(x, from)];
  const [atY, atX] = [(source[0] - to.box[0]) / to.box[2], (source[1] - to.box[1]) / to.box[3]];
  const place = [atY, turned2(atX, to)];
  return place.every((value) => value >= 0 && value <= 1) ? place : null;
}
function isKnown({ on = [] }, y, x) {
  const at = (share, count) => Math.min(count - 1, Math.floor(share * count));
  return on.length === 0 || on[at(y, on.length)][at(x, on[0].length)] === "1";
}

// src/heat.ts
var GREY = { shares: [0.2126, 0.7152, 0.0722].map((share) => 0.857 * share), least: 0.143 };
function numberText(value) {
  return String(Number(value.toPrecision(2))).replace("-", "−");
}

// src/similarity.ts
var MOST_LINKS = 60;
function similarityPanels(models, state2, got2, base) {
  const way = state2.cosine === COSINES[0] ? "unit" : "centred";
  const answers = models.map((model) => similarityOf(model, state2, got2, base, way));
  const title = way === "unit" ? "cosine" : "cosine, centred";
  const legend = [["query", "patch"]];
  if (base.count === 2) legend.push(["match", "most similar patch there"]);
  if (answers.some(({ away }) => away !== null)) legend.push(["true", "its true place"]);
  return {
    panels: answers.map((answer) => answer.panel),
    columns: columnsFor(models, base),
    legend,
    scales: { cosine: { title, low: -1, high: 1, bound: 1 } },
    text: similarityText(models, state2, base, answers)
  };
}
function similarityOf(model, state2, got2, base, way) {
  const { grid } = model;
  const rows = featuresOf(model, base, got2, way);
  const both = base.count === 2;
  const [here, there] = state2.side === "b" && both ? ["b", "a"] : ["a", "b"];
  const patch = patchOf(grid, state2);
  const found = rows.map((other) => products(rows[SIDES.indexOf(here)], other, patch));
  const cosines = found[SIDES.indexOf(there)];
  const match = both ? largest(cosines) : null;
  const truth = both ? trueOf(base.about.photos, base.photos, here, centreOf(grid, patch)) : null;
  const marks = [markAt(placeOf(grid, patch, here, base.count), "query")];
  if (match !== null) marks.push(markAt(placeOf(grid, match, there, 2), "match"));
  if (truth) marks.push(markAt([truth[0], (truth[1] + SIDES.indexOf(there)) / 2], "true"));
  const links = both ? linksOf(model, state2, got2, base, way, rows) : [];
  const heat = { values: besides(found, grid), grid: wideGrid(grid, base), scale: "cosine" };
  const panel = panelOf(model, base, {
    heat,
    marks,
    links: links.slice(0, MOST_LINKS),
    hovers: !state2.pinned,
    follows: true
  });
  return {
    panel,
    count: links.length,
    cosine: match === null ? null : cosines[match],
    away: match === null || !truth ? null : distance(grid, centreOf(grid, match), truth)
  };
}
function distance(grid, a, b) {
  return Math.hypot((a[0] - b[0]) * grid[0], (a[1] - b[1]) * grid[1]);
}
function linksOf(model, state2, got2, base, way, rows) {
  const all = got2(`mutual ${way}`, addressesOf(model, base), () => mutual(rows[0], rows[1]));
  const strong = all.filter(([, , cosine]) => cosine >= state2.least / 100);
  return strong.map(([i, j]) => {
    const [y, x] = centreOf(model.grid, i);
    return [
      ...placeOf(model.grid, i, "a", 2),
      ...placeOf(model.grid, j, "b", 2),
      `hsl(${Math.round(360 * x)} 90% ${Math.round(35 + 30 * y)}%)`
    ];
  });
}
function similarityText(models, state2, base, answers) {
  const { row, column } = rowAndColumn(models[0].grid, patchOf(models[0].grid, state2));
  const place = `row ${row}, column ${column}`;
  const pinned2 = `Pinned patch in ${place}: the pointer reads values in all models; a click elsewhere moves the pin, a click on it or Escape releases it.`;
  const free = state2.over ? `Patch in ${place}; a click pins it.` : "Move over a photograph: all models show what is similar to the patch under the pointer. A click pins it.";
  const said = state2.pinned ? pinned2 : free;
  if (base.count === 1) return said;
  const list = (value) => models.map(({ name }, i) => `${name} ${value(answers[i])}`).join(", ");
  const each = list(({ count }) => String(count));
  const best = list(({ cosine }) => numberText(cosine ?? NaN));
  const away = list((answer) => numberText(answer.away ?? NaN));
  const true_ = answers.every((answer) => answer.away !== null) ? ` Its distance from the true place in patches: ${away}.` : "";
  return `${said}
Cosine of the most similar patch there: ${best}.${true_} Mutual nearest neighbours with a cosine of ${(state2.least / 100).toFixed(2)} or more: ${each}` + (answers.some((answer) => answer.count > MOST_LINKS) ? ` (${MOST_LINKS} are drawn).` : ".");
}

// src/view.ts
var PANELS = {
  similarity: similarityPanels,
  components: componentPanels,
  segments: segmentPanels,
  attention: attentionPanels
};
function photosOf(state2) {
  return state2.beside && state2.show !== "attention" ? [state2.photo, state2.beside] : [
    state2.show === "attention" && state2.side === "b" && state2.beside ? state2.beside : state2.photo
  ];
}
function modelsOf(about2, state2) {
  const deepest = Math.max(...about2.models.map((model) => model.layers));
  const steps = stepsOf(about2);
  return about2.models.map((model, i) => ({
    ...model,
    i,
    layer: layerOf(model, state2, deepest),
    step: stepOf(model, state2, steps)
  }));
}
function layerOf(model, state2, deepest) {
  return Math.max(1, Math.ceil(state2.layer * model.layers / deepest));
}
function needed(about2, state2) {
  if (state2.show === "map") return neededByMap(about2, state2);
  if (state2.show === "matches") return [matchesAddress(about2, state2)];
  if (state2.show === "plane") return [planeAddress(state2)];
  const models = modelsOf(about2, state2);
  const photos = photosOf(state2);
  if (state2.show !== "attention") {
    return models.flatMap(({ i, layer, step }) => photos.map((photo) => atStep(`features/${i}/${photo}/${layer}`, step)));
  }
  const readable = models.filter((model) => model.heads);
  return readable.map(({ i, layer, step }) => atStep(
    state2.from === ROLLOUT ? `rollout/${i}/${photos[0]}` : `attention/${i}/${photos[0]}/${layer}`,
    step
  ));
}
function neededByMap(about2, state2) {
  const lasso = lassoOf(state2.lasso);
  const further = about2.map?.k ? ["/votes"] : [];
  const layouts = /* @__PURE__ */ new Set([state2.places, lasso?.places ?? state2.places]);
  further.push(...[...layouts].filter((each) => each !== "components").map((each) => `/${each}`));
  return about2.models.flatMap((_, i) => ["", ...further].map((part) => mapAddress(about2, state2, i, part)));
}
function viewEvent(about2, state2, event) {
  if (state2.show === "plane") return planeEvent(state2, event);
  if ("control" in event) return withControl(about2, state2, event.control, event.value);
  if (event.panel.startsWith("head ")) return { ...state2, head: event.panel.slice(5) };
  const patch = "hover" in event ? event.hover : "patch" in event ? event.patch : null;
  if (patch === null) return state2.pinned ? state2 : { ...state2, over: false };
  if ("hover" in event && state2.pinned) return state2;
  const model = about2.models.find((each) => event.panel === each.name);
  if (!model) return state2;
  const count = photosOf(state2).length;
  const [rows, columns] = model.grid;
  const [row, column] = [Math.floor(patch / (columns * count)), patch % (columns * count)];
  const place = {
    y: (row + 0.5) / rows,
    x: (column % columns + 0.5) / columns,
    side: count === 2 ? SIDES[Math.floor(column / columns)] : state2.side
  };
  if ("hover" in event) return { ...state2, ...place, over: true };
  const again = state2.side === place.side && state2.y === place.y && state2.x === place.x;
  const keyed = "keyed" in event && event.keyed === true;
  return { ...state2, ...place, over: true, pinned: keyed || !(state2.pinned && again) };
}
function viewScene(about2, state2, got2) {
  if (state2.show === "plane") return got2("scene", planeAddress(state2), ({ scene: scene2 }) => scene2);
  const photos = photosOf(state2);
  const models = modelsOf(about2, state2);
  const base = { about: about2, photos, image: photos.join("+"), count: photos.length };
  const panelsOf = PANELS[state2.show];
  const { panels: panels2, columns, text, scales = {}, legend = [] } = panelsOf(models, state2, got2, base);
  const depths = new Set(models.map((model) => model.layers)).size > 1;
  for (const panel of panels2) {
    const model = models.find((each) => each.name === panel.id);
    if (model && depths) panel.title += `, layer ${model.layer} of ${model.layers}`;
    if (model) panel.title += stepText(model, model.step);
  }
  return {
    panels: panels2,
    columns,
    text,
    scales,
    legend,
    controls: controlsOf(about2, state2),
    jumps: [],
    jumps_title: "",
    stops: about2.stops,
    symbols: {},
    linked: true
  };
}

// src/store.ts
var MOST_FETCHED = 3e8;
var MOST_DERIVED = 80;
var about;
var state;
var fetched = /* @__PURE__ */ new Map();
var derived = /* @__PURE__ */ new Map();
function open(facts, first) {
  about = facts;
  state = first(facts);
}
function missing() {
  return needed(about, state).filter((address) => !fetched.has(address));
}
var got = (kind, addresses, make) => {
  const key = `${kind} ${addresses}`;
  if (!derived.has(key)) {
    derived.set(key, make(fetched.get(String(addresses))));
    if (derived.size > MOST_DERIVED) derived.delete(derived.keys().next().value);
  }
  return derived.get(key);
};
function give(address, data) {
  keep(address, numbersOf(address, data));
}
function keep(address, answer) {
  fetched.set(address, answer);
  let size = [...fetched.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  for (const [old, { data }] of fetched) {
    if (size <= MOST_FETCHED || needed(about, state).includes(old)) break;
    size -= data.byteLength;
    fetched.delete(old);
  }
}
function numbersOf(address, data) {
  const [kind, index, part] = address.split("?")[0].split("/");
  const { width, grid } = about.models[Number(index)];
  const lengths = { attention: grid[0] * grid[1], map: part ? 2 : width };
  return rowsOf(data, lengths[kind] || width);
}
function rowsOf(data, width) {
  return { data, width, count: data.length / width };
}

// src/viewer.ts
if (!("URLSearchParams" in globalThis)) Object.assign(globalThis, { URLSearchParams: Words });
var CALLS = { settings, withSetting, selected, pinned, panels, missing, keep: keep2, scene };
Object.assign(globalThis, { called: (json) => {
  const [facts, link, name, ...rest] = JSON.parse(json);
  relabel(facts.photos);
  open(facts, () => restored(facts, link));
  const answer = CALLS[name](...rest);
  return JSON.stringify(answer ?? null, (_, value) => ArrayBuffer.isView(value) ? [...value] : value);
} });
function settings() {
  const labels = about.photos.map((photo2) => photo2.label ?? photo2.name);
  const photo = about.photos.findIndex(({ id }) => id === state.photo);
  return [
    choice("show", "show", showsOf(about), state.show),
    choice("photo", "photograph", labels, labels[photo]),
    ...controlsOf(about, state)
  ];
}
function withSetting(name, value) {
  const photo = about.photos.find((each) => each.label === value);
  return linkOf(about, name === "photo" && photo ? { ...state, photo: photo.id, side: "a" } : withControl(about, state, name, value));
}
function panels() {
  if (state.show !== "similarity" && state.show !== "attention") return {};
  const count = photosOf(state).length;
  const shown = about.models.filter(({ heads }) => heads || state.show === "similarity");
  return Object.fromEntries(shown.map(({ name, grid: [rows, columns] }) => [name, [rows, columns * count]]));
}
function selected(panel, patch) {
  return linkOf(about, viewEvent(about, state, { panel, patch, keyed: true }));
}
function pinned() {
  const [name, grid] = Object.entries(panels())[0] ?? [];
  const model = about.models.find((each) => each.name === name);
  if (!state.pinned || !model || !grid) return [null, null];
  const [columns, patch] = [model.grid[1], patchOf(model.grid, state)];
  const side = grid[1] > columns ? SIDES.indexOf(state.side) : 0;
  return [model.name, Math.floor(patch / columns) * grid[1] + side * columns + patch % columns];
}
function keep2(address, bytes) {
  give(address, halves(Uint8Array.from(bytes, (letter) => letter.charCodeAt(0)).buffer));
}
function scene() {
  return { ...viewScene(about, state, got), opacity: state.opacity / 100, photos: photosOf(state) };
}
