// Built from siamlab/explore/web/src by `make web`.

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
  const known = [...input.options].map((option) => option.value).join();
  if (known === options.join()) return;
  input.replaceChildren();
  for (const option of options) add(input, "option", { value: option }, option);
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

// src/places.ts
function patchAt([rows, columns], x, y) {
  return Math.floor(Math.min(y, 0.999) * rows) * columns + Math.floor(Math.min(x, 0.999) * columns);
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
function mount(model, el) {
  const root = add(el, "div", { class: "siamlab-explorer" });
  addFullScreen(root);
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
  const { send, answered, isAhead } = sender(model, root, gone);
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
}
function addFullScreen(root) {
  if (!document.fullscreenEnabled) return;
  const button = add(root, "button", { type: "button", class: "full" }, "Full screen");
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
function sender(model, root, gone) {
  const sent = {};
  let timer;
  const last = () => model.get("event")?.count || 0;
  const isAnswered = () => (model.get("answered") || 0) >= last();
  const warn = (late) => {
    gone.textContent = late && !isAnswered() ? LATE : "";
    gone.hidden = !gone.textContent;
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
  return { send, answered: () => warn(false), isAhead };
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

// src/widget.ts
var widget_default = { render: ({ model, el }) => mount(model, el) };
export {
  widget_default as default
};
