// Built from siamlab/explore/web/src by `make web`.

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
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
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
function drawPoints({ svg, chosen, symbols }, chart, px, py) {
  const places = chart.x.map((x, i) => [px(x), py(chart.y[i])]);
  chart.places.forEach((place, i) => {
    if (!place || Math.abs(py(place[1]) - places[i][1]) < 50) return;
    const [x1, y1] = places[i];
    shape(svg, "line", { x1, y1, x2: px(place[0]), y2: py(place[1]), class: "leader" });
  });
  if (chart.joined) {
    shape(svg, "path", { d: `M${places.map((place) => place.join(" ")).join("L")}`, class: "way" });
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
  chart.places.forEach((place, i) => {
    if (place) write(svg, chart.names[i], px(place[0]), py(place[1]) + 12, "tick named");
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
    const d = "M" + way.map((place) => place.join(" ")).join("L");
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
  const place = { x: box.left * UNIT, y: box.top * high };
  const size = { width: box.width * UNIT, height: box.height * high };
  shape(svg, "rect", { ...place, ...size, class: "edge" });
  shape(svg, "rect", { ...place, ...size, class: "box", stroke: box.colour });
  const x = other ? place.x + size.width - 12 : place.x + 12;
  const name = shape(svg, "text", { x, y: place.y + 48, class: other ? "name other" : "name" });
  name.textContent = box.name;
  if (box.movable) {
    const corner = { cx: place.x + size.width, cy: place.y + size.height, r: 26 };
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

// src/heat.ts
var OPACITY = 0.75;
var GREY = { shares: [0.2126, 0.7152, 0.0722].map((share) => 0.857 * share), least: 0.143 };
function levelsOf(heat, bound) {
  if (heat.levels !== void 0) return bytesOf(heat.levels);
  return Uint8Array.from(heat.values, (value) => Number.isFinite(value) ? 128 + Math.round(127 * Math.min(1, Math.max(-1, value / bound))) : 0);
}
function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
var TABLES = /* @__PURE__ */ new Map();
function tableOf(stops) {
  const key = stops.join();
  const known = TABLES.get(key);
  if (known) return known;
  const made = [...Array(256).keys()].map((level) => {
    const opacity = 255 * OPACITY * Math.abs(level - 128) / 127;
    return [...shade(stops, (level - 1) / 254), opacity];
  });
  TABLES.set(key, made);
  return made;
}
function shade(stops, share) {
  const place = Math.max(0, share) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const [a, b] = [stops[low], stops[low + 1]].map((stop) => (stop.match(/\d+/g) ?? []).map(Number));
  return a.map((value, i) => Math.round(value + (b[i] - value) * (place - low)));
}
function numberText(value) {
  return String(Number(value.toPrecision(2))).replace("-", "−");
}

// src/paper.ts
var UNWRITABLE = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;
var ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
function escaped(text) {
  return String(text).replace(UNWRITABLE, "�").replace(/[&<>"]/g, (letter) => ENTITIES[letter]);
}
var Element = class {
  name;
  attributes = /* @__PURE__ */ new Map();
  children = [];
  textContent = "";
  constructor(name) {
    this.name = name;
  }
  setAttribute(name, value) {
    const text = typeof value === "number" ? String(Number(value.toFixed(4))) : value;
    this.attributes.set(name, text);
  }
  appendChild(child) {
    this.children.push(child);
    return child;
  }
  toString() {
    const attributes = [...this.attributes].map(([name, value]) => ` ${name}="${escaped(value)}"`);
    const inner = [escaped(this.textContent), ...this.children];
    return ["<", this.name, ...attributes, ">", ...inner, "</", this.name, ">"].join("");
  }
};
var paper = { createElementNS: (_, name) => new Element(name) };

// shapes.css
var shapes_default = "/* drawings on panels, in the page and in pictures of it */\n.drawing * { fill: none; vector-effect: non-scaling-stroke; }\n.drawing .edge { stroke: #fff; stroke-width: 5; }\n.drawing .query { stroke: #000; stroke-width: 2.5; }\n.drawing .match { stroke: #d55e00; stroke-width: 2.5; }\n.drawing .true { stroke: #0072b2; stroke-width: 3; }\n.drawing .arrow { stroke: #1f2328; stroke-width: 2; }\n.drawing .box { stroke-width: 2.5; }\n.drawing .cursor { stroke: #0072b2; stroke-width: 2.5; stroke-dasharray: 4 3; }\n.drawing .next { fill: #fff; stroke: #1f2328; stroke-width: 1.5; }\n.drawing .rank { fill: #1f2328; font-size: 42px; text-anchor: middle; }\n.drawing .name { fill: #fff; stroke: #000; stroke-width: 3px; paint-order: stroke;\n  font-size: 44px; }\n.drawing .name.other { text-anchor: end; }\n.drawing .axis { stroke: var(--line); stroke-width: 1; }\n.drawing .tick { fill: var(--ink); font-size: 34px; text-anchor: middle; }\n.drawing .tick.end { text-anchor: end; }\n.drawing .tick.start { text-anchor: start; }\n.drawing .tick.named { stroke: var(--paper); stroke-width: 4px; paint-order: stroke; }\n.drawing .under { stroke: #fff; stroke-width: 3; }\n.drawing .link { stroke-width: 1.5; }\n.drawing .link.under { stroke: #fff; stroke-width: 3; opacity: .6; }\n.drawing circle.end { stroke: #fff; stroke-width: 1; }\n.drawing .curve { stroke-width: 2; }\n.drawing .leader { stroke: var(--line); stroke-width: 1; }\n.drawing .way { stroke: var(--line); stroke-width: 1.5; }\n.drawing .whisker { stroke-width: 1.5; }\n.drawing .point { stroke: #fff; stroke-width: 1.5; }\n.drawing .point.chosen { stroke: var(--ink); stroke-width: 2; }\n.drawing .column { fill: #56b4e9; stroke: #fff; stroke-width: 1; }\n.drawing .column.chosen { fill: #d55e00; }\n.drawing .band { fill: #0072b2; fill-opacity: .15; stroke: #0072b2; }\n";

// src/words.ts
var WIDTHS = [
  32,
  40,
  46,
  84,
  64,
  95,
  78,
  27,
  39,
  39,
  50,
  84,
  32,
  36,
  32,
  34,
  64,
  64,
  64,
  64,
  64,
  64,
  64,
  64,
  64,
  64,
  34,
  34,
  84,
  84,
  84,
  53,
  100,
  68,
  69,
  70,
  77,
  63,
  58,
  77,
  75,
  29,
  29,
  66,
  56,
  86,
  75,
  79,
  60,
  79,
  69,
  63,
  61,
  73,
  68,
  99,
  69,
  61,
  69,
  39,
  34,
  39,
  84,
  50,
  50,
  61,
  63,
  55,
  63,
  62,
  35,
  63,
  63,
  28,
  28,
  58,
  28,
  97,
  63,
  61,
  63,
  63,
  41,
  52,
  39,
  63,
  59,
  82,
  59,
  59,
  52,
  64,
  34,
  64,
  84
];
var OTHER = 84;
function textWidth(text, size) {
  const widths = [...text].map((letter) => WIDTHS[(letter.codePointAt(0) ?? 0) - 32] ?? OTHER);
  return size * widths.reduce((sum, width) => sum + width, 0) / 100;
}
function wrapped(text, width, size) {
  return lined(text.split(/(?<=\s)/u), width, size);
}
function broken(text, width, size) {
  const parts = text.match(/(?:[^\s_\-./:]|\.(?=\d))+[\s_\-./:]?|[\s_\-./:]/gu) || [];
  const lines = lined(parts, width, size);
  return lines.length > 0 ? lines : [""];
}
function lined(parts, width, size) {
  const lines = [];
  for (const part of parts.flatMap((each) => cut(each, width, size))) {
    const longer = (lines.at(-1) ?? "") + part;
    if (lines.length > 0 && textWidth(longer.trimEnd(), size) <= width) lines[lines.length - 1] = longer;
    else lines.push(part);
  }
  return lines.map((line) => line.trim()).filter(Boolean);
}
function cut(part, width, size) {
  const pieces = [""];
  for (const letter of part) {
    if (pieces.at(-1) && textWidth((pieces.at(-1) + letter).trimEnd(), size) > width) pieces.push("");
    pieces[pieces.length - 1] += letter;
  }
  return pieces;
}

// src/sheet.ts
var WIDTH = 776;
var GAP = 14;
var TITLE = 24;
var LINE = 18;
var SIGN = 18;
var STRIP = 80;
var WORDS = 11.5;
var COLOURS = { "--ink": "#1f2328", "--line": "#9aa0a6", "--paper": "#ffffff" };
var INK = COLOURS["--ink"];
var LETTERS = "DejaVu Sans, sans-serif";
Object.assign(globalThis, { document: paper, drawn: (json) => draw2(JSON.parse(json)) });
function draw2([scene, images]) {
  const svg = document.createElementNS(SVG, "svg");
  const defs = shape(svg, "defs", {});
  const sheet = { svg, scene, images, looks: /* @__PURE__ */ new Map(), used: defineImages(defs, images) };
  const settings = scene.controls.map(({ label, value, shown }) => `${label}: ${shown ?? value}`).join(" · ");
  const text = scene.text.split("\n");
  const [above, between] = scene.panels[0]?.chart ? [[settings], text] : [[...text, settings], []];
  const background = shape(svg, "rect", { width: WIDTH, fill: COLOURS["--paper"] });
  const rows = drawRows(sheet, drawWords(sheet, above, GAP) + 6);
  const below = between.length > 0 ? drawWords(sheet, between, rows) + 6 : rows;
  const height = drawFoot(sheet, below) + GAP;
  setAll(background, { height });
  const styles = [...sheet.looks].map(([scale, name]) => scaled(Number(scale), name));
  shape(defs, "style", {}).textContent = styles.join("\n");
  const viewBox = `0 0 ${WIDTH} ${height}`;
  setAll(svg, { xmlns: SVG, width: WIDTH, height, viewBox, "font-family": LETTERS });
  return svg.toString();
}
function drawWords({ svg }, parts, top) {
  const lines = parts.flatMap((part) => wrapped(part, WIDTH - 2 * GAP, WORDS + 1));
  lines.forEach((line, i) => write2(svg, line, GAP, top + (i + 0.8) * LINE, WORDS + 1));
  return top + lines.length * LINE;
}
function defineImages(defs, images) {
  const matrix = [...[1, 2, 3].flatMap(() => [...GREY.shares, 0, GREY.least]), 0, 0, 0, 1, 0].join(" ");
  const grey = shape(defs, "filter", {
    id: "grey",
    x: 0,
    y: 0,
    width: 1,
    height: 1,
    "color-interpolation-filters": "sRGB"
  });
  shape(grey, "feColorMatrix", { type: "matrix", values: matrix });
  return new Map(Object.entries(images).map(([key, { href }], i) => {
    const id = `image-${i}`;
    shape(defs, "image", {
      id,
      href,
      width: 1,
      height: 1,
      preserveAspectRatio: "none",
      style: "image-rendering: pixelated"
    });
    return [key, `#${id}`];
  }));
}
function drawRows(sheet, top) {
  const unit = Math.floor((WIDTH - GAP) / sheet.scene.columns);
  for (const row of rowsOf(sheet.scene)) {
    const places = row.map((panel) => {
      const width = unit * panel.span - GAP;
      const high = width * ratioOf(panel, sheet.images);
      return { panel, width, high, lines: broken(panel.title, width, WORDS) };
    });
    const most = Math.max(...places.map(({ lines }) => lines.length));
    const picture = top + TITLE + LINE * (most - 1);
    let left = GAP;
    for (const { panel, width, lines } of places) {
      lines.forEach((line, i) => write2(sheet.svg, line, left, picture - 9 - LINE * (lines.length - 1 - i)));
      drawOne(sheet, panel, left, picture, width);
      left += width + GAP;
    }
    top = picture + Math.max(...places.map(({ high }) => high)) + GAP;
  }
  return top;
}
function rowsOf({ panels, columns }) {
  const rows = [[]];
  let used = 0;
  for (const panel of panels) {
    if (used + panel.span > columns && used > 0) {
      rows.push([]);
      used = 0;
    }
    rows[rows.length - 1].push(panel);
    used += panel.span;
  }
  return rows;
}
function ratioOf(panel, images) {
  return panel.chart ? WIDE.ratio : images[panel.image].height / images[panel.image].width;
}
function drawOne(sheet, panel, left, top, width) {
  const { svg, scene, used, images } = sheet;
  const ratio = ratioOf(panel, images);
  const high = width * ratio;
  if (!panel.chart) {
    const place = { transform: `translate(${left} ${top}) scale(${width} ${high})` };
    const filter = panel.heat ? { filter: "url(#grey)" } : {};
    shape(svg, "use", { href: used.get(panel.image) ?? "", ...place, ...filter });
    if (panel.heat) {
      const faint = scene.opacity === void 0 ? {} : { opacity: scene.opacity };
      const group = shape(svg, "g", { ...place, ...faint, "shape-rendering": "crispEdges" });
      drawPatches(group, panel.heat.grid, panel.heat.rgba ? quarters(panel.heat.rgba) : shadesOf(panel.heat, scene));
    }
  }
  const still = panel.boxes.map((box) => ({ ...box, movable: false }));
  const chosen = panel.chart ? panel.chart.chosen : [];
  drawPanel({
    svg: layer(sheet, left, top, width / UNIT),
    panel: { ...panel, boxes: still },
    ratio,
    chosen,
    symbols: scene.symbols,
    cursor: 0
  });
  if (panel.chosen) {
    const outline = { x: left - 2.5, y: top - 2.5, width: width + 5, height: high + 5 };
    shape(svg, "rect", { ...outline, fill: "none", stroke: "#0072b2", "stroke-width": 3 });
  }
}
function shadesOf(heat, { scales, stops }) {
  const table = tableOf(stops);
  const levels = levelsOf(heat, scales[heat.scale].bound);
  return Array.from(levels, (level) => level === 0 ? [0, 0, 0, 0] : table[level]);
}
function quarters(bytes) {
  const all = Array.from(bytes);
  return [...Array(all.length / 4).keys()].map((i) => all.slice(4 * i, 4 * i + 4));
}
function drawPatches(group, [rows, columns], shades) {
  const size = { width: 1 / columns, height: 1 / rows };
  shades.forEach(([r, g, b, opacity], i) => {
    if (opacity === 0) return;
    shape(group, "rect", {
      x: i % columns / columns,
      y: Math.floor(i / columns) / rows,
      ...size,
      fill: `rgb(${r},${g},${b})`,
      "fill-opacity": (opacity / 255).toFixed(3)
    });
  });
}
function drawFoot(sheet, top) {
  const { svg, scene } = sheet;
  const signs = scene.legend.map(([kind, meaning]) => ({ kind, meaning, room: textWidth(meaning, WORDS) + 44 }));
  const scales = Object.values(scene.scales).map((scale) => {
    const low = `${scale.title}: ${numberText(scale.low)}`;
    const high = `${scale.open ? "≥ " : ""}${numberText(scale.high)}`;
    return { scale, low, high, room: textWidth(low + high, WORDS) + STRIP + 36 };
  });
  let left = GAP;
  for (const entry of [...signs, ...scales]) {
    if (left + entry.room > WIDTH && left > GAP) {
      left = GAP;
      top += LINE + 6;
    }
    if ("kind" in entry) drawSign(sheet, entry, left, top);
    else drawScale(svg, entry, left, top, scene.stops);
    left += entry.room;
  }
  return signs.length + scales.length > 0 ? top + LINE + 6 : top;
}
function drawSign(sheet, { kind, meaning }, left, top) {
  const group = layer(sheet, left + SIGN / 2, top + SIGN / 2, SIGN / 80);
  drawMark(group, { kind, x: 0, y: 0, text: "2" }, 1, { width: 56, height: 56 });
  write2(sheet.svg, meaning, left + SIGN + 6, top + 13.5);
}
function drawScale(svg, { scale, low, high }, left, top, stops) {
  write2(svg, low, left, top + 13.5);
  const start = left + textWidth(low, WORDS) + 6;
  const steps = 40;
  for (let i = 0; i < steps; i++) {
    const share = (scale.low + (i + 0.5) / steps * (scale.high - scale.low)) / scale.bound;
    shape(svg, "rect", {
      x: start + i * STRIP / steps,
      y: top + 3,
      width: STRIP / steps,
      height: 12,
      fill: `rgb(${shade(stops, (share + 1) / 2).join(",")})`,
      "shape-rendering": "crispEdges",
      "fill-opacity": (OPACITY * Math.abs(share)).toFixed(3)
    });
  }
  const frame = { x: start, y: top + 3, width: STRIP, height: 12 };
  shape(svg, "rect", { ...frame, fill: "none", stroke: COLOURS["--line"] });
  write2(svg, high, start + STRIP + 6, top + 13.5);
}
function layer({ svg, looks }, x, y, scale) {
  const key = scale.toFixed(5);
  const name = looks.get(key) ?? `s${looks.size}`;
  looks.set(key, name);
  return shape(svg, "g", { class: name, transform: `translate(${x} ${y}) scale(${key})` });
}
function scaled(scale, name) {
  const widen = (declaration) => /^stroke-(width|dasharray)/.test(declaration.trim()) ? declaration.replace(/[\d.]+/g, (width) => (Number(width) / scale).toFixed(2)) : declaration;
  return shapes_default.replace(/\/\*.*?\*\//gs, "").replace(/\.drawing/g, `.${name}`).replace(/var\((--\w+)\)/g, (_, colour) => COLOURS[colour]).replace(/\s*vector-effect: [\w-]+;/g, "").replace(/[^{;]+(?=;)/g, widen).trim();
}
function write2(svg, words, x, y, size = WORDS) {
  shape(svg, "text", { x, y, "font-size": size, fill: INK }).textContent = words;
}
