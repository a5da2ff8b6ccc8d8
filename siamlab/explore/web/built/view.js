// Built from siamlab/explore/web/src by `make web`.

// src/frame.ts
var page;
var around;
var main;
var sections;
var find = (selector) => page.querySelector(selector);
function frameIn(root, events) {
  [page, around] = [root, events];
  main = find("#explorer");
  sections = { map: find("#map"), matches: find("#matches") };
}
function isSection(show2) {
  return show2 in sections;
}
function say(sentence) {
  const alert = find(".alert");
  alert.textContent = sentence;
  alert.hidden = !sentence;
}
function showPart(show2) {
  main.hidden = isSection(show2);
  for (const [each, section] of Object.entries(sections)) section.hidden = each !== show2;
}
function setBusy(busy) {
  for (const part of [main, ...Object.values(sections)]) part.classList.toggle("busy", busy);
}

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
var PLACES = {
  components: "principal components",
  tsne: "t-SNE",
  umap: "UMAP"
};
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
  const readable = about2.models.some((model2) => model2.heads);
  const ways = WAYS.filter((show2) => show2 !== "attention" || readable);
  const planes = about2.studies?.length ? ["plane"] : [];
  if (about2.models.length === 0) return planes;
  const pairs = about2.pairs && about2.models.length > 1 ? ["matches"] : [];
  const map = about2.map ? ["map"] : [];
  return [...ways, ...pairs, ...map, ...planes];
}
function choicesOf(about2) {
  const ids = about2.photos.map((photo) => photo.id);
  const names = about2.models.map((model2) => model2.name);
  const most = Math.max(0, ...about2.models.map((model2) => model2.heads));
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
var CORNERS = 60;
var WORD = /^(components|tsne|umap) (\d+)((?: -?\d+\.-?\d+){3,64})$/;
function lassoWord({ places, map, corners }) {
  const every = Math.max(1, Math.ceil(corners.length / CORNERS));
  const kept = corners.filter((_, i) => i % every === 0);
  const words = kept.map((corner) => corner.map((value) => Math.round(1e3 * value)).join("."));
  return [places, map, ...words].join(" ");
}
function lassoOf(word) {
  const found = word.match(WORD);
  if (!found) return null;
  const corners = found[3].trim().split(" ").map((pair) => {
    const [x, y] = pair.split(".");
    return [Number(x) / 1e3, Number(y) / 1e3];
  });
  return { places: found[1], map: Number(found[2]), corners };
}
function isInside([x, y], corners) {
  let inside2 = false;
  corners.forEach(([x1, y1], i) => {
    const [x2, y2] = corners[(i + 1) % corners.length];
    if (y1 > y !== y2 > y && x < x1 + (y - y1) / (y2 - y1) * (x2 - x1)) inside2 = !inside2;
  });
  return inside2;
}
function pointsInside(points, corners) {
  return new Set([...points.keys()].filter((i) => isInside(points[i], corners)));
}

// src/plane.ts
var MATCHES = "matches";
var NUMBERS = /^\d+(\.\d+)*$/;
function planeAddress(state2, below = "") {
  const words = { study: state2.study, points: state2.points, probe: state2.probe, chosen: state2.runs };
  return `plane${below}?${new URLSearchParams(Object.entries(words).filter(([, word]) => word))}`;
}
function verdictAddress(state2, event) {
  return "patch" in event && event.panel === MATCHES ? planeAddress(state2, `/${MATCHES}/${event.patch}`) : null;
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
  const all = new Set(about2.models.flatMap((model2) => model2.steps || []));
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
function atStep(address2, step, name = "step") {
  if (step === null) return address2;
  return `${address2}${address2.includes("?") ? "&" : "?"}${name}=${step}`;
}
function mapAddress(about2, state2, i, part = "") {
  return atStep(`map/${i}${part}`, stepOf(about2.models[i], state2, stepsOf(about2)));
}
function shownStep(state2, steps) {
  return steps[state2.step].toLocaleString("en");
}

// src/shapes.ts
var SVG = "http://www.w3.org/2000/svg";
var UNIT = 1e3;
var WIDE = { ratio: 0.75, left: 170, right: 30, top: 30, bottom: 120, row: 50 };
function shape(parent, name, attributes) {
  const made = document.createElementNS(SVG, name);
  setAll(made, attributes);
  parent.appendChild(made);
  return made;
}
function setAll(element, attributes) {
  for (const [key2, value] of Object.entries(attributes)) element.setAttribute(key2, value);
}
function write(svg, words, x, y, kind) {
  const made = shape(svg, "text", { x, y, class: kind });
  made.textContent = words;
  return made;
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
var SHAPES = ["circle", "square", "triangle", "diamond"];
var GREY = "#888888";
function colourOf(label) {
  return label < 0 ? GREY : COLOURS[label % COLOURS.length];
}
function symbolPath(label, x, y, r) {
  const kind = SHAPES[label < 0 ? 0 : Math.floor(label / COLOURS.length) % SHAPES.length];
  if (kind === "square") return `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`;
  if (kind === "triangle") return `M${x} ${y - r}l${r} ${1.8 * r}h${-2 * r}z`;
  if (kind === "diamond") return `M${x} ${y - r}l${r} ${r}l${-r} ${r}l${-r} ${-r}z`;
  return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
}
function symbolOf(parent, label) {
  const svg = shape(parent, "svg", { viewBox: "-8 -8 16 16", width: 14, height: 14 });
  shape(svg, "path", { d: symbolPath(label, 0, 0, 6), fill: colourOf(label) });
}

// src/link.ts
function linkOf(about2, { y, x, side, pinned, over: _, ...rest }) {
  const start2 = startState(about2);
  const differing = Object.entries(rest).filter(([key2, value]) => value !== start2[key2]);
  const words = differing.map(([key2, value]) => [key2, String(value)]);
  if (pinned) words.push(["at", [side, y.toFixed(4), x.toFixed(4)].join(" ")]);
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
  const start2 = startState(about2);
  const made = { ...start2, ...chosenIn(about2, words), ...numbersIn(about2, start2, words) };
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
  return Object.fromEntries(Object.entries(words).filter(([key2, word]) => Object.hasOwn(known, key2) && known[key2]?.includes(word)));
}
function numbersIn(about2, start2, words) {
  const last = about2.map ? about2.map.labels.length - 1 : -1;
  const ends = [
    ["layer", 1, start2.layer],
    ["step", 0, start2.step],
    ["least", 0, 100],
    ["opacity", 0, 100],
    ["k", 2, HUES.length],
    ["image", -1, last]
  ];
  const found = ends.map(([key2, low, high]) => ({ key: key2, value: Number(words[key2]), low, high }));
  return Object.fromEntries(found.filter(({ value, low, high }) => Number.isInteger(value) && value >= low && value <= high).map(({ key: key2, value }) => [key2, value]));
}
function placeFrom([side, y, x]) {
  const inside2 = (word) => Math.min(0.999, Math.max(0, Number(word) || 0));
  const which = side === "b" ? "b" : "a";
  return { side: which, y: inside2(y), x: inside2(x), pinned: true };
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
  let start2 = 0;
  for (const part of parts) {
    data.set(part.data, start2);
    start2 += part.data.length;
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
  const place2 = share * (sorted.length - 1);
  const low = Math.floor(place2);
  const next = sorted[Math.min(low + 1, sorted.length - 1)];
  return sorted[low] + (next - sorted[low]) * (place2 - low);
}

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

// src/scenes.ts
function panelOf(model2, base, more) {
  return {
    id: model2.name,
    title: model2.name,
    image: base.image,
    grid: wideGrid(model2.grid, base),
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
function addressesOf(model2, base) {
  return base.photos.map((photo) => atStep(`features/${model2.i}/${photo}/${model2.layer}`, model2.step));
}
function featuresOf(model2, base, got2, way) {
  return addressesOf(model2, base).map((address2) => {
    if (way === "raw") return got2("raw", address2, (rows) => rows);
    return got2(way, address2, (rows) => unit(way === "unit" ? rows : centred(rows)));
  });
}

// src/attention.ts
function attentionPanels(models, state2, got2, base) {
  const readable = models.filter((model2) => model2.heads);
  if (state2.from === ROLLOUT) return rolloutPanels(models, readable, got2, base);
  const maps = readable.map((model2) => attentionOf(model2, base, got2));
  const high = Math.max(...maps.map((map) => state2.from === START ? map.start : map.patch), 1e-6);
  const panels = readable.map((model2, i) => {
    const head = state2.head !== MEAN && Number(state2.head) <= model2.heads ? Number(state2.head) : 0;
    return panelOf(model2, base, {
      heat: heatOf(model2, state2, maps[i], head),
      ...lookOf(model2, state2),
      span: readable.length > 2 ? 2 : 3
    });
  });
  const below = Math.max(0, readable.findIndex((model2) => model2.name === state2.heads));
  return {
    panels: [...panels, ...headPanels(readable[below], state2, maps[below], base)],
    columns: 6,
    text: attentionText(models, readable, state2),
    ...shares(high, true)
  };
}
function heatOf(model2, state2, map, head) {
  const from = state2.from === START ? 0 : 1 + patchOf(model2.grid, state2);
  return { values: map.row(head, from), grid: model2.grid, scale: "attention" };
}
function lookOf({ grid }, state2) {
  if (state2.from === START) return { still: true };
  const query = markAt(centreOf(grid, patchOf(grid, state2)), "query");
  return { hovers: !state2.pinned, follows: true, marks: [query] };
}
function headPanels(model2, state2, map, base) {
  return [...Array(model2 ? model2.heads : 0).keys()].map((i) => `${i + 1}`).map((head) => panelOf(model2, base, {
    id: `head ${head}`,
    title: `Head ${head}`,
    grid: [1, 1],
    heat: heatOf(model2, state2, map, Number(head)),
    chosen: state2.head === head
  }));
}
function shares(high, open2) {
  return { scales: { attention: { title: "attention", low: 0, high, bound: high, open: open2 } } };
}
function rolloutPanels(models, readable, got2, base) {
  const rows = readable.map((model2) => got2("rollout", atStep(`rollout/${model2.i}/${base.photos[0]}`, model2.step), ({ data }) => data));
  const panels = readable.map((model2, i) => panelOf(model2, base, {
    still: true,
    heat: { values: rows[i], grid: model2.grid, scale: "attention" }
  }));
  const high = Math.max(1e-6, ...rows.map((row) => Math.max(...row)));
  return {
    panels,
    columns: columnsFor(readable, base),
    ...shares(high, false),
    text: `Share of each patch in what flows into ${startOf(readable)} through all layers, heads averaged (rollout).${unreadable(models, readable)}`
  };
}
function attentionOf(model2, base, got2) {
  const address2 = atStep(`attention/${model2.i}/${base.photos[0]}/${model2.layer}`, model2.step);
  return got2("heads", address2, ({ data }) => {
    const count = model2.grid[0] * model2.grid[1];
    const size = (count + 1) * count;
    const mean2 = new Float32Array(size);
    data.forEach((value, i) => {
      mean2[i % size] += value / model2.heads;
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
  return readable.some((model2) => model2.start !== START) ? "the class token (of models without one, the mean patch)" : "the class token";
}
function unreadable(models, readable) {
  const none = models.filter((model2) => !readable.includes(model2)).map((model2) => model2.name);
  return none.length ? ` Attention of ${none.join(", ")} cannot be shown here.` : "";
}

// src/components.ts
var TAIL = 0.2;
function orthonormal(vectors) {
  for (let turn2 = 0; turn2 < 2; turn2++) {
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
  for (let turn2 = 0; turn2 < turns; turn2++) axes = orthonormal(spread(middle, axes));
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
  for (let turn2 = 0; turn2 < 30; turn2++) {
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
  const inside2 = [...Array(rows.count).keys()].filter((i) => kept[i]);
  const { width } = rows;
  const data = new Float32Array(inside2.length * width);
  inside2.forEach((i, at) => data.set(rows.data.subarray(i * width, (i + 1) * width), at * width));
  const far = cornerDistance(grid, rows.count);
  const reference = inside2.map((i) => far[i]);
  const channels = components({ data, width, count: inside2.length }, reference).map(stretched);
  const made = Array(rows.count).fill(null);
  inside2.forEach((i, at) => {
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
    const inside2 = [...first.keys()].filter((i) => first[i] > 0 === side2);
    return inside2.filter(border).length / Math.max(1, inside2.length);
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
  for (let turn2 = 0; turn2 < turns; turn2++) {
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
  const panels = models.map((model2) => {
    const colours = got2(`components ${state2.patches}`, addressesOf(model2, base), () => {
      const rows = joined(featuresOf(model2, base, got2, "raw"));
      return painted(rows, keptPatches(rows, model2.grid, state2.patches), model2.grid);
    });
    const bytes = rgba(colours.map((colour) => colour && [...colour.map((v) => 255 * v), SOLID]));
    return panelOf(model2, base, { heat: coloured(bytes, model2, base), still: true });
  });
  const which = state2.patches === SIDES_OF_FIRST[2] ? "" : " Patches on the other side of the first component are left out; they are often the background.";
  return {
    panels,
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
  const panels = models.map((model2) => {
    const found = got2(
      `segments ${state2.k}`,
      addressesOf(model2, base),
      () => segments(joined(featuresOf(model2, base, got2, "unit")), state2.k)
    );
    const numbers = first && first.length === found.length ? alike(found, first, state2.k) : found;
    first ??= numbers;
    const bytes = rgba(numbers.map((k) => [...hue(HUES[k]), STRONG]));
    return panelOf(model2, base, { heat: coloured(bytes, model2, base), still: true });
  });
  return {
    panels,
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
  const number = (name) => about2.models.findIndex((model2) => model2.name === name);
  const [first, second] = [number(state2.first), number(state2.second)];
  const step = (i) => stepOf(about2.models[i], state2, stepsOf(about2));
  return atStep(atStep(`matches/${first}/${second}`, step(first)), step(second), "second_step");
}
function trueOf(all, shown2, side, [y, x]) {
  const [a, b] = shown2.map((id) => all.find((photo) => photo.id === id)?.crop);
  if (!a || !b || a.pair !== b.pair) return null;
  const [from, to] = side === "a" ? [a, b] : [b, a];
  if (!isKnown(from, y, x)) return null;
  const turned2 = (value, { flip }) => flip ? 1 - value : value;
  const [top, left, height, width] = from.box;
  const source = [top + height * y, left + width * turned2(x, from)];
  const [atY, atX] = [(source[0] - to.box[0]) / to.box[2], (source[1] - to.box[1]) / to.box[3]];
  const place2 = [atY, turned2(atX, to)];
  return place2.every((value) => value >= 0 && value <= 1) ? place2 : null;
}
function isKnown({ on = [] }, y, x) {
  const at = (share, count) => Math.min(count - 1, Math.floor(share * count));
  return on.length === 0 || on[at(y, on.length)][at(x, on[0].length)] === "1";
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
  const layers = Math.max(...about2.models.map((model2) => model2.layers));
  const steps = stepsOf(about2);
  const step = steps.length ? [slider("step", "training step", state2.step, [0, steps.length - 1], shownStep(state2, steps))] : [];
  const opacity = slider("opacity", "colour", state2.opacity, [0, 100], `${state2.opacity} %`);
  const layer = state2.show === "attention" && state2.from === ROLLOUT ? [] : [slider("layer", "layer", state2.layer, [1, layers])];
  return [besideControl(about2, state2), ...layer, ...step, ...ownControls(about2, state2), opacity];
}
function slider(name, label, value, [low, high], shown2) {
  return { name, label, value, low, high, options: [], shown: shown2 };
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
  const { show: show2, cosine, patches, least, k } = state2;
  const way = {
    similarity: () => [
      choice("cosine", "cosine", COSINES, cosine),
      ...about2.photos.some((photo) => photo.id === state2.beside) ? [slider("least", "mutual matches from", least, [0, 100], (least / 100).toFixed(2))] : []
    ],
    components: () => [choice("patches", "patches", SIDES_OF_FIRST, patches)],
    segments: () => [slider("k", "segments", k, [2, HUES.length])],
    attention: () => attentionControls(about2, state2)
  };
  return way[show2]();
}
function attentionControls(about2, state2) {
  const readable = about2.models.filter((model3) => model3.heads);
  const model2 = readable.find((each) => each.name === state2.heads) || readable[0];
  if (!model2) return [];
  const from = choice("from", "attention of the", FROM, state2.from);
  if (state2.from === ROLLOUT) return [from];
  const heads = overHeads(model2.heads);
  const head = heads.options.includes(state2.head) ? state2.head : MEAN;
  return [
    from,
    { ...choice("head", "attention", heads.options, head), ...heads },
    choice("heads", "heads below", readable.map((each) => each.name), model2.name)
  ];
}

// src/charts.ts
function chartPlace(chart, high) {
  const rows = chart.kind === "lines" ? Math.ceil(chart.names.length / 2) : 0;
  const top = WIDE.top + WIDE.row * rows;
  const [width, height] = [UNIT - WIDE.left - WIDE.right, high - top - WIDE.bottom];
  return [(x) => WIDE.left + x * width, (y) => top + (1 - y) * height];
}
function drawChart(view, chart, high) {
  const { svg } = view;
  const [px, py] = chartPlace(chart, high);
  shape(svg, "path", { d: `M${px(0)} ${py(1)}V${py(0)}H${px(1)}`, class: "axis" });
  for (const [x, words] of chart.x_ticks) {
    const kind = x < 0.02 ? "tick start" : x > 0.98 ? "tick end" : "tick";
    write(svg, words, px(x), py(0) + 44, kind);
  }
  for (const [y, words] of chart.y_ticks) write(svg, words, px(0) - 12, py(y) + 12, "tick end");
  write(svg, chart.x_title, px(0.5), high - 16, "tick");
  const side = write(svg, chart.y_title, 0, 0, "tick");
  side.setAttribute("transform", `translate(34 ${py(0.5)}) rotate(-90)`);
  chart.note.split("\n").forEach((words, i) => {
    write(svg, words, px(0.5), py(0.5) + 44 * i, "tick");
  });
  if (chart.kind === "lines") drawLines(view, chart, px, py);
  else if (chart.kind === "bars") drawBars(view, chart, px, py);
  else drawPoints(view, chart, px, py);
  if (view.band) {
    const [x, y, toX, toY] = view.band;
    const size = { width: (toX - x) * UNIT, height: (toY - y) * high };
    shape(svg, "rect", { x: x * UNIT, y: y * high, ...size, class: "band" });
  }
  if (view.focused && chart.kind !== "lines") {
    const i = view.cursor;
    const middle = chart.kind === "bars" ? (chart.x[i] + chart.x[i + 1]) / 2 : chart.x[i];
    shape(svg, "circle", { cx: px(middle), cy: py(chart.y[i]), r: 32, class: "cursor" });
  }
}
function drawPoints({ svg, chosen, symbols }, chart, px, py) {
  const places = chart.x.map((x, i) => [px(x), py(chart.y[i])]);
  chart.places.forEach((place2, i) => {
    if (!place2 || Math.abs(py(place2[1]) - places[i][1]) < 50) return;
    const [x1, y1] = places[i];
    shape(svg, "line", { x1, y1, x2: px(place2[0]), y2: py(place2[1]), class: "leader" });
  });
  if (chart.joined) {
    shape(svg, "path", { d: `M${places.map((place2) => place2.join(" ")).join("L")}`, class: "way" });
  }
  chart.whiskers.forEach((ends, i) => {
    if (!ends) return;
    const [[x, y], [left, right, low, high]] = [places[i], ends];
    const d = `M${px(left)} ${y}H${px(right)}M${x} ${py(low)}V${py(high)}`;
    shape(svg, "path", { d, class: "under" });
    shape(svg, "path", { d, class: "whisker", style: `stroke: ${chart.colours[i]}` });
  });
  const order = [...places.keys()].sort((a, b) => Number(chosen.includes(a)) - Number(chosen.includes(b)));
  for (const i of order) {
    const kind = chosen.includes(i) ? "point chosen" : "point";
    const corners = symbols[chart.symbols[i]];
    const radius = chosen.includes(i) ? 20 : 13;
    const made = drawSymbol(svg, ...places[i], radius, corners, fillOf(chart, i), kind);
    shape(made, "title", {}).textContent = chart.names[i];
  }
  chart.places.forEach((place2, i) => {
    if (place2) write(svg, chart.names[i], px(place2[0]), py(place2[1]) + 12, "tick named");
  });
}
function drawBars({ svg, chosen }, chart, px, py) {
  chart.y.forEach((y, i) => {
    const size = { width: px(chart.x[i + 1]) - px(chart.x[i]), height: py(0) - py(y) };
    const kind = chosen.includes(i) ? "column chosen" : "column";
    const bar = shape(svg, "rect", { x: px(chart.x[i]), y: py(y), ...size, class: kind });
    shape(bar, "title", {}).textContent = chart.names[i];
  });
}
function drawLines({ svg, symbols }, chart, px, py) {
  chart.x.forEach((xs, i) => {
    const way = xs.map((x, j) => [px(x), py(chart.y[i][j])]);
    const symbol = (x, y) => drawSymbol(svg, x, y, 13, symbols[chart.symbols[i]], fillOf(chart, i), "point");
    const d = "M" + way.map((place2) => place2.join(" ")).join("L");
    shape(svg, "path", { d, class: "under" });
    shape(svg, "path", { d, class: "curve", style: `stroke: ${chart.colours[i]}` });
    symbol(...way[way.length - 1]);
    const [left, top] = [30 + 490 * (i % 2), WIDE.top + WIDE.row * Math.floor(i / 2)];
    symbol(left, top);
    write(svg, chart.names[i], left + 25, top + 12, "tick start");
  });
}
function fillOf({ symbols, colours }, i) {
  return symbols[i].endsWith("open") ? `fill: #fff; stroke: ${colours[i]}` : `fill: ${colours[i]}`;
}
function drawSymbol(svg, x, y, radius, outline, style, kind) {
  const corners = outline.map(([right, down]) => [x + radius * right, y + radius * down]);
  return shape(svg, "polygon", { points: corners.join(" "), class: kind, style });
}

// src/marks.ts
function drawPanel(view) {
  const { svg, panel, ratio, pointed, focused, cursor } = view;
  const high = UNIT * ratio;
  if (panel.chart) return drawChart(view, panel.chart, high);
  const [rows, columns] = panel.grid || panel.heat?.grid || [14, 14];
  const cell = { width: UNIT / columns, height: high / rows };
  panel.boxes.forEach((box, i) => drawBox(svg, box, high, i > 0));
  for (const [y, x, toY, toX] of panel.arrows) {
    const ends = { x1: x * UNIT, y1: y * high, x2: toX * UNIT, y2: toY * high };
    shape(svg, "line", { ...ends, class: "edge" });
    shape(svg, "line", { ...ends, class: "arrow" });
  }
  for (const link of panel.links || []) drawLink(svg, link, high);
  for (const mark of [...panel.marks].reverse()) drawMark(svg, mark, high, cell);
  if (pointed !== void 0 && pointed !== null) drawCursor(svg, pointed, columns, cell);
  if (focused) drawCursor(svg, cursor, columns, cell);
}
function drawCursor(svg, patch, columns, cell) {
  const [row, column] = [Math.floor(patch / columns), patch % columns];
  shape(svg, "rect", { x: column * cell.width, y: row * cell.height, ...cell, class: "cursor" });
}
function drawBox(svg, box, high, other) {
  const place2 = { x: box.left * UNIT, y: box.top * high };
  const size = { width: box.width * UNIT, height: box.height * high };
  shape(svg, "rect", { ...place2, ...size, class: "edge" });
  shape(svg, "rect", { ...place2, ...size, class: "box", stroke: box.colour });
  const x = other ? place2.x + size.width - 12 : place2.x + 12;
  const name = shape(svg, "text", { x, y: place2.y + 48, class: other ? "name other" : "name" });
  name.textContent = box.name;
  if (box.movable) {
    const corner = { cx: place2.x + size.width, cy: place2.y + size.height, r: 26 };
    shape(svg, "circle", { ...corner, class: "handle", fill: box.colour });
  }
}
function drawMark(svg, mark, high, cell) {
  const [x, y] = [mark.x * UNIT, mark.y * high];
  const half = { x: x - cell.width / 2, y: y - cell.height / 2 };
  if (mark.kind === "query" || mark.kind === "match") {
    shape(svg, "rect", { ...half, ...cell, class: "edge" });
    shape(svg, "rect", { ...half, ...cell, class: mark.kind });
  } else if (mark.kind === "true") {
    for (const kind of ["edge", "true"]) {
      shape(svg, "path", { d: `M${x - 28} ${y}h56M${x} ${y - 28}v56`, class: kind });
    }
  } else {
    shape(svg, "circle", { cx: x, cy: y, r: 30, class: "next" });
    shape(svg, "text", { x, y: y + 15, class: "rank" }).textContent = mark.text;
  }
}
function drawLink(svg, [y, x, toY, toX, colour], high) {
  const ends = { x1: x * UNIT, y1: y * high, x2: toX * UNIT, y2: toY * high };
  shape(svg, "line", { ...ends, class: "link under" });
  shape(svg, "line", { ...ends, class: "link", stroke: colour });
  for (const [cy, cx] of [[y, x], [toY, toX]]) {
    shape(svg, "circle", { cx: cx * UNIT, cy: cy * high, r: 7, class: "end", style: `fill: ${colour}` });
  }
}

// src/drawing.ts
function clickable(panel) {
  return Boolean(panel.grid && !panel.still);
}
function draw(view) {
  const { svg, panel, ratio } = view;
  if (!ratio) return;
  svg.setAttribute("viewBox", `0 0 ${UNIT} ${UNIT * ratio}`);
  svg.replaceChildren();
  view.focused = document.activeElement === svg && clickable(panel);
  drawPanel(view);
}

// src/elements.ts
function add(parent, name, attributes = {}, content = "") {
  const made = document.createElement(name);
  for (const [key2, value] of Object.entries(attributes)) made.setAttribute(key2, String(value));
  if (content) made.textContent = content;
  parent.appendChild(made);
  return made;
}
function tell(element, words) {
  if (element.textContent !== words) element.textContent = words;
}
function penOf(canvas, settings) {
  return canvas.getContext("2d", settings);
}
function sentenceOf(error) {
  return error instanceof Error ? error.message : String(error);
}

// src/heat.ts
var OPACITY = 0.75;
var GREY2 = { shares: [0.2126, 0.7152, 0.0722].map((share) => 0.857 * share), least: 0.143 };
function paint({ panel, heat: canvas, colours }, stops) {
  const { heat } = panel;
  canvas.hidden = !heat;
  if (!heat) return;
  const [rows, columns] = heat.grid;
  Object.assign(canvas, { width: columns, height: rows });
  const pixels = new ImageData(columns, rows);
  if (heat.rgba) pixels.data.set(heat.rgba);
  else if (colours) shadeLevels(pixels.data, levelsOf(heat, colours.bound), tableOf(stops));
  penOf(canvas).putImageData(pixels, 0, 0);
}
function levelsOf(heat, bound) {
  if (heat.levels !== void 0) return bytesOf(heat.levels);
  return Uint8Array.from(heat.values, (value) => Number.isFinite(value) ? 128 + Math.round(127 * Math.min(1, Math.max(-1, value / bound))) : 0);
}
function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
function shadeLevels(data, levels, table) {
  levels.forEach((level, i) => {
    if (level > 0) data.set(table[level], 4 * i);
  });
}
var TABLES = /* @__PURE__ */ new Map();
function tableOf(stops) {
  const key2 = stops.join();
  const known = TABLES.get(key2);
  if (known) return known;
  const made = [...Array(256).keys()].map((level) => {
    const opacity = 255 * OPACITY * Math.abs(level - 128) / 127;
    return [...shade(stops, (level - 1) / 254), opacity];
  });
  TABLES.set(key2, made);
  return made;
}
function shade(stops, share) {
  const place2 = Math.max(0, share) * (stops.length - 1);
  const low = Math.min(Math.floor(place2), stops.length - 2);
  const [a, b] = [stops[low], stops[low + 1]].map((stop) => (stop.match(/\d+/g) ?? []).map(Number));
  return a.map((value, i) => Math.round(value + (b[i] - value) * (place2 - low)));
}
function showScale(view, stops, wide) {
  const { scale, colours } = view;
  const shown2 = JSON.stringify([colours, wide]);
  if (scale.dataset.shown !== shown2) makeScale(scale, colours, stops, wide);
  scale.dataset.shown = shown2;
  const output = scale.querySelector("output");
  if (output && colours) tell(output, wide ? colours.title : "");
}
function makeScale(scale, colours, stops, wide) {
  scale.hidden = !colours;
  scale.replaceChildren();
  if (!colours) return;
  if (wide) {
    add(scale, "span", {}, numberText(colours.low));
    const bar = add(scale, "span", { class: "bar", role: "img", "aria-label": "colour scale" });
    const steps = [...Array(17).keys()].map((i) => colours.low + i / 16 * (colours.high - colours.low));
    const shades = steps.map((value) => {
      const share = value / colours.bound;
      return `rgb(${shade(stops, (share + 1) / 2).join(" ")} / ${OPACITY * Math.abs(share)})`;
    });
    bar.style.background = `linear-gradient(90deg, ${shades.join(", ")}), #fff`;
    add(scale, "span", {}, `${colours.open ? "≥ " : ""}${numberText(colours.high)}`);
  }
  add(scale, "output");
}
function pointAt(view, at) {
  const { panel, colours, scale, linked } = view;
  const output = scale.querySelector("output");
  const patch = at && panel.heat ? patchAt(panel.heat.grid, ...at) : null;
  const pointed = linked && !panel.hovers ? patch : null;
  if (view.pointed !== pointed) {
    view.pointed = pointed;
    draw(view);
  }
  if (!panel.heat || panel.heat.rgba || !colours || !output) return;
  const value = patch === null ? "" : valueText(panel.heat, colours, patch);
  const wide = scale.childElementCount > 1;
  tell(output, wide || value ? colours.title + value : "");
}
function valueText({ values, levels }, colours, patch) {
  if (values) return Number.isFinite(values[patch]) ? ` ${numberText(values[patch])}` : "";
  const level = atob(levels).charCodeAt(patch);
  const most = colours.open && level === 255 ? "≥ " : "";
  return level ? ` ${most}${numberText(colours.bound * (level - 128) / 127)}` : "";
}
function numberText(value) {
  return String(Number(value.toPrecision(2))).replace("-", "−");
}

// src/similarity.ts
var MOST_LINKS = 60;
function similarityPanels(models, state2, got2, base) {
  const way = state2.cosine === COSINES[0] ? "unit" : "centred";
  const answers = models.map((model2) => similarityOf(model2, state2, got2, base, way));
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
function similarityOf(model2, state2, got2, base, way) {
  const { grid } = model2;
  const rows = featuresOf(model2, base, got2, way);
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
  const links2 = both ? linksOf(model2, state2, got2, base, way, rows) : [];
  const heat = { values: besides(found, grid), grid: wideGrid(grid, base), scale: "cosine" };
  const panel = panelOf(model2, base, {
    heat,
    marks,
    links: links2.slice(0, MOST_LINKS),
    hovers: !state2.pinned,
    follows: true
  });
  return {
    panel,
    count: links2.length,
    cosine: match === null ? null : cosines[match],
    away: match === null || !truth ? null : distance(grid, centreOf(grid, match), truth)
  };
}
function distance(grid, a, b) {
  return Math.hypot((a[0] - b[0]) * grid[0], (a[1] - b[1]) * grid[1]);
}
function linksOf(model2, state2, got2, base, way, rows) {
  const all = got2(`mutual ${way}`, addressesOf(model2, base), () => mutual(rows[0], rows[1]));
  const strong = all.filter(([, , cosine]) => cosine >= state2.least / 100);
  return strong.map(([i, j]) => {
    const [y, x] = centreOf(model2.grid, i);
    return [
      ...placeOf(model2.grid, i, "a", 2),
      ...placeOf(model2.grid, j, "b", 2),
      `hsl(${Math.round(360 * x)} 90% ${Math.round(35 + 30 * y)}%)`
    ];
  });
}
function similarityText(models, state2, base, answers) {
  const { row, column } = rowAndColumn(models[0].grid, patchOf(models[0].grid, state2));
  const place2 = `row ${row}, column ${column}`;
  const pinned = `Pinned patch in ${place2}: the pointer reads values in all models; a click elsewhere moves the pin, a click on it or Escape releases it.`;
  const free = state2.over ? `Patch in ${place2}; a click pins it.` : "Move over a photograph: all models show what is similar to the patch under the pointer. A click pins it.";
  const said = state2.pinned ? pinned : free;
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
  const deepest = Math.max(...about2.models.map((model2) => model2.layers));
  const steps = stepsOf(about2);
  return about2.models.map((model2, i) => ({
    ...model2,
    i,
    layer: layerOf(model2, state2, deepest),
    step: stepOf(model2, state2, steps)
  }));
}
function layerOf(model2, state2, deepest) {
  return Math.max(1, Math.ceil(state2.layer * model2.layers / deepest));
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
  const readable = models.filter((model2) => model2.heads);
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
  const model2 = about2.models.find((each) => event.panel === each.name);
  if (!model2) return state2;
  const count = photosOf(state2).length;
  const [rows, columns] = model2.grid;
  const [row, column] = [Math.floor(patch / (columns * count)), patch % (columns * count)];
  const place2 = {
    y: (row + 0.5) / rows,
    x: (column % columns + 0.5) / columns,
    side: count === 2 ? SIDES[Math.floor(column / columns)] : state2.side
  };
  if ("hover" in event) return { ...state2, ...place2, over: true };
  const again = state2.side === place2.side && state2.y === place2.y && state2.x === place2.x;
  const keyed = "keyed" in event && event.keyed === true;
  return { ...state2, ...place2, over: true, pinned: keyed || !(state2.pinned && again) };
}
function viewScene(about2, state2, got2) {
  if (state2.show === "plane") return got2("scene", planeAddress(state2), ({ scene }) => scene);
  const photos = photosOf(state2);
  const models = modelsOf(about2, state2);
  const base = { about: about2, photos, image: photos.join("+"), count: photos.length };
  const panelsOf = PANELS[state2.show];
  const { panels, columns, text, scales = {}, legend = [] } = panelsOf(models, state2, got2, base);
  const depths = new Set(models.map((model2) => model2.layers)).size > 1;
  for (const panel of panels) {
    const model2 = models.find((each) => each.name === panel.id);
    if (model2 && depths) panel.title += `, layer ${model2.layer} of ${model2.layers}`;
    if (model2) panel.title += stepText(model2, model2.step);
  }
  return {
    panels,
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

// src/server.ts
async function asked(address2, request) {
  return (await fetched(address2, request)).json();
}
async function numbersAt(address2) {
  return halves(await (await fetched(address2)).arrayBuffer());
}
async function fetched(address2, request) {
  const answer = await fetch(address2, request).catch(() => {
    throw new Error("The server does not answer: was `siamlab view` ended? Start it again.");
  });
  if (answer.ok) return answer;
  const { error } = await answer.json().catch(() => ({}));
  throw new Error(error || answer.statusText);
}
function photoAddress(id, kind = "photos") {
  return `${kind}/${id}`;
}

// src/store.ts
var MOST_FETCHED = 3e8;
var MOST_DERIVED = 80;
var about;
var state;
var fetched2 = /* @__PURE__ */ new Map();
var asking = /* @__PURE__ */ new Map();
var derived = /* @__PURE__ */ new Map();
function open(facts, first) {
  about = facts;
  state = first(facts);
}
function enter(next) {
  state = next;
}
function missing() {
  return needed(about, state).filter((address2) => !fetched2.has(address2));
}
var got = (kind, addresses, make) => {
  const key2 = `${kind} ${addresses}`;
  if (!derived.has(key2)) {
    derived.set(key2, make(fetched2.get(String(addresses))));
    if (derived.size > MOST_DERIVED) derived.delete(derived.keys().next().value);
  }
  return derived.get(key2);
};
function once(address2) {
  const known = asking.get(address2);
  if (known) return known;
  const promise = fetchNumbers(address2).finally(() => asking.delete(address2));
  asking.set(address2, promise);
  return promise;
}
async function fetchNumbers(address2) {
  keep(address2, await answerAt(address2));
}
function keep(address2, answer) {
  fetched2.set(address2, answer);
  let size = [...fetched2.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  for (const [old, { data }] of fetched2) {
    if (size <= MOST_FETCHED || needed(about, state).includes(old)) break;
    size -= data.byteLength;
    fetched2.delete(old);
  }
}
async function answerAt(address2) {
  const [kind, , part] = address2.split("?")[0].split("/");
  const none = new Uint8Array(0);
  if (kind === "plane") return { scene: await asked(address2), data: none };
  if (kind === "matches") return { ...await asked(address2), data: none };
  if (part === "votes") {
    const { label, share } = await asked(address2);
    return { ...rowsOf(Int32Array.from(label), 1), share };
  }
  return numbersOf(address2, await numbersAt(address2));
}
function numbersOf(address2, data) {
  const [kind, index, part] = address2.split("?")[0].split("/");
  const { width, grid } = about.models[Number(index)];
  const lengths = { attention: grid[0] * grid[1], map: part ? 2 : width };
  return rowsOf(data, lengths[kind] || width);
}
function rowsOf(data, width) {
  return { data, width, count: data.length / width };
}

// src/address.ts
var address = {
  read: () => location.hash,
  write: (link) => history.replaceState(null, "", link || location.pathname),
  follow: (call) => window.addEventListener("hashchange", call)
};
async function copyLink() {
  address.write(linkOf(about, state));
  const button2 = find("[data-does=link]");
  try {
    await navigator.clipboard.writeText(location.href);
    button2.textContent = "Copied";
    setTimeout(() => {
      button2.textContent = "Copy link";
    }, 1500);
  } catch {
    say(`Copy the address of this page: ${location.href}`);
  }
}

// src/files.ts
function takeFiles(change2) {
  const add2 = (files) => addFiles([...files ?? []], change2);
  const input = find("input[type=file]");
  input.addEventListener("change", () => {
    add2(input.files);
    input.value = "";
  });
  input.parentElement?.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      input.click();
    }
  });
  around.addEventListener("paste", (event) => add2(event.clipboardData?.files));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    around.addEventListener(kind, (event) => {
      event.preventDefault();
      page.classList.toggle("over", kind === "dragover");
      if (kind === "drop") add2(event.dataTransfer?.files);
    });
  }
}
async function addFiles(files, change2) {
  const ids = [];
  say("");
  for (const file of files) {
    try {
      ids.push(await sent(file));
    } catch (error) {
      say(sentenceOf(error));
    }
  }
  if (ids.length === 0) return;
  const beside = ids.length > 1 ? ids[1] : state.beside;
  await change2({ ...state, photo: ids[0], beside, side: "a" });
  find(".strip .shown").scrollIntoView({ inline: "nearest", block: "nearest" });
}
async function sent(file) {
  if (file.size > about.most_bytes) {
    const most = about.most_bytes / 2 ** 20;
    throw new Error(`${file.name} is larger than ${most} MB; save it smaller and add it again`);
  }
  const query = new URLSearchParams({ name: file.name });
  return taken(await asked(`photos?${query}`, { method: "POST", body: file }));
}
function taken(photo) {
  if (!about.photos.some((each) => each.id === photo.id)) about.photos.push(photo);
  relabel(about.photos);
  return photo.id;
}

// src/model.ts
function pageModel(first, answer) {
  const shown2 = { ...first, event: null, answered: 0 };
  const listeners = {};
  const model2 = {
    get: (name) => shown2[name],
    set: (name, value) => {
      shown2[name] = value;
    },
    on: (name, call) => {
      listeners[name] = call;
    },
    save_changes: () => answer(shown2.event)
    // panels set it before
  };
  return { shown: shown2, model: model2, tell: () => listeners["change:scene"]?.() };
}

// src/controls.ts
function showControls(bar, controls, send, isAhead) {
  for (const label of bar.children) label.hidden = true;
  controls.forEach((control, i) => {
    const input = bar.querySelector(`[name="${control.name}"]`) ?? makeControl(bar, control, send);
    const label = input.parentElement;
    const steps = control.slider ? control.options : [];
    const [low, high] = steps.length ? [0, steps.length - 1] : [control.low, control.high];
    if (input instanceof HTMLSelectElement) offer(input, control.options);
    else {
      setAll(input, { min: low, max: high });
      input.dataset.steps = JSON.stringify(steps);
      const words = control.words?.[steps.indexOf(String(control.value))] ?? control.shown ?? control.value;
      label.querySelector("output").textContent = String(words);
      setAll(input, { "aria-valuetext": words });
    }
    label.style.order = String(i);
    label.hidden = false;
    input.hidden = input instanceof HTMLInputElement && low === high;
    const value = String(steps.length ? steps.indexOf(String(control.value)) : control.value);
    if (value !== input.value && !isAhead(control.name)) input.value = value;
  });
}
function makeControl(bar, { name, label: words, options, slider: slider2 }, send) {
  const label = add(bar, "label");
  add(label, "span", {}, words);
  const choice2 = options.length > 0 && !slider2;
  const input = choice2 ? add(label, "select", { name }) : add(label, "input", { name, type: "range", step: 1 });
  input.addEventListener("input", () => send({ control: name, value: choice2 ? input.value : valueOf(input) }));
  add(label, "output");
  return input;
}
function valueOf({ value, dataset }) {
  const steps = JSON.parse(dataset.steps ?? "[]");
  return steps.length ? steps[Number(value)] : Number(value);
}
function offer(input, options) {
  const known = [...input.options].map((option) => option.value).join();
  if (known === options.join()) return;
  input.replaceChildren();
  for (const option of options) add(input, "option", { value: option }, option);
}

// src/input.ts
var INTERVAL = 60;
var CLICK = 5;
function place(view, event) {
  const area = view.svg.getBoundingClientRect();
  const share = (value, low, size) => Math.min(0.999, Math.max(0, (value - low) / size));
  return [share(event.clientX, area.left, area.width), share(event.clientY, area.top, area.height)];
}
function point(view, event, send) {
  const at = event && place(view, event);
  const { views, pointed } = view.all;
  if (view.linked) pointed.at = at;
  const over = at && view.panel.grid && patchAt(view.panel.grid, ...at);
  if (view.panel.hovers && (!event || event.pointerType === "mouse") && over !== view.over) {
    view.over = over;
    send({ panel: view.panel.id, hover: over });
    if (view.linked) return;
  }
  for (const other of view.linked ? views.values() : [view]) pointAt(other, at);
}
function press(view, event, send) {
  if (event.button !== 0 || !event.isPrimary) return;
  const box = view.panel.boxes.find((each) => each.movable);
  if (box) return drag(view, box, event, send);
  const { panel } = view;
  if (!clickable(panel)) return;
  if (isBrushed(view)) return brush(view, event, send);
  const under = (now) => patchAt(panel.grid, ...place(view, now));
  const patch = under(event);
  follow(view.svg, event, () => {
  }, (last, cancelled) => {
    if (cancelled || under(last) !== patch) return;
    view.cursor = patch;
    send({ panel: view.panel.id, patch });
  });
}
function isBrushed(view) {
  const { chart, several: several2 } = view.panel;
  return several2 && chart !== null && chart.kind !== "lines";
}
function follow(element, event, moving, ended) {
  const stop = new AbortController();
  const listen = (name, call) => element.addEventListener(name, call, { signal: stop.signal });
  const end = (last) => {
    stop.abort();
    ended(last, last.type === "pointercancel");
  };
  element.setPointerCapture(event.pointerId);
  listen("pointermove", moving);
  listen("pointerup", end);
  listen("pointercancel", end);
}
function drag(view, box, event, send) {
  const [x, y] = place(view, event);
  const [right, bottom] = [box.left + box.width, box.top + box.height];
  const size = Math.hypot(x - right, y - bottom) < 0.06;
  const within = x > box.left && x < right && y > box.top && y < bottom;
  const grip = within || size ? [x - box.left, y - box.top] : [box.width / 2, box.height / 2];
  let last = 0;
  const move = (moved, end) => {
    const now = Date.now();
    if (!end && now - last < INTERVAL) return;
    last = now;
    const [px, py] = place(view, moved);
    const next = size ? [box.top, box.left, Math.max(0.1, py - box.top), Math.max(0.1, px - box.left)] : [py - grip[1], px - grip[0], box.height, box.width];
    send({ panel: view.panel.id, box: inside(next) });
  };
  follow(view.svg, event, (moved) => move(moved, false), (last2, cancelled) => cancelled || move(last2, true));
}
function brush(view, event, send) {
  const { panel } = view;
  const bars = panel.chart.kind === "bars";
  const start2 = place(view, event);
  const begun2 = chartPart(view, ...start2);
  let moved = false;
  let parts = [];
  const moving = (now) => {
    moved ||= isDrag(event, now);
    if (!moved) return;
    const [[x, y], [toX, toY]] = [start2, place(view, now)];
    const [top, bottom] = bars ? [0, 1] : [Math.min(y, toY), Math.max(y, toY)];
    view.band = [Math.min(x, toX), top, Math.max(x, toX), bottom];
    parts = bars ? range(begun2, chartPart(view, toX, toY)) : pointsIn(view, view.band);
    view.chosen = parts;
    draw(view);
  };
  follow(view.svg, event, moving, (last, cancelled) => {
    if (!cancelled) moving(last);
    view.band = null;
    view.chosen = panel.chart.chosen;
    if (!cancelled && moved && parts.length > 0) several(view, parts, parts[parts.length - 1], send);
    if (!cancelled && !moved && event.shiftKey) several(view, extended(view, begun2), begun2, send);
    if (!cancelled && !moved && !event.shiftKey) {
      view.cursor = begun2;
      alone(view, send);
    }
    draw(view);
  });
}
function isDrag(from, now) {
  return Math.hypot(now.clientX - from.clientX, now.clientY - from.clientY) > CLICK;
}
function several(view, parts, cursor, send) {
  if (parts.length === 0) return;
  Object.assign(view, { cursor, chosen: parts });
  send({ panel: view.panel.id, parts });
}
function alone(view, send) {
  if (view.panel.several) view.chosen = [view.cursor];
  send({ panel: view.panel.id, patch: view.cursor });
}
function extended(view, part) {
  const { chosen, cursor } = view;
  if (view.panel.chart.kind === "bars") {
    const [low, high] = [Math.min(...chosen), Math.max(...chosen)];
    return range(cursor === high ? low : cursor === low ? high : cursor, part);
  }
  const others = chosen.filter((each) => each !== part);
  return others.length < chosen.length ? others : [...others, part].sort((a, b) => a - b);
}
function range(from, to) {
  const low = Math.min(from, to);
  return [...Array(Math.abs(to - from) + 1).keys()].map((i) => low + i);
}
function pointsIn(view, [left, top, right, bottom]) {
  const { chart } = view.panel;
  const high = UNIT * view.ratio;
  const [px, py] = chartPlace(chart, high);
  const within = (low, value, most) => low <= value && value <= most;
  return [...chart.x.keys()].filter((i) => within(left, px(chart.x[i]) / UNIT, right) && within(top, py(chart.y[i]) / high, bottom));
}
function inside([top, left, height, width]) {
  const clamp = (low, size) => Math.min(1 - size, Math.max(0, low));
  const [h, w] = [Math.min(1, height), Math.min(1, width)];
  return [clamp(top, h), clamp(left, w), h, w];
}
var STEPS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0]
};
function key(view, event, send) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const handled = act(view, event, send);
  if (handled !== void 0) event.stopPropagation();
  if (handled) event.preventDefault();
}
function act(view, event, send) {
  const { panel } = view;
  const step = STEPS[event.key];
  const box = panel.boxes.find((each) => each.movable);
  const grows = { "+": 0.04, "-": -0.04 }[event.key];
  const enter2 = event.key === "Enter";
  if (box && (step || grows)) return nudge(view, box, step || [0, 0], grows || 0, send);
  if (!clickable(panel)) return void 0;
  if (step) return moveCursor(view, panel.grid, step, event.shiftKey, send);
  if (!enter2 && event.key !== " ") return void 0;
  if (enter2 && event.shiftKey && isBrushed(view)) {
    several(view, extended(view, view.cursor), view.cursor, send);
    draw(view);
  } else {
    alone(view, send);
    draw(view);
  }
  return true;
}
function nudge(view, box, step, grows, send) {
  const old = [box.top, box.left, box.height, box.width];
  const grown = (side) => Math.max(0.1, side + grows);
  const [top, left] = [box.top + 0.02 * step[0], box.left + 0.02 * step[1]];
  const next = inside([top, left, grown(box.height), grown(box.width)]);
  const moved = next.some((side, i) => Math.abs(side - old[i]) > 2e-4);
  if (moved) send({ panel: view.panel.id, box: next, step });
  return moved;
}
function moveCursor(view, grid, [down, right], extend, send) {
  const { panel } = view;
  const [rows, columns] = grid;
  const [row, column] = [Math.floor(view.cursor / columns) + down, view.cursor % columns + right];
  if (row < 0 || row >= rows || column < 0 || column >= columns) return false;
  const next = row * columns + column;
  const bars = panel.chart?.kind === "bars";
  if (extend && bars && isBrushed(view)) several(view, extended(view, next), next, send);
  view.cursor = next;
  draw(view);
  if (panel.follows) send({ panel: panel.id, patch: next, keyed: true });
  return true;
}
function chartPart(view, x, y) {
  const chart = view.panel.chart;
  const [px, py] = chartPlace(chart, UNIT * view.ratio);
  const [atX, atY] = [x * UNIT, y * UNIT * view.ratio];
  if (chart.kind === "bars") {
    const right = chart.x.slice(1).findIndex((edge) => atX < px(edge));
    return right < 0 ? chart.y.length - 1 : right;
  }
  const distances = chart.y.map((value, i) => Math.hypot(px(chart.x[i]) - atX, py(value) - atY));
  return distances.indexOf(Math.min(...distances));
}

// src/panels.ts
var PATIENCE = 5e3;
var LATE = "No answer yet: the kernel is busy, or it was restarted. After a restart, run this cell again.";
var LOST = "The kernel that answers was restarted, or is out of reach. After a restart, run this cell again.";
function mount(model2, el, offer2) {
  const root = add(el, "div", { class: "siamlab-explorer" });
  const tools = add(root, "div", { class: "tools" });
  addFullScreen(tools, root);
  const gone = add(root, "p", { class: "gone", role: "alert" });
  const text = add(root, "p", { class: "text", role: "status", "aria-live": "polite" });
  const controls = add(root, "div", { class: "controls" });
  const body = add(root, "div", { class: "body" });
  const panels = add(body, "div", { class: "panels" });
  const jumps = add(body, "div", { class: "jumps" });
  const foot = add(root, "div", { class: "foot" });
  const legend = add(foot, "div", { class: "legend" });
  const colour = addColour(foot, root);
  const all = { views: /* @__PURE__ */ new Map(), pointed: { at: null } };
  const { send, answered, isAhead } = sender(model2, root, gone, offer2);
  controls.addEventListener("keydown", keepKeys);
  jumps.addEventListener("keydown", keepKeys);
  const updateControls = () => showControls(controls, model2.get("scene").controls || [], send, isAhead);
  const show2 = () => {
    const scene = model2.get("scene");
    if (!scene.panels) return;
    tell(text, scene.text);
    root.classList.toggle("charted", Boolean(scene.panels[0]?.chart));
    updateControls();
    showPanels(panels, scene, model2.get("images"), all, send);
    keepHeight(text, scene.panels.some((panel) => panel.hovers));
    showJumps(jumps, scene, send);
    showLegend(legend, scene);
    colour.hidden = !scene.panels.some((panel) => panel.heat);
  };
  model2.on("change:scene", show2);
  model2.on("change:answered", () => {
    updateControls();
    answered();
  });
  answered();
  show2();
  return tools;
}
function addFullScreen(tools, root) {
  if (!document.fullscreenEnabled) return;
  const button2 = add(tools, "button", { type: "button", class: "full" }, "Full screen");
  button2.addEventListener("click", () => document.fullscreenElement === root ? document.exitFullscreen() : root.requestFullscreen());
  button2.addEventListener("keydown", keepKeys);
  root.addEventListener("fullscreenchange", () => {
    button2.textContent = document.fullscreenElement === root ? "Leave full screen" : "Full screen";
  });
}
function addColour(parent, root) {
  const label = add(parent, "label", { class: "colour" });
  add(label, "span", {}, "colour");
  const slider2 = add(label, "input", { name: "colour", type: "range", min: 0, max: 100, value: 100 });
  slider2.addEventListener("input", () => root.style.setProperty("--opacity", String(Number(slider2.value) / 100)));
  slider2.addEventListener("keydown", keepKeys);
  return label;
}
function sender(model2, root, gone, offer2) {
  const sent2 = {};
  let timer;
  let lost = false;
  const last = () => model2.get("event")?.count || 0;
  const isAnswered = () => (model2.get("answered") || 0) >= last();
  const warn = (late) => {
    gone.textContent = lost ? LOST : late && !isAnswered() ? LATE : "";
    gone.hidden = !gone.textContent;
    if (!gone.hidden) offer2?.(gone);
    root.classList.toggle("late", !gone.hidden);
  };
  const send = (event) => {
    const count = last() + 1;
    clearTimeout(timer);
    timer = setTimeout(() => warn(true), PATIENCE);
    if ("control" in event) sent2[event.control] = count;
    model2.set("event", { ...event, count });
    model2.save_changes();
  };
  const isAhead = (name) => sent2[name] > model2.get("answered");
  model2.on("comm_live_update", () => {
    lost = true;
    warn(true);
  });
  return { send, answered: () => {
    lost = false;
    warn(false);
  }, isAhead };
}
function showPanels(panels, scene, images, all, send) {
  const { views, pointed } = all;
  panels.style.setProperty("--columns", String(scene.columns));
  for (const [id, view] of views) {
    if (!scene.panels.some((panel) => panel.id === id)) {
      view.figure.remove();
      views.delete(id);
    }
  }
  scene.panels.forEach((panel, i) => {
    const view = views.get(panel.id) ?? makePanel(panels, panel, send, all);
    views.set(panel.id, view);
    if (panels.children[i] !== view.figure) panels.insertBefore(view.figure, panels.children[i]);
    showPanel(view, panel, images[panel.image], scene);
    if (scene.linked) pointAt(view, pointed.at);
  });
}
function keepHeight(text, hovers) {
  const { height } = text.getBoundingClientRect();
  if (!hovers) text.style.minHeight = "";
  else if (height > (parseFloat(text.style.minHeight) || 0)) text.style.minHeight = `${height}px`;
}
function keepKeys(event) {
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (!modified && !(event.shiftKey && event.key === "Enter")) event.stopPropagation();
}
function makePanel(parent, panel, send, all) {
  const figure = add(parent, "figure", { "data-panel": panel.id });
  const title = add(figure, "figcaption");
  const stage = add(figure, "div", { class: "stage" });
  const image = add(stage, "img", { alt: "", draggable: "false" });
  const heat = add(stage, "canvas");
  const svg = shape(stage, "svg", { class: "drawing", preserveAspectRatio: "none" });
  const scale = add(figure, "div", { class: "scale" });
  const view = {
    figure,
    title,
    stage,
    image,
    heat,
    svg,
    scale,
    all,
    cursor: 0,
    panel,
    chosen: [],
    ratio: 0,
    symbols: {}
  };
  image.addEventListener("load", () => {
    view.ratio = image.naturalHeight / image.naturalWidth;
    stage.style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`;
    draw(view);
  });
  svg.addEventListener("pointerdown", (event) => press(view, event, send));
  svg.addEventListener("keydown", (event) => key(view, event, send));
  svg.addEventListener("pointermove", (event) => point(view, event, send));
  svg.addEventListener("pointerleave", () => point(view, null, send));
  svg.addEventListener("focus", () => draw(view));
  svg.addEventListener("blur", () => draw(view));
  return view;
}
function showPanel(view, panel, source, scene) {
  const { stops, symbols, scales, columns, linked } = scene;
  const colours = panel.heat && !panel.heat.rgba ? scales[panel.heat.scale] : null;
  Object.assign(view, { panel, symbols, linked, colours });
  view.chosen = panel.chart ? [...panel.chart.chosen] : [];
  view.stage.classList.toggle("heated", Boolean(panel.heat));
  const wide = 4 * panel.span >= columns;
  showScale(view, stops, wide);
  tell(view.title, panel.title);
  view.figure.style.setProperty("--span", String(panel.span));
  view.figure.classList.toggle("wide", wide);
  view.figure.classList.toggle("small", !wide);
  view.figure.classList.toggle("chosen", panel.chosen);
  view.image.hidden = Boolean(panel.chart);
  if (panel.chart) placeChart(view, panel.grid);
  else if (view.image.getAttribute("src") !== source) view.image.src = source;
  const query = panel.marks.find((mark) => mark.kind === "query");
  if (query && panel.grid) view.cursor = patchAt(panel.grid, query.x, query.y);
  takeInput(view, panel);
  paint(view, stops);
  draw(view);
}
function placeChart(view, grid) {
  view.ratio = WIDE.ratio;
  view.stage.style.aspectRatio = `1 / ${WIDE.ratio}`;
  const focused = document.activeElement === view.svg;
  if (grid && !(focused && view.cursor < grid[1])) view.cursor = view.chosen.at(-1) || 0;
}
function takeInput({ svg }, panel) {
  const drags = panel.several || panel.boxes.some((box) => box.movable);
  const active = clickable(panel) || drags;
  svg.classList.toggle("active", active);
  svg.classList.toggle("drags", drags);
  if (!active) return;
  setAll(svg, {
    tabindex: 0,
    role: "application",
    "aria-label": panel.title + ": arrow keys move, Enter selects" + (panel.several ? ", Shift adds to the selection" : "")
  });
}
function showJumps(list, scene, send) {
  list.hidden = scene.jumps.length === 0;
  list.replaceChildren();
  if (scene.jumps_title) add(list, "strong", {}, scene.jumps_title);
  for (const jump of scene.jumps) {
    const button2 = add(list, "button", { type: "button" }, jump.text);
    button2.addEventListener("click", () => send({ panel: jump.panel, patch: jump.patch }));
  }
}
function showLegend(legend, scene) {
  legend.replaceChildren();
  for (const [kind, meaning] of scene.legend) {
    const entry = add(legend, "span", { class: "entry" });
    const svg = shape(entry, "svg", { class: "drawing", viewBox: "-40 -40 80 80", width: 18, height: 18 });
    drawMark(svg, { kind, x: 0, y: 0, text: "2" }, 1, { width: 56, height: 56 });
    add(entry, "span", {}, meaning);
  }
}

// src/lines.ts
function writeLines(into, node, style) {
  const range2 = document.createRange();
  let line = null;
  for (const { index, 0: letter } of node.data.matchAll(/[^\s\u200b]/gu)) {
    range2.setStart(node, index);
    range2.setEnd(node, index + letter.length);
    const { left, top } = range2.getBoundingClientRect();
    if (line && Math.abs(top - line.top) < 2) line.end = index + letter.length;
    else {
      if (line) writeLine(into, node, line, style);
      line = { left, top, index, end: index + letter.length };
    }
  }
  if (line) writeLine(into, node, line, style);
}
function writeLine(into, node, line, style) {
  const pen = penOf(document.createElement("canvas"));
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  const y = line.top + pen.measureText("x").fontBoundingBoxAscent;
  const look = {
    "font-family": style.fontFamily,
    "font-size": style.fontSize,
    "font-weight": style.fontWeight,
    "text-decoration": style.textDecorationLine
  };
  const words = node.data.slice(line.index, line.end).replace(/\u200b/g, "").replace(/\s+/g, " ");
  shape(into, "text", { x: line.left, y, fill: style.color, ...look }).textContent = words;
}

// src/map.ts
var NEAR = 8;
function fitted(across, up) {
  const fit = (values) => {
    const all = Array.from(values);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    return all.map((value) => high > low ? (value - low) / (high - low) : 0.5);
  };
  const [x, y] = [fit(across), fit(up)];
  return x.map((value, i) => [value, 1 - y[i]]);
}
function planeOf(rows, labels) {
  const [across, up] = components(rows, labels, 20);
  return fitted(across, up);
}
function placesOf({ data }) {
  const pick = (column) => data.filter((_, i) => i % 2 === column);
  return fitted(pick(0), pick(1));
}
function nearest(rows, i, count = NEAR) {
  const cosines = products(rows, rows, i);
  const order = [...cosines.keys()].filter((other) => other !== i);
  return order.sort((a, b) => cosines[b] - cosines[a]).slice(0, count).map((j) => [j, cosines[j]]);
}
function tileOf({ tile, across }, i) {
  return [tile * (i % across), tile * Math.floor(i / across), tile];
}

// src/scatter.ts
var MARGIN = 14;
function placeIn(canvas, [x, y]) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  return [MARGIN + x * (width - 2 * MARGIN), MARGIN + y * (height - 2 * MARGIN)];
}
function fractionIn(canvas, event) {
  const area = canvas.getBoundingClientRect();
  const inner = (at, low, size) => (at - low - canvas.clientLeft - MARGIN) / (size - 2 * MARGIN);
  return [
    inner(event.clientX, area.left, canvas.clientWidth),
    inner(event.clientY, area.top, canvas.clientHeight)
  ];
}
function presence(view, atlas2) {
  const { labels } = atlas2.about;
  const found = new Set(view.found.map(([j]) => j));
  const { chosenClass, inside: inside2, mistakes } = atlas2;
  return view.points.map((_, i) => {
    if (found.has(i)) return 1;
    if (mistakes && !view.wrong[i]) return 0.07;
    if (found.size) return 0.25;
    const off = chosenClass >= 0 && labels[i] !== chosenClass || atlas2.lasso && !inside2.has(i);
    return off ? 0.2 : 0.9;
  });
}
function marksOf(view, atlas2) {
  const { canvas, points } = view;
  const { backgroundColor: paper, color: ink } = getComputedStyle(document.body);
  const { labels } = atlas2.about;
  const found = new Set(view.found.map(([j]) => j));
  const marks = presence(view, atlas2).flatMap((alpha, i) => {
    const place2 = placeIn(canvas, points[i]);
    const radius = found.has(i) ? 6.5 : 4.5;
    const dot2 = { ...dotAt(labels[i], place2, radius, paper), alpha };
    return view.wrong[i] ? [dot2, { ...crossAt(place2, radius - 1.5, ink), alpha }] : [dot2];
  });
  const shown2 = [atlas2.chosen, atlas2.over].filter((i) => i >= 0 && points[i]);
  return [
    ...marks,
    ...lineOf(view, atlas2, ink),
    ...shown2.flatMap((i) => pointMarks(view, atlas2, i, ink))
  ];
}
function dotAt(label, [x, y], radius, edge) {
  return { d: symbolPath(label, x, y, radius), fill: colourOf(label), stroke: edge, width: 1 };
}
function crossAt([x, y], r, ink) {
  const d = `M${x - r} ${y - r}l${2 * r} ${2 * r}M${x + r} ${y - r}l${-2 * r} ${2 * r}`;
  return { d, fill: "none", stroke: ink, width: 1.4 };
}
function pointMarks({ canvas, points }, atlas2, i, ink) {
  const { tile, labels } = atlas2.about;
  const [x, y] = placeIn(canvas, points[i]);
  const size = 1.5 * tile;
  const left = Math.min(canvas.clientWidth - size - 3, Math.max(3, x + 14));
  const top = Math.min(canvas.clientHeight - size - 3, Math.max(3, y - size - 8));
  const frame = `M${left - 3} ${top - 3}h${size + 6}v${size + 6}h${-size - 6}z`;
  return [
    dotAt(labels[i], [x, y], 8, ink),
    { d: frame, fill: colourOf(labels[i]), stroke: "none" },
    { tile: i, from: tileOf(atlas2.about, i), left, top, size }
  ];
}
function drawScatter(view, atlas2) {
  const { canvas } = view;
  const sharp = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: canvas.clientWidth * sharp, height: canvas.clientHeight * sharp });
  const pen = penOf(canvas);
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  for (const mark of marksOf(view, atlas2)) drawOn(pen, mark, atlas2);
}
function drawOn(pen, mark, { sheet }) {
  if ("tile" in mark) {
    if (!sheet.complete || !sheet.naturalWidth) return;
    const { from: [x, y, side], left, top, size } = mark;
    pen.drawImage(sheet, x, y, side, side, left, top, size, size);
    return;
  }
  const path = new Path2D(mark.d);
  Object.assign(pen, { fillStyle: mark.fill, strokeStyle: mark.stroke, lineWidth: mark.width });
  pen.setLineDash(mark.dash || []);
  pen.globalAlpha = mark.shade ?? mark.alpha ?? 1;
  if (mark.fill !== "none") pen.fill(path);
  pen.globalAlpha = mark.alpha ?? 1;
  if (mark.stroke !== "none") pen.stroke(path);
}
function lineOf(view, atlas2, ink) {
  const { lasso, drawing } = atlas2;
  const own = lasso && lasso.places === atlas2.places && atlas2.views[lasso.map] === view;
  const corners = drawing ? drawing.view === view && drawing.corners : own && lasso.corners;
  if (!corners) return [];
  const places = corners.map((corner) => placeIn(view.canvas, corner).join(" "));
  return [{ d: `M${places.join("L")}z`, fill: ink, shade: 0.08, stroke: ink, width: 1.5, dash: [5, 4] }];
}
function drawMaps(atlas2) {
  for (const view of atlas2.views) drawScatter(view, atlas2);
}
function overPoint(atlas2, i) {
  if (atlas2.over === i) return;
  atlas2.over = i;
  drawMaps(atlas2);
}

// src/map_input.ts
var REACH = 14;
var APART = 8e-3;
var GROWS = 0.04;
function pointNear(view, event) {
  const { canvas, points, atlas: atlas2 } = view;
  const [atX, atY] = placeIn(canvas, fractionIn(canvas, event));
  let [best, least] = [-1, REACH];
  points.forEach((point2, i) => {
    if (atlas2.mistakes && !view.wrong[i]) return;
    const [px, py] = placeIn(canvas, point2);
    const distance2 = Math.hypot(px - atX, py - atY);
    if (distance2 < least) [best, least] = [i, distance2];
  });
  return best;
}
function nextPoint(view, now, step) {
  const { atlas: atlas2, points } = view;
  const [x, y] = points[now];
  let [best, least] = [now, Infinity];
  points.forEach(([px, py], i) => {
    if (atlas2.mistakes && !view.wrong[i]) return;
    const ahead = step[0] * (py - y) + step[1] * (px - x);
    const beside = Math.abs(step[1] * (py - y) + step[0] * (px - x));
    const distance2 = ahead + 2 * beside;
    if (i !== now && ahead > 0 && distance2 < least) [best, least] = [i, distance2];
  });
  return best;
}
function drawLasso(view, event) {
  if (event.button !== 0 || !event.isPrimary) return;
  const { canvas, atlas: atlas2 } = view;
  const corners = [fractionIn(canvas, event)];
  let moved = false;
  const moving = (now) => {
    moved ||= isDrag(event, now);
    const [x, y] = fractionIn(canvas, now);
    const last = corners[corners.length - 1];
    if (!moved || Math.hypot(x - last[0], y - last[1]) < APART) return;
    corners.push([x, y]);
    Object.assign(atlas2, { over: -1, drawing: { view, corners } });
    drawMaps(atlas2);
  };
  const ended = (_, cancelled) => {
    atlas2.drawing = null;
    if (cancelled) return drawMaps(atlas2);
    if (moved) return atlas2.act.lasso(corners.length > 2 ? wordOf(view, corners) : "");
    const found = pointNear(view, event);
    if (found >= 0) atlas2.act.select(found);
  };
  follow(canvas, event, moving, ended);
}
function wordOf(view, corners) {
  const { places, views } = view.atlas;
  return lassoWord({ places, map: views.indexOf(view), corners });
}
function growBox(view, [down, right]) {
  const { atlas: atlas2, points } = view;
  const [x, y] = points[Math.max(0, atlas2.over, atlas2.chosen)];
  const [left, top, oldEnd, oldBottom] = view.box ?? [
    x - GROWS / 2,
    y - GROWS / 2,
    x + GROWS / 2,
    y + GROWS / 2
  ];
  const end = Math.max(left + GROWS, oldEnd + GROWS * right);
  const bottom = Math.max(top + GROWS, oldBottom + GROWS * down);
  view.box = [left, top, end, bottom];
  atlas2.act.lasso(wordOf(view, [[left, top], [end, top], [end, bottom], [left, bottom]]));
}
function keysOnMap(view, event) {
  const { atlas: atlas2 } = view;
  const step = STEPS[event.key];
  if (event.key === "Enter" && atlas2.over >= 0) atlas2.act.select(atlas2.over);
  if (!step) return;
  event.preventDefault();
  if (event.shiftKey) return growBox(view, step);
  view.box = null;
  const now = atlas2.over >= 0 ? atlas2.over : Math.max(0, atlas2.chosen);
  overPoint(atlas2, nextPoint(view, now, step));
}

// src/slider.ts
function makeStepSlider(bar, about2, set) {
  const steps = stepsOf(about2);
  if (!steps.length) return () => {
  };
  const label = add(bar, "label", {}, "training step ");
  const input = add(label, "input", { type: "range", name: "step", min: 0, max: steps.length - 1 });
  const output = add(label, "output");
  input.addEventListener("input", () => set({ step: Number(input.value) }));
  return (state2) => {
    input.value = String(state2.step);
    output.textContent = ` ${shownStep(state2, steps)}`;
  };
}

// src/verdicts.ts
var MOST_TILES = 120;
function percent(part, of) {
  return `${Math.round(100 * part / of)} %`;
}
function showVerdict(view, atlas2) {
  const { labels, classes, k } = atlas2.about;
  const known = labels.filter((label2) => label2 >= 0).length;
  const wrong = view.wrong.filter(Boolean).length;
  view.right.textContent = k ? `k-NN right: ${percent(known - wrong, known)}` : "";
  view.verdict.hidden = !view.votes || atlas2.chosen < 0;
  if (!view.votes || atlas2.chosen < 0) return;
  const label = labels[atlas2.chosen];
  const { data, share } = view.votes;
  const voted = `${classes[data[atlas2.chosen]]} with ${Math.round(100 * share[atlas2.chosen])} % of the votes`;
  view.verdict.classList.toggle("wrong", view.wrong[atlas2.chosen]);
  view.verdict.textContent = label < 0 ? `Voted ${voted}.` : `${classes[label]}, voted ${view.wrong[atlas2.chosen] ? "" : "so "}` + (view.wrong[atlas2.chosen] ? voted : voted.slice(classes[label].length + 1));
}
function showNear(view, atlas2) {
  const { near, found } = view;
  near.replaceChildren();
  if (atlas2.chosen < 0) return;
  thumb(near, atlas2, atlas2.chosen, "itself", () => atlas2.act.look(atlas2.chosen));
  found.forEach(([j, cosine]) => thumb(near, atlas2, j, cosine.toFixed(3), () => atlas2.act.select(j)));
}
function thumb(parent, atlas2, i, words, does) {
  const { labels, classes } = atlas2.about;
  const [left, top, side] = tileOf(atlas2.about, i);
  const name = labels[i] < 0 ? "" : ` ${classes[labels[i]]}`;
  const title = words === "itself" ? `Look at image ${i}${name} patch by patch` : `image ${i}${name}`;
  const button2 = add(parent, "button", { type: "button", title, "aria-label": title });
  const picture = add(button2, "span", { class: "tile" });
  picture.style.backgroundImage = "url(map/sheet)";
  picture.style.backgroundPosition = `${-left}px ${-top}px`;
  picture.style.width = picture.style.height = `${side}px`;
  picture.style.borderColor = colourOf(labels[i]);
  add(button2, "span", {}, words);
  button2.addEventListener("click", does);
}
function showInside(atlas2) {
  const { aside, inside: inside2, lasso, act: act2, views } = atlas2;
  aside.hidden = !lasso;
  aside.parentElement?.classList.toggle("split", Boolean(lasso));
  aside.replaceChildren();
  if (!lasso) return;
  const head = add(aside, "div", { class: "head" });
  const count = inside2.size === 1 ? "1 image inside" : `${inside2.size} images inside`;
  add(head, "strong", { role: "status" }, count);
  add(head, "button", { type: "button", name: "clear", class: "button", "data-screen": "" }, "Clear").addEventListener("click", () => act2.lasso(""));
  if (inside2.size === 0) return;
  if (atlas2.about.k) showCounts(add(aside, "table"), atlas2);
  const order = [...inside2].sort((a, b) => atlas2.about.labels[a] - atlas2.about.labels[b] || a - b);
  const tiles = add(aside, "div", { class: "near" });
  for (const i of order.slice(0, MOST_TILES)) {
    thumb(tiles, atlas2, i, views[lasso.map].wrong[i] ? "✕" : " ", () => act2.select(i));
  }
  const more = order.length - MOST_TILES;
  if (more > 0) add(aside, "p", {}, `and ${more} more`);
}
function showCounts(table, atlas2) {
  const { labels, classes } = atlas2.about;
  const known = [...atlas2.inside].filter((i) => labels[i] >= 0);
  const kinds = [...new Set(known.map((i) => labels[i]))].sort((a, b) => a - b);
  const of = (kind) => known.filter((i) => labels[i] === kind);
  add(table, "caption", {}, "Images of each class, and how many k-NN gets right in each model");
  const head = add(add(table, "thead"), "tr");
  for (const words of ["class", "images", ...atlas2.views.map(({ model: model2 }) => model2.name)]) {
    add(head, "th", { scope: "col" }, words.replace(/[:_/]/g, "$&​"));
  }
  const body = add(table, "tbody");
  const row = (images, write2) => {
    const line = add(body, "tr");
    write2(add(line, "th", { scope: "row" }));
    add(line, "td", {}, String(images.length));
    for (const { wrong } of atlas2.views) {
      add(line, "td", {}, String(images.filter((i) => !wrong[i]).length));
    }
  };
  for (const kind of kinds) {
    row(of(kind), (cell) => {
      symbolOf(cell, kind);
      add(cell, "span", {}, classes[kind]);
    });
  }
  if (kinds.length > 1) row(known, (cell) => {
    cell.textContent = "all";
  });
}

// src/atlas.ts
var HOW = { ...PLACES, components: "the first two principal components" };
function makeMap(section, whole, about2, act2) {
  const text = add(section, "p", { class: "text", role: "status", "aria-live": "polite" });
  const bar = add(section, "div", { class: "bar" });
  const showStep = makeStepSlider(bar, whole, act2.set);
  const places = makePlaces(bar, about2, act2);
  const mistakes = button(
    bar,
    "mistakes",
    "Only mistakes of k-NN",
    () => act2.set({ only: atlas2.mistakes ? "" : MISTAKES })
  );
  mistakes.hidden = !about2.k;
  const finger = button(bar, "finger", "Draw with a finger", () => drawByFinger(atlas2, finger));
  const drawn = add(section, "div");
  const legend = add(drawn, "div", { class: "classes", role: "group", "aria-label": "Classes" });
  const body = add(drawn, "div", { class: "atlas" });
  const grid = add(body, "div", { class: "maps" });
  grid.style.setProperty("--columns", String(Math.max(2, Math.min(3, whole.models.length))));
  const aside = add(body, "aside", { "aria-label": "Images inside the line" });
  const atlas2 = {
    whole,
    about: about2,
    text,
    sheet: new Image(),
    bar: { places, mistakes },
    drawn,
    aside,
    showStep,
    act: act2,
    views: [],
    places: "components",
    mistakes: false,
    over: -1,
    chosen: -1,
    chosenClass: -1,
    inside: /* @__PURE__ */ new Set(),
    lasso: null,
    drawing: null
  };
  makeLegend(legend, atlas2);
  atlas2.views = whole.models.map((model2) => makeScatter(grid, model2, atlas2));
  atlas2.sheet.onload = () => drawMaps(atlas2);
  atlas2.sheet.src = "map/sheet";
  new ResizeObserver(() => drawMaps(atlas2)).observe(grid);
  return atlas2;
}
function makePlaces(bar, { layouts }, act2) {
  const label = add(bar, "label", {}, "places by ");
  const places = add(label, "select", { name: "places" });
  for (const value of layouts) add(places, "option", { value }, PLACES[value]);
  places.addEventListener("input", () => act2.set({ places: places.value }));
  return places;
}
function button(bar, name, words, does) {
  const made = add(bar, "button", { type: "button", name, class: "button" }, words);
  made.addEventListener("click", does);
  return made;
}
function drawByFinger(atlas2, finger) {
  const draws = finger.getAttribute("aria-pressed") !== "true";
  finger.setAttribute("aria-pressed", String(draws));
  for (const { canvas } of atlas2.views) canvas.style.touchAction = draws ? "none" : "";
}
function makeScatter(grid, model2, atlas2) {
  const figure = add(grid, "figure", { "data-map": model2.name });
  const caption = add(figure, "figcaption");
  const name = add(caption, "span", {}, model2.name);
  const right = add(caption, "span", { class: "right" });
  const label = `${model2.name}: images as points; arrow keys move, Enter selects, Shift and arrow keys draw a box`;
  const canvas = add(figure, "canvas", { tabindex: 0, role: "application", "aria-label": label });
  const verdict = add(figure, "p", { class: "verdict" });
  const near = add(figure, "div", { class: "near" });
  const view = {
    model: model2,
    title: name,
    canvas,
    right,
    verdict,
    near,
    atlas: atlas2,
    points: [],
    found: [],
    votes: null,
    wrong: [],
    box: null
  };
  canvas.addEventListener("pointermove", (event) => {
    if (!atlas2.drawing) overPoint(atlas2, pointNear(view, event));
  });
  canvas.addEventListener("pointerleave", () => overPoint(atlas2, -1));
  canvas.addEventListener("pointerdown", (event) => drawLasso(view, event));
  canvas.addEventListener("keydown", (event) => keysOnMap(view, event));
  return view;
}
function makeLegend(legend, atlas2) {
  const { classes } = atlas2.about;
  const most = COLOURS.length * SHAPES.length;
  classes.slice(0, most).forEach((name, k) => {
    const entry = add(legend, "button", { type: "button", "aria-pressed": false });
    symbolOf(entry, k);
    add(entry, "span", {}, name);
    entry.addEventListener("click", () => {
      atlas2.chosenClass = atlas2.chosenClass === k ? -1 : k;
      [...legend.querySelectorAll("button")].forEach((each, i) => each.setAttribute("aria-pressed", String(i === atlas2.chosenClass)));
      drawMaps(atlas2);
    });
  });
  const more = classes.length - most;
  if (more > 0) add(legend, "span", {}, `and ${more} more classes, in the same colours again`);
}
function showMap(atlas2, state2, got2) {
  const { labels, k } = atlas2.about;
  const address2 = (i, part = "") => mapAddress(atlas2.whole, state2, i, part);
  const pointsOf = (i, places) => places === "components" ? got2("plane", address2(i), (rows) => planeOf(rows, labels)) : got2("places", address2(i, `/${places}`), placesOf);
  atlas2.chosen = state2.image >= 0 && state2.image < labels.length ? state2.image : -1;
  Object.assign(atlas2, { places: state2.places, mistakes: state2.only === MISTAKES });
  atlas2.showStep(state2);
  atlas2.views.forEach((view, i) => {
    view.title.textContent = view.model.name + stepText(view.model, stepOf(view.model, state2, stepsOf(atlas2.whole)));
    view.points = pointsOf(i, state2.places);
    view.found = atlas2.chosen < 0 ? [] : nearest(got2("unit", address2(i), unit), atlas2.chosen);
    view.votes = k ? got2("votes", address2(i, "/votes"), (rows) => rows) : null;
    const voted = view.votes?.data;
    view.wrong = labels.map((label, j) => voted !== void 0 && label >= 0 && voted[j] !== label);
    showVerdict(view, atlas2);
    showNear(view, atlas2);
  });
  atlas2.lasso = lassoOf(state2.lasso);
  atlas2.inside = atlas2.lasso ? pointsInside(pointsOf(atlas2.lasso.map, atlas2.lasso.places), atlas2.lasso.corners) : /* @__PURE__ */ new Set();
  showInside(atlas2);
  atlas2.bar.places.value = state2.places;
  atlas2.bar.mistakes.setAttribute("aria-pressed", String(atlas2.mistakes));
  atlas2.text.textContent = mapText(atlas2);
  drawMaps(atlas2);
}
function mapText(atlas2) {
  const { name, labels, classes, k } = atlas2.about;
  const about2 = `${labels.length.toLocaleString("en")} images of ${name}, by ${HOW[atlas2.places]} of their mean patch features in each model.` + (k ? ` A cross marks those that the ${k} most similar other images vote into another class.` : "");
  if (atlas2.chosen < 0) {
    return `${about2} A click on a point shows its nearest neighbours; a line drawn around points, their images.`;
  }
  const own = labels[atlas2.chosen];
  if (own < 0) return `${about2} Below each map: the images most similar to image ${atlas2.chosen}.`;
  const same = atlas2.views.map((view) => view.found.filter(([j]) => labels[j] === own).length);
  const each = atlas2.views.map((view, i) => `${view.model.name} ${same[i]}`).join(", ");
  return `${about2} Of the ${NEAR} images most similar to image ${atlas2.chosen} (${classes[own]}), those of its class: ${each}.`;
}

// src/board.ts
var VIEWS = ["a", "b"];
var MOST_ENTRIES = 24;
function makeMatches(section, about2, act2) {
  const text = add(section, "p", { class: "text", role: "status", "aria-live": "polite" });
  const bar = add(section, "div", { class: "bar" });
  const choice2 = (name, words) => {
    const label = add(bar, "label", {}, words);
    const select = add(label, "select", { name });
    for (const { name: value } of about2.models) add(select, "option", { value }, value);
    select.addEventListener("input", () => act2.set({ [name]: select.value }));
    return select;
  };
  const chosen = { first: choice2("first", "between "), second: choice2("second", "and ") };
  const showStep = makeStepSlider(bar, about2, act2.set);
  const drawn = add(section, "div");
  return {
    about: about2,
    text,
    chosen,
    showStep,
    legend: add(drawn, "div", { class: "classes" }),
    gallery: add(drawn, "div", { class: "gallery" }),
    drawn,
    act: act2
  };
}
function showMatches(board2, state2, answer) {
  for (const [name, other] of [["first", "second"], ["second", "first"]]) {
    const select = board2.chosen[name];
    select.value = state2[name];
    for (const option of select.options) option.disabled = option.value === state2[other];
  }
  board2.showStep(state2);
  const steps = stepsOf(board2.about);
  const named = (name) => {
    const model2 = board2.about.models.find((each) => each.name === name);
    return name + stepText(model2, stepOf(model2, state2, steps));
  };
  const means = answer.models.map(({ name, mean: mean2 }) => `${named(name)} ${numberText(mean2)}`).join("; ");
  const shown2 = answer.scenes ? "Two scenes of each object, and two crops of each photograph" : "Two crops of each image";
  board2.text.textContent = `${shown2}: a place in the left one, and in the right one its true place and the most similar patch under each model. Places on which the errors differ most come first, one of each pair; pixels are those of a picture of ${answer.side}. A click opens a pair. Mean error over all ${answer.places.toLocaleString("en")} places, in patches: ${means}.`;
  showMatchLegend(board2.legend, answer.models);
  board2.gallery.replaceChildren();
  answer.entries.slice(0, MOST_ENTRIES).forEach((entry) => makeEntry(board2, answer, entry));
}
function showMatchLegend(legend, models) {
  legend.replaceChildren();
  const entry = (words, draw2) => {
    const span = add(legend, "span", { class: "entry" });
    draw2(shape(span, "svg", { viewBox: "-8 -8 16 16", width: 16, height: 16 }));
    add(span, "span", {}, words);
  };
  entry("place", (svg) => squareOn(svg, -5, -5, 10, 10));
  entry("its true place", (svg) => plusOn(svg, 0, 0, 6));
  for (const { name, colour } of models) {
    entry(`match of ${name}`, (svg) => shape(svg, "circle", { r: 5, fill: colour, stroke: "#fff" }));
  }
}
function makeEntry({ gallery, act: act2 }, { models }, entry) {
  const button2 = add(gallery, "button", { type: "button", class: "match" });
  const views = add(button2, "span", { class: "views" });
  for (const view of VIEWS) {
    const stage = add(views, "span", { class: "stage" });
    add(stage, "img", { src: photoAddress(entry[view], "crops"), alt: "", draggable: "false" });
    const svg = shape(stage, "svg", { viewBox: "0 0 200 200" });
    if (view === "a") drawPlace(svg, models[0].grid, entry);
    else drawFound(svg, models, entry);
  }
  const errors = entry.found.map(({ error }) => error);
  const best = errors.indexOf(Math.min(...errors));
  add(button2, "span", { class: "of" }, entry.name);
  entry.found.forEach(({ error, patches }, i) => {
    const words = `${models[i].name}: ${patches.toFixed(1)} patches (${Math.round(error)} px)`;
    add(button2, "span", { class: i === best ? "nearer" : "farther" }, words);
  });
  button2.addEventListener("click", () => act2.open(entry));
}
function squareOn(svg, x, y, width, height) {
  for (const [stroke, wide] of [["#fff", 4], ["#000", 2]]) {
    shape(svg, "rect", { x, y, width, height, fill: "none", stroke, "stroke-width": wide });
  }
}
function plusOn(svg, x, y, reach) {
  for (const [stroke, wide] of [["#000", 5], ["#fff", 2.5]]) {
    const d = `M${x - reach} ${y}h${2 * reach}M${x} ${y - reach}v${2 * reach}`;
    shape(svg, "path", { d, fill: "none", stroke, "stroke-width": wide });
  }
}
function drawPlace(svg, [rows, columns], { y, x }) {
  const [wide, high] = [200 / columns, 200 / rows];
  squareOn(svg, 200 * x - wide / 2, 200 * y - high / 2, wide, high);
}
function drawFound(svg, models, { true_y: y, true_x: x, found }) {
  found.forEach((each, i) => {
    const ends = { x1: 200 * each.x, y1: 200 * each.y, x2: 200 * x, y2: 200 * y };
    shape(svg, "line", { ...ends, stroke: "#fff", "stroke-width": 4 });
    shape(svg, "line", { ...ends, stroke: models[i].colour, "stroke-width": 2.5 });
  });
  found.forEach((each, i) => shape(svg, "circle", {
    cx: 200 * each.x,
    cy: 200 * each.y,
    r: 7 - 2 * i,
    fill: models[i].colour,
    stroke: "#fff",
    "stroke-width": 1.5
  }));
  plusOn(svg, 200 * x, 200 * y, 8);
}

// src/sections.ts
var atlas;
var board;
function waitIn(name) {
  showPart(name);
  const text = sections[name].querySelector(".text");
  if (text) text.textContent = "Computing …";
  else sections[name].dataset.wait = `Computing features of ${countIn(name, about)} …`;
}
function countIn(name, { map, pairs }) {
  return name === "map" ? `${map?.labels.length} images` : `${pairs} pairs of views`;
}
function showSection(name, change2) {
  const set = (changes) => change2({ ...state, ...changes });
  if (name === "matches") {
    board ??= makeMatches(sections.matches, about, { set, open: (entry) => openPair(entry, change2) });
    showMatches(board, state, got("matches", matchesAddress(about, state), (answer) => answer));
  } else {
    atlas ??= makeMap(sections.map, about, about.map, {
      set,
      select: (image) => set({ image }),
      look: (image) => lookAt(image, change2),
      lasso: (lasso) => set({ lasso })
    });
    showMap(atlas, state, got);
  }
}
async function openPair({ a, b, y, x }, change2) {
  try {
    const crops = [a, b].map((id) => asked(`crops/${id}`, { method: "POST" }));
    const [photo, beside] = (await Promise.all(crops)).map(taken);
    const { layer, cosine } = startState(about);
    const alone2 = { least: 100 };
    await change2({
      ...state,
      ...alone2,
      show: "similarity",
      photo,
      beside,
      layer,
      cosine,
      side: "a",
      y,
      x,
      pinned: true
    });
  } catch (error) {
    say(sentenceOf(error));
  }
}
async function openVerdict(address2, change2) {
  setBusy(true);
  try {
    const pair = await asked(address2, { method: "POST" });
    const next = { ...state, ...pair, show: "matches" };
    const names = about.models.map((model2) => model2.name);
    if ([pair.first, pair.second].every((name) => names.includes(name))) return await change2(next);
    history.pushState(null, "", linkOf(about, next));
    location.reload();
  } catch (error) {
    setBusy(false);
    say(sentenceOf(error));
  }
}
async function lookAt(image, change2) {
  try {
    const photo = taken(await asked(`map/look/${image}`, { method: "POST" }));
    await change2({ ...state, show: "similarity", photo, side: "a" });
  } catch (error) {
    say(sentenceOf(error));
  }
}

// src/picture.ts
var EDGE = 16;
var SHARP = 2;
var SVG_STYLE = [
  "fill",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "font-size",
  "text-anchor",
  "font-family",
  "font-weight",
  "paint-order",
  "opacity",
  "fill-opacity"
];
var CLEAR = "rgba(0, 0, 0, 0)";
async function svgOf(root, scatters, sheet) {
  const images = root.querySelectorAll("img[src]");
  await Promise.all([...images].map((image) => image.decode()));
  const area = root.getBoundingClientRect();
  const [width, height] = [area.width + 2 * EDGE, area.height + 2 * EDGE];
  const paper = getComputedStyle(page).backgroundColor;
  const svg = shape(document.createElement("div"), "svg", {
    xmlns: SVG,
    width,
    height,
    viewBox: `${area.left - EDGE} ${area.top - EDGE} ${width} ${height}`
  });
  const sink = { svg, defs: shape(svg, "defs", {}), kept: /* @__PURE__ */ new Map(), scatters, sheet };
  shape(svg, "rect", { x: area.left - EDGE, y: area.top - EDGE, width, height, fill: paper });
  copyInto(sink, svg, root);
  return new XMLSerializer().serializeToString(svg);
}
async function savePicture(kind) {
  const map = state.show === "map" && atlas ? atlas : null;
  const marks = new Map(map?.views.map((view) => [view.canvas, marksOf(view, map)]));
  const gallery = state.show === "matches" ? board?.drawn : null;
  const root = map?.drawn ?? gallery ?? main.querySelector(".panels");
  if (!root) return;
  const svg = await svgOf(root, marks, map && map.sheet);
  const file = kind === "png" ? await pixelsOf(svg) : new Blob([svg], { type: "image/svg+xml" });
  const href = URL.createObjectURL(file);
  Object.assign(document.createElement("a"), { href, download: `siamlab-view.${kind}` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 6e4);
}
async function pixelsOf(text) {
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
  await image.decode();
  const size = { width: SHARP * image.naturalWidth, height: SHARP * image.naturalHeight };
  const canvas = Object.assign(document.createElement("canvas"), size);
  penOf(canvas).drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => {
    const tooLarge = new Error("The picture is too large for PNG; save SVG, or make the window smaller.");
    canvas.toBlob((file) => file ? done(file) : failed(tooLarge), "image/png");
  });
}
function copyInto(sink, into, element) {
  const style = getComputedStyle(element);
  const area = element.getBoundingClientRect();
  if (style.display === "none" || element.hasAttribute("data-screen")) return;
  const group = style.opacity === "1" ? into : shape(into, "g", { opacity: style.opacity });
  if (element instanceof SVGSVGElement) return copySvg(group, element, area);
  if (area.width > 0) copyBox(sink, group, style, area);
  if (element instanceof HTMLImageElement) return copyImage(sink, group, element, area);
  if (element instanceof HTMLCanvasElement) return copyCanvas(sink, group, element, area);
  const inner = style.overflowY === "visible" ? group : cutTo(group, area);
  for (const child of element.childNodes) {
    if (child instanceof Text) writeLines(inner, child, style);
    else if (child instanceof Element) copyInto(sink, inner, child);
  }
}
function cutTo(into, { left: x, top: y, width, height }) {
  return shape(into, "svg", { x, y, width, height, viewBox: `${x} ${y} ${width} ${height}` });
}
function copyBox(sink, into, style, area) {
  const { left: x, top: y, width, height } = area;
  const edge = parseFloat(style.borderTopWidth);
  if (style.backgroundColor !== CLEAR) {
    shape(into, "rect", { x, y, width, height, fill: style.backgroundColor });
  }
  if (style.backgroundImage.startsWith("linear")) copyScale(sink, into, style, area);
  if (style.backgroundImage.startsWith("url")) {
    const [left, top] = numbersOf2(style.backgroundPosition);
    copyTile(sink, into, [left, top, width - 2 * edge], [x + edge, y + edge, width - 2 * edge]);
  }
  if (edge > 0) {
    const inner = { x: x + edge / 2, y: y + edge / 2, width: width - edge, height: height - edge };
    shape(into, "rect", { ...inner, fill: "none", stroke: style.borderTopColor, "stroke-width": edge });
  } else if (parseFloat(style.borderBottomWidth) > 0) {
    shape(into, "path", { d: `M${x} ${y + height}h${width}`, stroke: style.borderBottomColor });
  }
}
function numbersOf2(text) {
  return (text.match(/[\d.]+/g) ?? []).map(Number);
}
function copyScale(sink, into, style, { left: x, top: y, width, height }) {
  const id = `scale-${sink.defs.childElementCount}`;
  const gradient = shape(sink.defs, "linearGradient", { id });
  const colours = style.backgroundImage.match(/rgba?\([^)]*\)/g) ?? [];
  colours.forEach((colour, i) => {
    const [r, g, b, a = 1] = numbersOf2(colour);
    const offset = i / (colours.length - 1);
    shape(gradient, "stop", { offset, "stop-color": `rgb(${r},${g},${b})`, "stop-opacity": a });
  });
  shape(into, "rect", { x, y, width, height, fill: "#fff" });
  shape(into, "rect", { x, y, width, height, fill: `url(#${id})` });
}
function held(sink, key2, make, size) {
  if (!sink.kept.has(key2)) {
    const id = `image-${sink.kept.size}`;
    shape(sink.defs, "image", { id, href: make(), preserveAspectRatio: "none", ...size });
    sink.kept.set(key2, id);
  }
  return `#${sink.kept.get(key2)}`;
}
function copyTile(sink, into, [left, top, side], [x, y, size]) {
  const { sheet } = sink;
  if (!sheet) return;
  const viewBox = `${left} ${top} ${side} ${side}`;
  const part = shape(into, "svg", { x, y, width: size, height: size, viewBox });
  const href = held(
    sink,
    "sheet",
    () => copied(sheet).toDataURL("image/jpeg", 0.9),
    { width: sheet.naturalWidth, height: sheet.naturalHeight }
  );
  shape(part, "use", { href });
}
function copyImage(sink, into, image, { left: x, top: y, width, height }) {
  const grey = getComputedStyle(image).filter !== "none";
  const make = () => (grey ? greyed(image) : copied(image)).toDataURL();
  const href = held(sink, `${image.src} ${grey}`, make, { width: 1, height: 1 });
  shape(into, "use", { href, transform: `translate(${x} ${y}) scale(${width} ${height})` });
}
function copied(image) {
  const [width, height] = image instanceof HTMLImageElement ? [image.naturalWidth, image.naturalHeight] : [image.width, image.height];
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  penOf(canvas, { willReadFrequently: true }).drawImage(image, 0, 0);
  return canvas;
}
function greyed(image) {
  const canvas = copied(image);
  const pen = penOf(canvas);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
  const [red, green, blue] = GREY2.shares;
  for (let i = 0; i < pixels.data.length; i += 4) {
    const [r, g, b] = pixels.data.subarray(i, i + 3);
    pixels.data.fill(red * r + green * g + blue * b + 255 * GREY2.least, i, i + 3);
  }
  pen.putImageData(pixels, 0, 0);
  return canvas;
}
function copyCanvas(sink, into, canvas, { left, top, width, height }) {
  const marks = sink.scatters.get(canvas);
  if (marks) return copyMarks(sink, into, marks, [left + canvas.clientLeft, top + canvas.clientTop]);
  const [columns, rows] = [canvas.width, canvas.height];
  const { data } = penOf(copied(canvas)).getImageData(0, 0, columns, rows);
  const cells = shape(into, "g", {
    "shape-rendering": "crispEdges",
    transform: `translate(${left} ${top}) scale(${width / columns} ${height / rows})`
  });
  for (let i = 0; i < rows * columns; i++) {
    const [r, g, b, a] = data.subarray(4 * i, 4 * i + 4);
    if (a > 0) {
      shape(cells, "rect", {
        x: i % columns,
        y: Math.floor(i / columns),
        width: 1,
        height: 1,
        fill: `rgb(${r},${g},${b})`,
        "fill-opacity": (a / 255).toFixed(3)
      });
    }
  }
}
function copyMarks(sink, into, marks, [left, top]) {
  const all = shape(into, "g", { transform: `translate(${left} ${top})` });
  for (const mark of marks) {
    if ("tile" in mark) {
      copyTile(sink, all, mark.from, [mark.left, mark.top, mark.size]);
    } else {
      const { d, fill, stroke, width = 0, alpha = 1, shade: shade2 = 1, dash = [] } = mark;
      shape(all, "path", {
        d,
        fill,
        stroke,
        "stroke-width": width,
        opacity: alpha,
        "fill-opacity": shade2,
        "stroke-dasharray": dash.join(" ")
      });
    }
  }
}
function copySvg(into, svg, { left: x, top: y, width, height }) {
  const copy = svg.cloneNode(true);
  const [own, clones] = [svg, copy].map((each) => each.querySelectorAll("*"));
  own.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of SVG_STYLE) clones[i].style.setProperty(name, style.getPropertyValue(name));
    const wide = svg.viewBox.baseVal.width / width;
    if (style.vectorEffect === "non-scaling-stroke") thicken(clones[i].style, wide);
  });
  setAll(copy, { x, y, width, height, overflow: "visible" });
  into.appendChild(copy);
}
function thicken(style, scale) {
  for (const name of ["stroke-width", "stroke-dasharray"]) {
    const longer = (number) => String(scale * parseFloat(number));
    style.setProperty(name, style.getPropertyValue(name).replace(/[\d.]+(px)?/g, longer));
  }
}

// src/strip.ts
var MOVES = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
function makeShows(shows, change2) {
  for (const show2 of shows) {
    const button2 = add(find(".shows"), "button", { type: "button", role: "radio", "data-show": show2 }, show2);
    button2.addEventListener("click", () => change2({ ...state, show: show2 }));
  }
  find(".shows").addEventListener("keydown", (event) => moveShow(event, shows, change2));
}
function moveShow(event, shows, change2) {
  const step = MOVES[event.key];
  if (!step) return;
  event.preventDefault();
  const next = shows[(shows.indexOf(state.show) + step + shows.length) % shows.length];
  change2({ ...state, show: next });
  find(`[data-show=${next}]`).focus();
}
function showShows(show2) {
  for (const button2 of find(".shows").querySelectorAll("button")) {
    const chosen = button2.dataset.show === show2;
    button2.setAttribute("aria-checked", String(chosen));
    button2.tabIndex = chosen ? 0 : -1;
  }
}
function showStrip(photos, change2) {
  const strip = find(".strip");
  photos.forEach((photo, i) => {
    const button2 = strip.children[i] || thumbnail(strip, photo, change2);
    button2.classList.toggle("shown", photo.id === state.photo);
    button2.classList.toggle("second", photo.id === state.beside);
    button2.setAttribute("aria-pressed", String(photo.id === state.photo || photo.id === state.beside));
  });
}
function thumbnail(strip, photo, change2) {
  const title = photo.label ?? photo.name;
  const button2 = add(strip, "button", { type: "button", title, "aria-label": title });
  add(button2, "img", { src: photoAddress(photo.id), alt: "", draggable: "false" });
  button2.addEventListener("click", (event) => {
    say("");
    if (!event.shiftKey) return change2({ ...state, photo: photo.id, side: "a" });
    const again = photo.id === state.beside;
    return change2({ ...state, beside: again ? "" : photo.id, side: "a" });
  });
  return button2;
}

// src/shell.ts
var OFTEN = 250;
var links;
var linking;
var turn = 0;
var { shown, model, tell: tell2 } = pageModel({ scene: {}, images: {} }, (event) => {
  shown.answered = event.count;
  const verdict = state.show === "plane" && verdictAddress(state, event);
  if (verdict) openVerdict(verdict, change);
  else change(viewEvent(about, state, event), "hover" in event);
});
async function start(kept) {
  links = kept;
  const facts = await asked("about");
  relabel(facts.photos);
  open(facts, ofLink);
  makeShows(showsOf(about), change);
  for (const kind of ["png", "svg"]) {
    const save = () => savePicture(kind).catch((error) => say(sentenceOf(error)));
    find(`[data-does=${kind}]`).addEventListener("click", save);
  }
  takeFiles(change);
  find(".actions label").hidden = about.models.length === 0;
  links.follow(() => {
    if (links.read() !== linkOf(about, state)) change(ofLink(about));
  });
  around.addEventListener("keydown", (event) => {
    if (event.key === "Escape") escape();
  });
  const begun2 = state;
  if (isSection(begun2.show)) enter({ ...begun2, show: "similarity" });
  await change(state);
  mount(model, main);
  if (isSection(begun2.show)) await change(begun2);
  main.dataset.ready = "";
}
function ofLink(facts) {
  return restored(facts, links.read());
}
function keepLink() {
  clearTimeout(linking);
  linking = setTimeout(() => links.write(linkOf(about, state)), OFTEN);
}
function escape() {
  if (state.show === "map" && state.lasso) change({ ...state, lasso: "" });
  else if (state.pinned) change({ ...state, pinned: false, over: false });
}
var change = async (next, hovering = false) => {
  if (hovering) performance.mark("hover");
  const before = state;
  const mine = ++turn;
  enter(next);
  const absent = missing();
  if (absent.length > 0) {
    wait();
    try {
      await Promise.all(absent.map(once));
    } catch (error) {
      say(sentenceOf(error));
      if (mine === turn) enter(before);
      if (missing().length > 0) return;
    }
    if (mine !== turn) return;
  }
  if (!isSection(state.show) && state.show !== "plane") await prepareImage(state);
  if (mine === turn) show(hovering);
};
function wait() {
  setBusy(true);
  if (isSection(state.show)) waitIn(state.show);
  else if (state.show !== "plane") {
    shown.scene = { ...shown.scene, controls: controlsOf(about, state), text: "Computing features …" };
    tell2();
  }
  showShell();
}
function show(hovering) {
  setBusy(false);
  showPart(state.show);
  if (isSection(state.show)) {
    showSection(state.show, change);
  } else {
    const single = photosOf(state).length === 1 && state.show !== "attention";
    main.dataset.layout = state.show === "plane" ? "plane" : single ? "single" : "wide";
    main.style.setProperty("--opacity", String(state.opacity / 100));
    shown.scene = viewScene(about, state, got);
    tell2();
    if (hovering) return measure();
  }
  showShell();
  keepLink();
}
function measure() {
  if (performance.getEntriesByName("hover to scene").length > 1e3) performance.clearMeasures();
  performance.measure("hover to scene", "hover");
  const from = performance.getEntriesByName("hover").at(-1)?.startTime;
  performance.clearMarks("hover");
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => performance.measure("hover to repaint", { start: from });
    port2.postMessage(0);
  });
}
async function prepareImage(next) {
  const photos = photosOf(next);
  const key2 = photos.join("+");
  shown.images[key2] ||= photos.length === 1 ? photoAddress(key2) : await pictureOf(photos);
}
async function pictureOf(photos) {
  const images = await Promise.all(photos.map(loaded));
  const side = Math.max(...images.map((image) => image.naturalWidth));
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * side, height: side });
  const pen = penOf(canvas);
  images.forEach((image, i) => pen.drawImage(image, i * side, 0, side, side));
  pen.fillStyle = "#fff";
  pen.fillRect(side - side / 150, 0, side / 75, side);
  return canvas.toDataURL();
}
async function loaded(photo) {
  const image = new Image();
  image.src = photoAddress(photo);
  await image.decode();
  return image;
}
function showShell() {
  showShows(state.show);
  for (const name of [".strip", ".hint"]) find(name).hidden = isSection(state.show) || state.show === "plane";
  showStrip(about.photos, change);
}

// src/view_page.ts
frameIn(document.body, document);
Object.assign(window, { shown });
find("[data-does=link]").addEventListener("click", copyLink);
start(address).catch((error) => say(sentenceOf(error)));
