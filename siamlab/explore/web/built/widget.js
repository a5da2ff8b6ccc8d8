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
function drawPoints({ svg, chosen: chosen2, symbols }, chart, px, py) {
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
  const order = [...places.keys()].sort((a, b) => Number(chosen2.includes(a)) - Number(chosen2.includes(b)));
  for (const i of order) {
    const kind = chosen2.includes(i) ? "point chosen" : "point";
    const corners = symbols[chart.symbols[i]];
    const radius = chosen2.includes(i) ? 20 : 13;
    const made = drawSymbol(svg, ...places[i], radius, corners, fillOf(chart, i), kind);
    shape(made, "title", {}).textContent = chart.names[i];
  }
  chart.places.forEach((place2, i) => {
    if (place2) write(svg, chart.names[i], px(place2[0]), py(place2[1]) + 12, "tick named");
  });
}
function drawBars({ svg, chosen: chosen2 }, chart, px, py) {
  chart.y.forEach((y, i) => {
    const size = { width: px(chart.x[i + 1]) - px(chart.x[i]), height: py(0) - py(y) };
    const kind = chosen2.includes(i) ? "column chosen" : "column";
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

// src/places.ts
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

// src/heat.ts
var OPACITY = 0.75;
var GREY = { shares: [0.2126, 0.7152, 0.0722].map((share) => 0.857 * share), least: 0.143 };
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
  const known2 = TABLES.get(key2);
  if (known2) return known2;
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
  const shown = JSON.stringify([colours, wide]);
  if (scale.dataset.shown !== shown) makeScale(scale, colours, stops, wide);
  scale.dataset.shown = shown;
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

// src/compute.ts
function fill(template, words) {
  return template.replace(/\{(\w+)\}/g, (_, name) => String(words[name]));
}
var bytes = /* @__PURE__ */ new Map();
function bytesIn(text) {
  const known2 = bytes.get(text) ?? bytesOf(text);
  bytes.set(text, known2);
  return known2;
}
function heatOf(levels, grid, scale) {
  return { levels: btoa(String.fromCharCode(...levels)), grid, scale };
}
function halfRow(half, row, count) {
  const at = (i, j) => i < j ? at(j, i) : half[i * (i + 1) / 2 + j];
  return [...Array(count).keys()].map((column) => at(row, column));
}
function withValues(controls, values) {
  return controls.map((control) => ({ ...control, value: values[control.name] }));
}
function placeKey({ image, views, training_step: step = "" }) {
  return `${image} ${views} ${step}`.trimEnd();
}
function answerOfPair({ grid, pairs }, values, here, patch) {
  const count = grid[0] * grid[1];
  const there = here === "a" ? "b" : "a";
  const place2 = pairs[placeKey(values)];
  const held = place2.layers[values.layer];
  const side = held[here];
  const inside2 = place2[here].inside[patch] === "1";
  const across = bytesIn(held.across);
  const found = here === "a" ? across.slice(patch * count, (patch + 1) * count) : across.filter((_, i) => i % count === patch);
  const top = side.top[patch].map((each) => centreOf(grid, each));
  const truth = place2[here].true[patch];
  const marks = [markAt(top[0], "match")];
  if (inside2) marks.push(markAt(truth, "true"));
  top.slice(1).forEach((each, i) => marks.push(markAt(each, "next", String(i + 2))));
  const own = halfRow(bytesIn(side.own), patch, count);
  const query = {
    heat: heatOf(own, grid, "cosine"),
    arrows: [],
    marks: [markAt(centreOf(grid, patch), "query")]
  };
  const answer = {
    heat: heatOf(found, grid, "cosine"),
    marks,
    arrows: inside2 ? [[...top[0], ...truth]] : []
  };
  return {
    place: place2,
    side,
    inside: inside2,
    there,
    error: side.error[patch],
    least: place2[here].ceiling[patch],
    shown: here === "a" ? { a: query, b: answer } : { a: answer, b: query }
  };
}
var EXACT = " Values are exact to 0.4 % of the end of their scale.";
var HINTS = {
  free: "Move over a patch: its answer is shown at once. A click pins it.",
  pinned: "Pinned: a click on another patch moves the pin; a click on this one or Escape releases it."
};
function withPatch(state, panel, { hover, patch, keyed }) {
  if (hover === null || hover !== void 0 && state.pinned) return state;
  if (hover !== void 0) return { ...state, selected: [panel, hover] };
  if (patch === void 0) return state;
  const again = state.pinned && String(state.selected) === String([panel, patch]);
  return { ...state, selected: [panel, patch], pinned: Boolean(keyed || !again) };
}
var pairScene = {
  next: (state, event) => "control" in event ? { ...state, values: { ...state.values, [event.control]: event.value } } : withPatch(state, event.panel, event),
  scene: (data, first, { values, pinned, selected: [panel, patch] }) => {
    const here = sideOf(panel);
    const answer = answerOfPair(data, values, here, patch);
    const { side, place: place2 } = answer;
    const panels = first.panels.map((panel2) => panel2.id === "source" ? { ...panel2, image: `source-${values.image}`, boxes: place2.boxes } : {
      ...panel2,
      image: `${panel2.id}-${values.image}-${values.views}`,
      ...answer.shown[sideOf(panel2.id)],
      hovers: !pinned,
      follows: true
    });
    return {
      ...first,
      panels,
      text: textOfPair(data.text, data.grid, answer, here, patch),
      controls: withValues(first.controls, values),
      jumps: side.worst.map(([text, worst]) => ({ text, panel: here, patch: worst })),
      jumps_title: fill(data.text.jumps, { here })
    };
  }
};
function textOfPair(text, grid, answer, here, patch) {
  const { side, place: place2, inside: inside2, there, error, least } = answer;
  const away = (both) => apart(text, both);
  const numbers = {
    error: away(error),
    least: away(least),
    shared: place2[here].shared,
    mean: away(side.mean),
    mean_least: away(place2[here].least),
    there
  };
  const query = fill(text.query, rowAndColumn(grid, patch));
  return fill(inside2 ? text.matched : text.hidden, { query, ...numbers });
}
function apart(text, [pixels, patches]) {
  return fill(text.apart, { pixels: pixels.toFixed(1), patches: patches.toFixed(1) });
}
function sideOf(panel) {
  return panel === "b" ? "b" : "a";
}
var HEADS_OF = "heads of";
var modelsScene = {
  next: (state, event) => {
    const set = (changes) => ({ ...state, values: { ...state.values, ...changes } });
    if ("control" in event) {
      return set({ ...event.control === HEADS_OF ? { head: MEAN } : {}, [event.control]: event.value });
    }
    if (event.panel.startsWith("head ")) return set({ head: event.panel.slice(5) });
    return withPatch(state, "a", event);
  },
  scene: (data, first, state) => {
    const { values, selected: [, patch] } = state;
    const answers = Object.entries(data.models).map(([name, model]) => ({ name, ...answerOfPair({ grid: data.grid, pairs: model.pairs }, values, "a", patch) }));
    const heads = headsOf(data, first, state);
    const errors = answers.map(({ name, error }) => `${name} ${apart(data.text, error)}`).join("; ");
    const high = data.highest[`${placeKey(values)} ${values.layer}`];
    const scale = { ...first.scales.attention, high, bound: high };
    return {
      ...first,
      scales: { ...first.scales, attention: scale },
      panels: [
        ...answers.flatMap(({ name, shown }) => threeOf(data, first, state, name, shown)),
        ...heads.map(({ panel }) => panel)
      ],
      text: fill(
        answers[0].inside ? data.text.matched : data.text.hidden,
        { errors, ...rowAndColumn(data.grid, patch) }
      ),
      controls: withValues(first.controls, values).map((control) => control.name === "head" ? { ...control, ...overHeads(heads.length) } : control)
    };
  }
};
function threeOf(data, first, state, name, shown) {
  const { values, pinned, selected: [, patch] } = state;
  const pair = `${values.image}-${values.views}`;
  const panel = (part) => first.panels.find(({ id }) => id === `${name} ${part}`);
  const query = {
    image: `a-${pair}`,
    marks: [markAt(centreOf(data.grid, patch), "query")],
    hovers: !pinned,
    follows: true
  };
  const head = values.head === MEAN ? 0 : Number(values.head);
  return [
    { ...panel("attention"), ...query, heat: attentionOf(data, state, name, head) },
    { ...panel("similarity"), ...query, heat: shown.a.heat },
    {
      ...panel("match"),
      image: `b-${pair}`,
      ...shown.b,
      marks: shown.b.marks.filter((mark) => mark.kind !== "next")
    }
  ];
}
function headsOf(data, first, state) {
  const { values } = state;
  const below = values[HEADS_OF];
  const last = first.panels[first.panels.length - 1];
  const { heads } = heldAttention(data, state, below);
  return [...Array(heads).keys()].map((i) => String(i + 1)).map((name) => ({ name, panel: {
    ...last,
    id: `head ${name}`,
    title: `${below}: head ${name}`,
    image: `a-${values.image}-${values.views}`,
    heat: attentionOf(data, state, below, Number(name)),
    chosen: values.head === name
  } }));
}
function heldAttention({ models }, { values }, name) {
  return models[name].attention[placeKey(values)][values.layer];
}
function attentionOf(data, state, name, head) {
  const { grid } = data;
  const count = grid[0] * grid[1];
  const { levels, heads } = heldAttention(data, state, name);
  const start = ((head <= heads ? head : 0) * count + state.selected[1]) * count;
  return heatOf(bytesIn(levels).slice(start, start + count), grid, "attention");
}

// src/model.ts
function pageModel(first, answer) {
  const shown = { ...first, event: null, answered: 0 };
  const listeners = {};
  const model = {
    get: (name) => shown[name],
    set: (name, value) => {
      shown[name] = value;
    },
    on: (name, call) => {
      listeners[name] = call;
    },
    save_changes: () => answer(shown.event)
    // panels set it before
  };
  return { shown, model, tell: () => listeners["change:scene"]?.() };
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
function makeControl(bar, { name, label: words, options, slider }, send) {
  const label = add(bar, "label");
  add(label, "span", {}, words);
  const choice = options.length > 0 && !slider;
  const input = choice ? add(label, "select", { name }) : add(label, "input", { name, type: "range", step: 1 });
  input.addEventListener("input", () => send({ control: name, value: choice ? input.value : valueOf(input) }));
  add(label, "output");
  return input;
}
function valueOf({ value, dataset }) {
  const steps = JSON.parse(dataset.steps ?? "[]");
  return steps.length ? steps[Number(value)] : Number(value);
}
function offer(input, options) {
  const known2 = [...input.options].map((option) => option.value).join();
  if (known2 === options.join()) return;
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
  const start = place(view, event);
  const begun = chartPart(view, ...start);
  let moved = false;
  let parts = [];
  const moving = (now) => {
    moved ||= isDrag(event, now);
    if (!moved) return;
    const [[x, y], [toX, toY]] = [start, place(view, now)];
    const [top, bottom] = bars ? [0, 1] : [Math.min(y, toY), Math.max(y, toY)];
    view.band = [Math.min(x, toX), top, Math.max(x, toX), bottom];
    parts = bars ? range(begun, chartPart(view, toX, toY)) : pointsIn(view, view.band);
    view.chosen = parts;
    draw(view);
  };
  follow(view.svg, event, moving, (last, cancelled) => {
    if (!cancelled) moving(last);
    view.band = null;
    view.chosen = panel.chart.chosen;
    if (!cancelled && moved && parts.length > 0) several(view, parts, parts[parts.length - 1], send);
    if (!cancelled && !moved && event.shiftKey) several(view, extended(view, begun), begun, send);
    if (!cancelled && !moved && !event.shiftKey) {
      view.cursor = begun;
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
  const { chosen: chosen2, cursor } = view;
  if (view.panel.chart.kind === "bars") {
    const [low, high] = [Math.min(...chosen2), Math.max(...chosen2)];
    return range(cursor === high ? low : cursor === low ? high : cursor, part);
  }
  const others = chosen2.filter((each) => each !== part);
  return others.length < chosen2.length ? others : [...others, part].sort((a, b) => a - b);
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
  const enter = event.key === "Enter";
  if (box && (step || grows)) return nudge(view, box, step || [0, 0], grows || 0, send);
  if (!clickable(panel)) return void 0;
  if (step) return moveCursor(view, panel.grid, step, event.shiftKey, send);
  if (!enter && event.key !== " ") return void 0;
  if (enter && event.shiftKey && isBrushed(view)) {
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
function mount(model, el, offer3) {
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
  const { send, answered, isAhead } = sender(model, root, gone, offer3);
  controls.addEventListener("keydown", keepKeys);
  jumps.addEventListener("keydown", keepKeys);
  const updateControls = () => showControls(controls, model.get("scene").controls || [], send, isAhead);
  const show = () => {
    const scene = model.get("scene");
    if (!scene.panels) return;
    tell(text, scene.text);
    root.classList.toggle("charted", Boolean(scene.panels[0]?.chart));
    updateControls();
    showPanels(panels, scene, model.get("images"), all, send);
    keepHeight(text, scene.panels.some((panel) => panel.hovers));
    showJumps(jumps, scene, send);
    showLegend(legend, scene);
    colour.hidden = !scene.panels.some((panel) => panel.heat);
  };
  model.on("change:scene", show);
  model.on("change:answered", () => {
    updateControls();
    answered();
  });
  answered();
  show();
  return tools;
}
function addFullScreen(tools, root) {
  if (!document.fullscreenEnabled) return;
  const button = add(tools, "button", { type: "button", class: "full" }, "Full screen");
  button.addEventListener("click", () => document.fullscreenElement === root ? document.exitFullscreen() : root.requestFullscreen());
  button.addEventListener("keydown", keepKeys);
  root.addEventListener("fullscreenchange", () => {
    button.textContent = document.fullscreenElement === root ? "Leave full screen" : "Full screen";
  });
}
function addColour(parent, root) {
  const label = add(parent, "label", { class: "colour" });
  add(label, "span", {}, "colour");
  const slider = add(label, "input", { name: "colour", type: "range", min: 0, max: 100, value: 100 });
  slider.addEventListener("input", () => root.style.setProperty("--opacity", String(Number(slider.value) / 100)));
  slider.addEventListener("keydown", keepKeys);
  return label;
}
function sender(model, root, gone, offer3) {
  const sent = {};
  let timer;
  let lost = false;
  const last = () => model.get("event")?.count || 0;
  const isAnswered = () => (model.get("answered") || 0) >= last();
  const warn = (late) => {
    gone.textContent = lost ? LOST : late && !isAnswered() ? LATE : "";
    gone.hidden = !gone.textContent;
    if (!gone.hidden) offer3?.(gone);
    root.classList.toggle("late", !gone.hidden);
  };
  const send = (event) => {
    const count = last() + 1;
    clearTimeout(timer);
    timer = setTimeout(() => warn(true), PATIENCE);
    if ("control" in event) sent[event.control] = count;
    model.set("event", { ...event, count });
    model.save_changes();
  };
  const isAhead = (name) => sent[name] > model.get("answered");
  model.on("comm_live_update", () => {
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
    const button = add(list, "button", { type: "button" }, jump.text);
    button.addEventListener("click", () => send({ panel: jump.panel, patch: jump.patch }));
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

// src/eye.ts
var MIRRORED = "mirrored";
var RESTS = " The box snaps to places on a grid, in the size that it has.";
var REFUSAL = "This page does not hold that answer: it holds the box in its present size only. For any other answer, open the notebook.";
var eyeScene = {
  refusal: REFUSAL,
  hints: {
    free: "Move over a patch: its answer is shown at once. A click pins it." + RESTS,
    pinned: "Pinned: a click on another patch moves the pin; a click on this one or Escape releases it." + RESTS
  },
  next: (state, event, { boxes }) => {
    const set = (values) => ({ ...state, values: { ...state.values, ...values } });
    if ("control" in event) return set({ [event.control]: event.value });
    if (!("box" in event)) return withPatch(state, event.panel, event);
    const found = nearestBox(boxes, state.values.box, event);
    if (found >= 0) return set({ box: boxes[found] });
    return event.step?.some(Boolean) ? state : null;
  },
  scene: (data, first, state, images) => {
    const { grid, boxes } = data;
    const { values, pinned, selected: [, patch] } = state;
    const number = boxes.findIndex((box) => String(box) === String(values.box));
    const step = values.training_step ?? "";
    const held = data.places[`${values.image} ${values.flip} ${number} ${step}`.trimEnd()];
    const source = `image ${values.image}`;
    const view = `view ${held.name}`;
    images[view] ??= cutOf(images[source], values.box, values.flip === MIRRORED, grid);
    const count = grid[0] * grid[1];
    const cosines = bytesIn(held.cosine);
    const own = [...Array(count).keys()].map((i) => cosines[i * (count + 1)]);
    const row = cosines.slice(patch * count, (patch + 1) * count);
    const query = markAt(centreOf(grid, patch), "query");
    const best = held.best[patch];
    const onGrid = { hovers: !pinned, follows: true, marks: [query] };
    const changes = {
      context: { image: source, boxes: first.panels[0].boxes.map((box) => ({ ...box, ...sidesOf(values.box) })) },
      query: { ...onGrid, image: view, heat: heatOf(own, grid, "cosine") },
      match: {
        ...onGrid,
        image: view,
        heat: heatOf(row, grid, "cosine"),
        marks: [query, markAt(centreOf(grid, best), "match")]
      },
      expected: { ...onGrid, image: `expected ${held.name}` },
      target: { ...onGrid, image: `target ${held.name}` }
    };
    const words = (at) => fill("row {row}, column {column}", rowAndColumn(grid, at));
    return {
      ...first,
      panels: first.panels.map((panel) => ({ ...panel, ...changes[panel.id] })),
      text: fill(data.text, {
        query: words(patch),
        best: words(best),
        found: held.found[patch],
        own: held.own[patch],
        right: held.right,
        count
      }),
      controls: withValues(first.controls, values)
    };
  }
};
function sidesOf([top, left, height, width]) {
  return { top, left, height, width };
}
function nearestBox(boxes, now, { box, step = [0, 0] }) {
  const keyed = step.some(Boolean);
  const [top, left, height, width] = box;
  const ahead = ([y, x]) => step[0] * (y - now[0]) + step[1] * (x - now[1]) > 1e-3;
  const from = keyed ? now : [top, left];
  const sameSize = ([, , h, w]) => Math.hypot(h - height, w - width) < 1e-3;
  const distance = (each) => sameSize(each) && (!keyed || ahead(each)) ? Math.hypot(each[0] - from[0], each[1] - from[1]) : Infinity;
  const distances = boxes.map(distance);
  const least = Math.min(...distances);
  return least < Infinity ? distances.indexOf(least) : -1;
}
function cutOf(image, [top, left, height, width], mirrored, [rows, columns]) {
  const turned = mirrored ? ` transform="translate(${2 * left + width} 0) scale(-1 1)"` : "";
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${32 * columns}" height="${32 * rows}" preserveAspectRatio="none" viewBox="${left} ${top} ${width} ${height}"><image href="${image}" width="1" height="1" preserveAspectRatio="none" style="image-rendering: pixelated"${turned}/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

// src/labels.ts
var AROUND = [...Array(16).keys()].map((i) => [Math.cos(Math.PI * i / 8), Math.sin(Math.PI * i / 8)]);
var SIDES = [...AROUND, [1, -1], [-1, -1], [1, 1], [-1, 1]];
var GAPS = [7, 14, 24, 38, 56, 80, 110, 150, 200, 260, 330];
var ROUNDS = 6;
var MARKER = 14;
function around([x, y], [right, down], [wide, high]) {
  return [x + right - wide / 2, y + down - high / 2, x + right + wide / 2, y + down + high / 2];
}
function covered(a, b) {
  const side = (low, high) => Math.max(0, Math.min(a[high], b[high]) - Math.max(a[low], b[low]));
  return side(0, 2) * side(1, 3);
}
function sum(boxes, box) {
  return boxes.reduce((all, other) => all + covered(box, other), 0);
}
function candidates([wide, high]) {
  return GAPS.flatMap((gap) => SIDES.map(([right, down]) => [right * (wide / 2 + gap), down * (high / 2 + gap)]));
}
function placeLabels(points, sizes, solid, area, lines = []) {
  const offered = sizes.map(candidates);
  const best = offered.map(([first]) => first);
  const markers = points.map((point2) => around(point2, [0, 0], [MARKER, MARKER]));
  const costOf = (i, offset) => {
    const labels = points.map((point2, j) => around(point2, best[j], sizes[j])).filter((_, j) => j !== i);
    const [wide, high] = sizes[i];
    const box = around(points[i], offset, sizes[i]);
    const far = Math.hypot(Math.max(0, Math.abs(offset[0]) - wide / 2), Math.max(0, Math.abs(offset[1]) - high / 2));
    const hit = [...labels, ...markers.filter((_, j) => j !== i)];
    const line = [1, 2, 3, 4, 5, 6, 7].map((step) => [step * offset[0] / 10, step * offset[1] / 10]);
    const crossed = line.reduce((all, part) => all + sum(hit, around(points[i], part, [3, 3])), 0);
    return far + 25 * crossed + 100 * (wide * high - covered(box, area)) + 100 * sum([...labels, ...solid], box) + 4 * sum([...solid, ...lines], box);
  };
  for (let round = 0; round < ROUNDS; round++) {
    let moved = false;
    offered.forEach((offsets, i) => {
      const costs = offsets.map((offset) => costOf(i, offset));
      const found = offsets[costs.indexOf(Math.min(...costs))];
      moved ||= found !== best[i];
      best[i] = found;
    });
    if (!moved) break;
  }
  return best;
}

// src/study.ts
var UNITS = [800, 600];
var [LETTER, LINE, DOT, WHISKER] = [21, 38, 20, 8];
var SUMMARY = "semantic";
var studyScene = {
  hints: {
    free: "A click chooses a point; a rectangle around points, or Shift and a click, several.",
    pinned: ""
  },
  next: (state, event, data) => {
    const own = pointsOf(data, state.values);
    const set = (values) => ({ ...state, values: { ...state.values, ...values } });
    if ("control" in event) return set(controlled(data, state.values, event));
    if ("parts" in event) return set({ chosen: event.parts.map((part) => own.names[part]) });
    return "patch" in event ? set({ chosen: [own.names[event.patch]] }) : state;
  },
  scene: (data, first, { values }) => {
    const own = pointsOf(data, values);
    const described = values.chosen.slice(0, data.described);
    const more = values.chosen.length - described.length;
    const [base] = described;
    const lines = described.map((name) => (own.lines[base] ?? own.lines[own.names[0]])[name]);
    const { title, rows } = own.probes[values.probe];
    const shown = rows.filter(([name]) => described.includes(name));
    const [plane, bars] = first.panels;
    return {
      ...first,
      panels: [
        {
          ...plane,
          title: `All ${values.points}`,
          grid: [1, own.names.length],
          chart: planeOf(own, values.chosen, own.names.length <= data.named ? own.names : described)
        },
        { ...bars, title: `Chosen ${values.points}: ${values.probe}`, chart: valuesOf(own, shown, title) }
      ],
      text: [own.head, ...lines, ...more > 0 ? [`${more} more are chosen.`] : []].join("\n"),
      controls: withValues(first.controls, values).map((control) => control.name === "probe" ? { ...control, options: Object.keys(own.probes) } : control)
    };
  }
};
function pointsOf({ states }, { study, points }) {
  return states[`${study} ${points}`];
}
function controlled(data, values, { control, value }) {
  const next = { ...values, [control]: value };
  if (control === "probe" || value === values[control]) return next;
  const { chosen: chosen2, probes } = pointsOf(data, next);
  return { ...next, chosen: chosen2, probe: next.probe in probes ? next.probe : SUMMARY };
}
function planeOf({ names, plane }, chosen2, named) {
  const numbers = named.map((name) => names.indexOf(name));
  const points = plane.x.map((x, i) => [x, plane.y[i]]);
  const whiskers = plane.whiskers.map((ends, i) => numbers.includes(i) ? ends : null);
  return {
    ...plane,
    chosen: chosen2.map((name) => names.indexOf(name)),
    places: numbers.length === names.length ? plane.places : besides(points, plane.names, numbers, whiskers),
    whiskers
  };
}
function valuesOf({ names, plane }, rows, title) {
  const numbers = rows.map(([name]) => names.indexOf(name));
  const of = (all) => numbers.map((i) => all[i]);
  const { values, ticks, ends } = axisOf(rows);
  const x = rows.map((_, i) => (i + 0.5) / rows.length);
  const points = x.map((at, i) => [at, values[i]]);
  const whiskers = ends.map(([low, high], i) => [x[i], x[i], low, high]);
  return {
    ...plane,
    x,
    y: values,
    names: of(plane.names),
    colours: of(plane.colours),
    symbols: of(plane.symbols),
    x_title: "",
    y_title: title,
    x_ticks: [],
    y_ticks: ticks,
    chosen: [],
    places: besides(points, of(plane.names), [...x.keys()], whiskers),
    joined: false,
    whiskers
  };
}
function axisOf(rows) {
  const all = rows.map(([, value]) => value);
  const ends = rows.map(([, value, low2, high2]) => [low2 ?? value, high2 ?? value]);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const span = high - low || 0.1;
  const [least, most] = [Math.min(...ends.map(([end]) => end)), Math.max(...ends.map(([, end]) => end))];
  const bottom = Math.max(low - span, Math.min(low - 0.15 * span, least - 0.05 * span));
  const top = Math.min(high + span, Math.max(high + 0.15 * span, most + 0.05 * span));
  const share = (value) => Math.min(1, Math.max(0, (value - bottom) / (top - bottom)));
  return {
    values: all.map(share),
    ticks: ticksOf(bottom, top),
    ends: ends.map(([start, end]) => [share(start), share(end)])
  };
}
function ticksOf(low, high, gaps = 6) {
  const power = 10 ** Math.floor(Math.log10((high - low) / 2));
  const step = [0.5, 1, 2, 5].map((times) => times * power).find((each) => (high - low) / each <= gaps) ?? power;
  const [first, last] = [Math.ceil(low / step), Math.floor(high / step)];
  return [...Array(Math.max(0, last - first + 1)).keys()].map((i) => {
    const mark = (first + i) * step;
    const words = Number(mark.toPrecision(10)).toLocaleString("en", { maximumSignificantDigits: 10 });
    return [(mark - low) / (high - low), words];
  });
}
function besides(points, names, numbers, whiskers) {
  const down = points.map(downOf);
  const sizes = numbers.map((i) => [LETTER * names[i].length + 8, LINE]);
  const dots = down.map(([x, y]) => [x - DOT, y - DOT, x + DOT, y + DOT]);
  const lines = whiskers.flatMap((ends, i) => ends ? linesOf(points[i], ends) : []);
  const offsets = placeLabels(numbers.map((i) => down[i]), sizes, dots, [0, 0, ...UNITS], lines);
  const places = points.map(() => null);
  numbers.forEach((number, i) => {
    const [x, y] = points[number];
    places[number] = [x + offsets[i][0] / UNITS[0], y - offsets[i][1] / UNITS[1]];
  });
  return places;
}
function downOf([x, y]) {
  return [x * UNITS[0], (1 - y) * UNITS[1]];
}
function linesOf([x, y], [left, right, low, high]) {
  const boxOf = (from, to) => {
    const [[a, b], [c, d]] = [downOf(from), downOf(to)];
    return [a - WHISKER, b - WHISKER, c + WHISKER, d + WHISKER];
  };
  return [boxOf([left, y], [right, y]), boxOf([x, high], [x, low])];
}

// src/curves.ts
var FEW = 3;
function curvePanels({ curves, names, plane }, first, shown) {
  if (!curves) return [];
  const without = listed(shown.filter((name) => !curves.logged.includes(name)).map((name) => plane.names[names.indexOf(name)]));
  const all = shown.every((name) => !curves.logged.includes(name));
  const more = without.length && !all ? `; no metrics for ${without.join(", ")}` : "";
  const note = ["no metrics for", without.join(",\n")].join("\n").trim();
  const like = first.panels.find(({ chart }) => chart?.kind === "lines");
  return curves.kinds.flatMap((kind) => {
    const runs = shown.filter((name) => name in kind.runs);
    if (runs.length === 0 && !kind.always) return [];
    return [{
      ...like,
      id: kind.title.split(",")[0].toLowerCase(),
      title: kind.title + more,
      chart: curveChart(like.chart, kind, runs, { names, plane }, note)
    }];
  });
}
function curveChart(like, { axis, runs }, shown, { names, plane }, note) {
  const steps = shown.flatMap((name) => runs[name][0]);
  const values = shown.flatMap((name) => runs[name][1]);
  const [low, high, last] = [Math.min(0, ...values), Math.max(1, ...values), Math.max(1, ...steps)];
  const of = (all) => shown.map((name) => all[names.indexOf(name)]);
  return {
    ...like,
    y_title: axis,
    note: shown.length ? "" : note,
    x: shown.map((name) => runs[name][0].map((step) => step / last)),
    y: shown.map((name) => runs[name][1].map((value) => (value - low) / (high - low))),
    names: of(plane.names),
    colours: of(plane.colours),
    symbols: of(plane.symbols),
    x_ticks: shown.length ? ticksOf(0, last, 4) : [],
    y_ticks: shown.length ? ticksOf(low, high) : []
  };
}
function listed(names) {
  const few = names.slice(0, FEW);
  const more = names.length - FEW;
  return more > 0 ? [...few.slice(0, -1), `${few[FEW - 1]} and ${more} more`] : few;
}

// src/linked.ts
var linkedScene = {
  begin: withExamples,
  hints: {
    free: "A click chooses a point or a bar; a rectangle around points, or Shift and a click, several.",
    pinned: ""
  },
  next: (state, event, data) => {
    const set = (values) => withExamples(data, { ...state, values: { ...state.values, ...values } });
    if ("control" in event) return set(withMeasure(data, state, { [event.control]: event.value }));
    const parts = "parts" in event ? event.parts : "patch" in event ? [event.patch] : [];
    if (parts.length === 0) return state;
    if (event.panel !== "plane") {
      return { ...state, values: { ...state.values, bars: rangeOf(parts) }, selected: [event.panel, parts[0]] };
    }
    const chosen2 = parts.map((part) => data.names[part]);
    return set({ chosen: chosen2, ...withMeasure(data, state, { model: chosen2[0] }) });
  },
  scene: (data, first, state, images) => {
    const { model, measure } = state.values;
    const rows = rowsOf(data, model, measure);
    const edges = edgesOf(data, state);
    const inside2 = rows.filter(({ value }) => state.values.bars.includes(barOf(value, edges))).sort((a, b) => b.value - a.value);
    return {
      ...first,
      panels: [
        planePanel(data, first, state),
        barsPanel(data, first, state, rows, edges),
        ...curvePanels(data, first, state.values.chosen.slice(0, data.described)),
        ...inside2.slice(0, data.measures[measure].shown).flatMap((row, i) => example(data, first, state, row, i, images))
      ],
      text: textOf(data, state, rows.length, inside2.length, edges),
      legend: data.measures[measure].legend,
      controls: withValues(first.controls, state.values).map((control) => ({
        ...control,
        options: control.name === "model" ? state.values.chosen : Object.keys(data.models[model].values)
      }))
    };
  }
};
function withMeasure(data, { values }, changes) {
  const possible = data.models[changes.model ?? values.model].values;
  return { ...values.measure in possible ? {} : { measure: Object.keys(possible)[0] }, ...changes };
}
function withExamples(data, state) {
  const { model, measure, bars } = state.values;
  const edges = edgesOf(data, state);
  const filled = rowsOf(data, model, measure).map(({ value }) => barOf(value, edges));
  if (filled.some((bar) => bars.includes(bar))) return state;
  return { ...state, values: { ...state.values, bars: [Math.max(...filled)] } };
}
function rangeOf(parts) {
  const [low, high] = [Math.min(...parts), Math.max(...parts)];
  return [...Array(high - low + 1).keys()].map((i) => low + i);
}
var known = /* @__PURE__ */ new Map();
function rowsOf(data, name, measure) {
  const key2 = `${name} ${measure}`;
  const found = known.get(key2) ?? makeRows(data, data.models[name], measure);
  known.set(key2, found);
  return found;
}
function makeRows({ measures, views }, model, measure) {
  const { values, images } = model.values[measure];
  const numbers = new Float32Array(bytesOf(values).buffer);
  const { of } = measures[measure];
  const best = of === "pairs" ? new Uint16Array(bytesOf(model.best).buffer) : [];
  const places = images ? images.map((image) => [image, -1]) : views[model.views].images.flatMap(({ inside: inside2 }, image) => [...inside2].flatMap((shown, patch) => of === "pairs" && shown === "0" ? [] : [[image, patch]]));
  return places.map(([image, patch], i) => ({ image, patch, value: numbers[i], best: best[i] }));
}
function describedIn({ described, base }, { values }) {
  return [.../* @__PURE__ */ new Set([...values.chosen.slice(0, described), values.model, base])];
}
function edgesOf(data, state) {
  const { measure } = state.values;
  const able = describedIn(data, state).filter((name) => measure in data.models[name].values);
  let [low, high] = [Infinity, -Infinity];
  for (const name of able) {
    for (const { value } of rowsOf(data, name, measure)) [low, high] = [Math.min(low, value), Math.max(high, value)];
  }
  return [...Array(data.bars + 1).keys()].map((i) => low + (high - low) * i / data.bars);
}
function barOf(value, edges) {
  return edges.slice(1, -1).filter((edge) => value >= edge).length;
}
function planePanel(data, first, state) {
  const { names, named } = data;
  const described = describedIn(data, state);
  const shown = names.filter((name) => names.length <= named || described.includes(name));
  return { ...first.panels[0], chart: planeOf(data, state.values.chosen, shown) };
}
function barsPanel(data, first, { values }, rows, edges) {
  const counts = Array(data.bars).fill(0);
  for (const { value } of rows) counts[barOf(value, edges)] += 1;
  const shares = counts.map((count) => count / Math.max(1, rows.length));
  const most = Math.max(...shares);
  const { part } = data.measures[values.measure];
  const panel = first.panels[1];
  const ticks = edges.map((edge, i) => [i / data.bars, general(edge)]);
  const chart = {
    ...panel.chart,
    x: ticks.map(([at]) => at),
    y: shares.map((share) => share / (1.05 * most)),
    names: counts.map((count, i) => `${general(edges[i])} to ${general(edges[i + 1])}: ${count}`),
    x_title: values.measure,
    y_title: `share of ${part}`,
    chosen: values.bars,
    x_ticks: ticks.filter((_, i) => i % Math.max(1, Math.floor(data.bars / 4)) === 0),
    y_ticks: [[0, "0 %"], [1 / 1.05, `${evenly(100 * most)} %`]]
  };
  return { ...panel, title: `${values.model}: all ${part}`, chart };
}
function example(data, first, { values }, row, i, images) {
  const { grid, views } = data.models[values.model];
  const { image, patch, value, best } = row;
  const query = patch < 0 ? [] : [markAt(centreOf(grid, patch), "query")];
  const bare = { ...first.panels[0], chart: null, several: false, span: 1, grid, still: true };
  if (data.measures[values.measure].of !== "pairs") {
    const name = `image ${image}`;
    return [{ ...bare, id: `${i} image`, title: `Image ${image}: ${general(value)}`, image: name, marks: query }];
  }
  const { draw: draw2, images: all } = data.views[views];
  const { boxes, flips, true: truth } = all[image];
  const keys = ["a", "b"].map((side) => `${side}-${image}-${draw2}`);
  keys.forEach((key2, side) => {
    images[key2] ??= cutOf(images[`image ${image}`], boxes[side], flips[side], grid);
  });
  const [found, wanted] = [centreOf(grid, best), truth[patch]];
  const arrow = [...found, ...wanted];
  return [
    { ...bare, id: `${i} a`, title: `Image ${image}, view a`, image: keys[0], marks: query },
    {
      ...bare,
      id: `${i} b`,
      title: `View b: ${general(value)}`,
      image: keys[1],
      arrows: [arrow],
      marks: [markAt(found, "match"), markAt(wanted, "true")]
    }
  ];
}
function textOf(data, { values }, total, inside2, edges) {
  const { part, shown } = data.measures[values.measure];
  const { bars, chosen: chosen2, model, measure } = values;
  const [low, high] = [edges[bars[0]], edges[bars[bars.length - 1] + 1]].map(general);
  const examples = inside2 > shown ? `; the ${shown} with the largest values are shown` : "";
  const described = chosen2.slice(0, data.described);
  const lines = data.names.filter((name) => described.includes(name)).map((name) => data.models[name].line);
  const more = chosen2.length - described.length;
  return [
    `${model}: ${inside2} ${part} of ${total} with ${measure} from ${low} to ${high}${examples}.`,
    ...lines,
    ...more > 0 ? [`${more} more are chosen.`] : [],
    ...data.note ? [data.note] : []
  ].join("\n");
}
function general(value) {
  const [digits, power] = value.toExponential(2).split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 3) return String(Number(value.toPrecision(3)));
  const sign = exponent < 0 ? "-" : "+";
  return `${Number(digits)}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}
function evenly(value) {
  const near = Math.round(value);
  return near - value === 0.5 && near % 2 ? near - 1 : near;
}

// src/path.ts
var PANELS = 3;
var pathScene = {
  next: (state, event, { models }) => {
    if ("control" in event || event.panel !== "path") return modelsScene.next(state, event, models);
    if (!("patch" in event)) return state;
    return { ...state, values: { ...state.values, step: event.patch + 1 } };
  },
  scene: (data, first, state, images) => {
    const i = state.values.step - 1;
    const values = { ...state.values, [HEADS_OF]: data.names[i] };
    const whole = modelsScene.scene(data.models, data.whole, { ...state, values }, images);
    const { panels } = first;
    const head = whole.controls.filter(({ name }) => name === "head");
    const controls = first.controls.map((control) => head.find(({ name }) => name === control.name) ?? control);
    return {
      ...whole,
      columns: first.columns,
      legend: first.legend,
      panels: [...whole.panels.slice(PANELS * i, PANELS * (i + 1)), chosen(panels[panels.length - 1], i)],
      text: `${data.steps[i]}
${matchText(data, data.names[i], state)}`,
      controls: withValues(controls, state.values)
    };
  }
};
function chosen(plane, step) {
  return { ...plane, chart: plane.chart && { ...plane.chart, chosen: [step] } };
}
function matchText({ models, text }, name, { values, selected: [, patch] }) {
  const { grid } = models;
  const answer = answerOfPair({ grid, pairs: models.models[name].pairs }, values, "a", patch);
  return textOfPair(text[name], grid, answer, "a", patch);
}

// src/reconstruction.ts
var reconstructionScene = {
  next: (state, event) => "control" in event ? { ...state, values: { ...state.values, [event.control]: event.value } } : withPatch(state, event.panel, event),
  scene: ({ grid, places, text }, first, { values, pinned, selected: [, patch] }, images) => {
    const masked = `${values.image} ${values.mask}`;
    const name = `${masked} ${values.training_step ?? ""}`.trimEnd();
    const { hidden, lost, levels, rest } = places[name];
    const image = `image ${values.image}`;
    const onGrid = { marks: [markAt(centreOf(grid, patch), "query")], hovers: !pinned, follows: true };
    const part = (key2, source) => {
      images[key2] ??= partOf(images[source], grid, patch);
      return { image: key2 };
    };
    const changes = {
      seen: { image: `seen ${masked}`, ...onGrid },
      reconstruction: { image: `whole ${name}`, ...onGrid },
      image: { image, heat: { levels, grid, scale: "lost" }, ...onGrid },
      predicted: part(`predicted ${name} ${patch}`, `whole ${name}`),
      true: part(`true ${masked} ${patch}`, image)
    };
    const own = hidden[patch] === "0" ? text.seen : lost[patch] ? text.predicted : text.unpredicted;
    return {
      ...first,
      panels: first.panels.map((panel) => ({ ...panel, ...changes[panel.id] })),
      text: fill(own, { ...rowAndColumn(grid, patch), lost: lost[patch] }) + rest,
      controls: withValues(first.controls, values)
    };
  }
};
function partOf(image, [rows, columns], patch) {
  const [top, left] = [Math.floor(patch / columns), patch % columns];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64" viewBox="${left} ${top} 1 1"><image href="${image}" width="${columns}" height="${rows}" preserveAspectRatio="none" style="image-rendering: pixelated"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

// src/alone.ts
var scenesOf = {
  pairScene,
  modelsScene,
  pathScene,
  reconstructionScene,
  studyScene,
  eyeScene,
  linkedScene
};
function mountAlone(answers, el, keys) {
  const { first, moves, scenes, images, refusal, held } = answers;
  const state = { ...answers.state };
  const { shown, model, tell: tell2 } = pageModel({ scene: first, images: { ...images } }, answer);
  const hint = held ? add(el, "p", { class: "siamlab-hint" }) : null;
  function answer(event) {
    const before = shown.scene;
    shown.answered = event.count;
    if (held) shown.scene = computed(held, event);
    else if (!("release" in event)) shown.scene = stored(event);
    if (shown.scene === before) return;
    tell2();
    showHint();
  }
  function computed(from, event) {
    const { next, scene, refusal: own } = scenesOf[from.scene];
    const changed = "release" in event ? { pinned: false } : next(state, event, from.data);
    if (changed === state) return shown.scene;
    if (changed === null) return refused(own ?? refusal);
    Object.assign(state, changed);
    return scene(from.data, first, state, shown.images);
  }
  function stored(event) {
    const name = eventName(event);
    const move = name === void 0 ? void 0 : moves[name];
    const values = { ...state.values, ...move?.values };
    const selected = move?.selected || state.selected;
    const words = Object.keys(values).sort().map((key2) => key2 + "=" + values[key2]);
    const found = move && scenes[[...words, ...selected].join(" ")];
    if (found) Object.assign(state, { values, selected });
    return found ? { ...first, ...found } : refused(refusal);
  }
  function refused(text) {
    const now = shown.scene;
    return now.text === text ? now : { ...now, text };
  }
  function eventName(event) {
    if ("control" in event) return event.control + "=" + event.value;
    if ("parts" in event) return event.panel + " " + event.parts;
    if ("patch" in event) return event.panel + " " + event.patch;
    return "box" in event ? boxName(event) : void 0;
  }
  function boxName(event) {
    const names = Object.keys(moves).filter((name) => name.startsWith("box "));
    const found = nearestBox(names.map((name) => moves[name].values.box), state.values.box, event);
    return found < 0 ? void 0 : names[found];
  }
  function showHint() {
    if (!held || !hint) return;
    const hints = scenesOf[held.scene].hints ?? HINTS;
    const exact = shown.scene.panels.some((panel) => panel.heat) ? EXACT : "";
    hint.textContent = hints[state.pinned ? "pinned" : "free"] + exact;
  }
  if (held) {
    const { begin, scene } = scenesOf[held.scene];
    Object.assign(state, begin?.(held.data, state), { pinned: false });
    shown.scene = scene(held.data, first, state, shown.images);
    keys.addEventListener("keydown", (event) => {
      if (event.key === "Escape") answer({ release: true, count: shown.answered });
    });
  }
  showHint();
  mount(model, el);
  return shown;
}

// src/widget.ts
var WHY = "Keeps what this cell computes its answers from in the page, so that it can answer when its kernel is gone; a saved notebook grows by up to 3 MB.";
function render({ model, el }) {
  const tools = mount(model, el, (note) => offer2(model, el, note));
  const button = add(tools, "button", { type: "button", class: "keep", title: WHY });
  const show = () => {
    const kept = Boolean(model.get("kept")?.first);
    button.disabled = kept || Boolean(model.get("keep"));
    button.textContent = kept ? "Answers kept" : button.disabled ? "Keeping answers …" : "Keep answers";
  };
  button.addEventListener("click", () => {
    model.set("keep", true);
    model.save_changes();
    show();
  });
  button.addEventListener("keydown", keepKeys);
  model.on("change:kept", show);
  show();
}
function offer2(model, el, note) {
  const kept = model.get("kept");
  if (!kept?.first) return;
  const button = add(note, "button", { type: "button" }, "Answer without the kernel");
  button.addEventListener("click", () => {
    el.replaceChildren();
    mountAlone(kept, el, el);
  });
}
var widget_default = { render };
export {
  widget_default as default
};
