// Built from siamlab/explore/web/src by `make web`.

// src/compute.ts
function fill(template, words) {
  return template.replace(/\{(\w+)\}/g, (_, name) => words[name]);
}
var bytes = /* @__PURE__ */ new Map();
function unpacked(text) {
  if (!bytes.has(text)) bytes.set(text, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
  return bytes.get(text);
}
function heatOf(levels, grid, scale) {
  return { levels: btoa(String.fromCharCode(...levels)), grid, scale };
}
function halfRow(half, row, count) {
  const at = (i, j) => i < j ? at(j, i) : half[i * (i + 1) / 2 + j];
  return [...Array(count).keys()].map((column) => at(row, column));
}
function centreOf([rows, columns], patch) {
  return [(Math.floor(patch / columns) + 0.5) / rows, (patch % columns + 0.5) / columns];
}
function markAt([y, x], kind, text = "") {
  return { y, x, kind, text };
}
function withValues(controls, values) {
  return controls.map((control) => ({ ...control, value: values[control.name] }));
}
function answerOfPair(data, { image, views, layer }, here, patch) {
  const { grid } = data;
  const count = grid[0] * grid[1];
  const there = here === "a" ? "b" : "a";
  const place2 = data.pairs[`${image} ${views}`];
  const held2 = place2.layers[layer];
  const side = held2[here];
  const inside2 = place2[here].inside[patch] === "1";
  const across = unpacked(held2.across);
  const found = here === "a" ? across.slice(patch * count, (patch + 1) * count) : across.filter((_, i) => i % count === patch);
  const top = side.top[patch].map((each) => centreOf(grid, each));
  const truth = place2[here].true[patch];
  const marks = [markAt(top[0], "match")];
  if (inside2) marks.push(markAt(truth, "true"));
  top.slice(1).forEach((each, i) => marks.push(markAt(each, "next", String(i + 2))));
  const own = halfRow(unpacked(side.own), patch, count);
  return {
    place: place2,
    side,
    inside: inside2,
    there,
    error: side.error[patch].toFixed(1),
    least: place2[here].ceiling[patch].toFixed(1),
    shown: {
      [here]: {
        heat: heatOf(own, grid, "cosine"),
        arrows: [],
        marks: [markAt(centreOf(grid, patch), "query")]
      },
      [there]: {
        heat: heatOf(found, grid, "cosine"),
        marks,
        arrows: inside2 ? [[...top[0], ...truth]] : []
      }
    }
  };
}
function rowAndColumn(grid, patch) {
  return { row: Math.floor(patch / grid[1]) + 1, column: patch % grid[1] + 1 };
}
var HINTS = {
  free: "Move over a patch: its answer is shown at once. A click pins it.",
  pinned: "Pinned: a click on another patch moves the pin; a click on this one or Escape releases it."
};
function withPatch(state2, panel, { hover, patch, keyed }) {
  if (hover === null || hover !== void 0 && state2.pinned) return state2;
  if (hover !== void 0) return { ...state2, selected: [panel, hover] };
  const again = state2.pinned && String(state2.selected) === String([panel, patch]);
  return { ...state2, selected: [panel, patch], pinned: Boolean(keyed || !again) };
}
var pairScene = {
  next: (state2, event) => "control" in event ? { ...state2, values: { ...state2.values, [event.control]: event.value } } : withPatch(state2, event.panel, event),
  scene: (data, first2, { values, pinned, selected: [here, patch] }) => {
    const answer2 = answerOfPair(data, values, here, patch);
    const { side, place: place2, there } = answer2;
    const numbers = {
      error: answer2.error,
      least: answer2.least,
      shared: place2[here].shared,
      mean: side.mean.toFixed(1),
      mean_least: place2[here].least.toFixed(1),
      there
    };
    const query = fill(data.text.query, rowAndColumn(data.grid, patch));
    const panels = first2.panels.map((panel) => panel.id === "source" ? { ...panel, image: `source-${values.image}`, boxes: place2.boxes } : {
      ...panel,
      image: `${panel.id}-${values.image}-${values.views}`,
      ...answer2.shown[panel.id],
      hovers: !pinned,
      follows: true
    });
    return {
      ...first2,
      panels,
      text: fill(answer2.inside ? data.text.matched : data.text.hidden, { query, ...numbers }),
      controls: withValues(first2.controls, values),
      jumps: side.worst.map(([text, worst]) => ({ text, panel: here, patch: worst })),
      jumps_title: fill(data.text.jumps, { here })
    };
  }
};
var modelsScene = {
  next: (state2, event) => {
    const set = (changes) => ({ ...state2, values: { ...state2.values, ...changes } });
    if (event.control === data_heads) return set({ head: mean_head, [data_heads]: event.value });
    if ("control" in event) return set({ [event.control]: event.value });
    if (event.panel.startsWith("head ")) return set({ head: event.panel.slice(5) });
    return withPatch(state2, "a", event);
  },
  scene: (data, first2, { values, pinned, selected: [, patch] }) => {
    const { grid } = data;
    const count = grid[0] * grid[1];
    const key2 = `${values.image} ${values.views}`;
    const picture = `a-${key2.replace(" ", "-")}`;
    const query = markAt(centreOf(grid, patch), "query");
    const attention = (name, head2) => {
      const { levels, heads: heads2 } = data.models[name].attention[key2][values.layer];
      const start = ((head2 <= heads2 ? head2 : 0) * count + patch) * count;
      return heatOf(unpacked(levels).slice(start, start + count), grid, "attention");
    };
    const head = values.head === mean_head ? 0 : Number(values.head);
    const answers = Object.entries(data.models).map(([name, model2]) => [name, answerOfPair({ grid, pairs: model2.pairs }, values, "a", patch)]);
    const panel = (id) => first2.panels.find((each) => each.id === id);
    const query_panel = { image: picture, marks: [query], hovers: !pinned, follows: true };
    const panels = answers.flatMap(([name, { shown: shown2 }]) => [
      { ...panel(`${name} attention`), ...query_panel, heat: attention(name, head) },
      { ...panel(`${name} similarity`), ...query_panel, heat: shown2.a.heat },
      {
        ...panel(`${name} match`),
        image: picture.replace("a", "b"),
        ...shown2.b,
        marks: shown2.b.marks.filter((mark) => mark.kind !== "next")
      }
    ]);
    const below = values[data_heads];
    const { heads } = data.models[below].attention[key2][values.layer];
    const names = [...Array(heads).keys()].map((i) => String(i + 1));
    const last = first2.panels.at(-1);
    for (const name of names) {
      panels.push({
        ...last,
        id: `head ${name}`,
        title: `${below}: head ${name}`,
        image: picture,
        heat: attention(below, Number(name)),
        chosen: values.head === name
      });
    }
    const [, { inside: inside2 }] = answers[0];
    const errors = answers.map(([name, { error }]) => `${name} ${error}`).join("; ");
    const words = { errors, ...rowAndColumn(grid, patch) };
    const high = data.highest[`${key2} ${values.layer}`];
    const scale = { ...first2.scales.attention, high, bound: high };
    return {
      ...first2,
      panels,
      scales: { ...first2.scales, attention: scale },
      text: fill(inside2 ? data.text.matched : data.text.hidden, words),
      controls: withValues(first2.controls, values).map((control) => control.name === "head" ? { ...control, options: [mean_head, ...names] } : control)
    };
  }
};
var [data_heads, mean_head] = ["heads of", "mean"];
var scenesOf = { pairScene, modelsScene };

// src/shapes.ts
var SVG = "http://www.w3.org/2000/svg";
var UNIT = 1e3;
var WIDE = { ratio: 0.75, left: 170, right: 30, top: 30, bottom: 120, row: 50 };
function shape(parent, name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key2, value] of Object.entries(attributes)) made.setAttribute(key2, value);
  parent.appendChild(made);
  return made;
}
function drawPanel(view) {
  const { svg, panel, ratio, pointed, focused, cursor } = view;
  const high = UNIT * ratio;
  if (panel.chart) return drawChart(view, high);
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
function chartPlace(chart, high) {
  const rows = chart.kind === "lines" ? Math.ceil(chart.names.length / 2) : 0;
  const top = WIDE.top + WIDE.row * rows;
  const [width, height] = [UNIT - WIDE.left - WIDE.right, high - top - WIDE.bottom];
  return [(x) => WIDE.left + x * width, (y) => top + (1 - y) * height];
}
function drawChart(view, high) {
  const { svg, panel } = view;
  const chart = panel.chart;
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
  ({ points: drawPoints, bars: drawBars, lines: drawLines })[chart.kind](view, px, py);
  if (view.band) {
    const [x, y, toX, toY] = view.band;
    const size = { width: (toX - x) * UNIT, height: (toY - y) * high };
    shape(svg, "rect", { x: x * UNIT, y: y * high, ...size, class: "band" });
  }
  if (view.focused) {
    const i = view.cursor;
    const middle = chart.kind === "bars" ? (chart.x[i] + chart.x[i + 1]) / 2 : chart.x[i];
    shape(svg, "circle", { cx: px(middle), cy: py(chart.y[i]), r: 32, class: "cursor" });
  }
}
function drawPoints(view, px, py) {
  const { svg, chosen, symbols } = view;
  const chart = view.panel.chart;
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
    shape(svg, "path", { d, class: "whisker", style: `stroke: ${chart.colours[i]}` });
  });
  const order = [...places.keys()].sort((a, b) => chosen.includes(a) - chosen.includes(b));
  for (const i of order) {
    const kind = chosen.includes(i) ? "point chosen" : "point";
    const style = [symbols, chart.symbols[i], chart.colours[i], kind];
    const made = drawSymbol(svg, ...places[i], chosen.includes(i) ? 20 : 13, ...style);
    shape(made, "title", {}).textContent = chart.names[i];
  }
  chart.places.forEach((place2, i) => {
    if (place2) write(svg, chart.names[i], px(place2[0]), py(place2[1]) + 12, "tick named");
  });
}
function drawBars(view, px, py) {
  const chart = view.panel.chart;
  chart.y.forEach((y, i) => {
    const size = { width: px(chart.x[i + 1]) - px(chart.x[i]), height: py(0) - py(y) };
    const kind = view.chosen.includes(i) ? "column chosen" : "column";
    const bar = shape(view.svg, "rect", { x: px(chart.x[i]), y: py(y), ...size, class: kind });
    shape(bar, "title", {}).textContent = chart.names[i];
  });
}
function drawLines({ svg, panel, symbols }, px, py) {
  const chart = panel.chart;
  chart.x.forEach((xs, i) => {
    const way = xs.map((x, j) => [px(x), py(chart.y[i][j])]);
    const style = [symbols, chart.symbols[i], chart.colours[i], "point"];
    const d = "M" + way.map((place2) => place2.join(" ")).join("L");
    shape(svg, "path", { d, class: "under" });
    shape(svg, "path", { d, class: "curve", style: `stroke: ${chart.colours[i]}` });
    drawSymbol(svg, ...way.at(-1), 13, ...style);
    const [left, top] = [30 + 490 * (i % 2), WIDE.top + WIDE.row * Math.floor(i / 2)];
    drawSymbol(svg, left, top, 13, ...style);
    write(svg, chart.names[i], left + 25, top + 12, "tick start");
  });
}
function drawSymbol(svg, x, y, radius, symbols, name, colour, kind) {
  const corners = symbols[name].map(([right, down]) => [x + radius * right, y + radius * down]);
  const style = name.endsWith("open") ? `fill: #fff; stroke: ${colour}` : `fill: ${colour}`;
  return shape(svg, "polygon", { points: corners.join(" "), class: kind, style });
}
function write(svg, words, x, y, kind) {
  const made = shape(svg, "text", { x, y, class: kind });
  made.textContent = words;
  return made;
}

// src/input.ts
var INTERVAL = 60;
var CLICK = 5;
function place(view, event) {
  const area = view.svg.getBoundingClientRect();
  const share = (value, low, size) => Math.min(0.999, Math.max(0, (value - low) / size));
  return [share(event.clientX, area.left, area.width), share(event.clientY, area.top, area.height)];
}
function patchAt([rows, columns], x, y) {
  return Math.floor(Math.min(y, 0.999) * rows) * columns + Math.floor(Math.min(x, 0.999) * columns);
}
function press(view, event, send) {
  if (event.button !== 0 || !event.isPrimary) return;
  const box = view.panel.boxes.find((each) => each.movable);
  if (box) return drag(view, box, event, send);
  if (!clickable(view.panel)) return;
  if (view.panel.several) return brush(view, event, send);
  const under = (now) => patchAt(view.panel.grid, ...place(view, now));
  const patch = under(event);
  follow(view, event, () => {
  }, (last, cancelled) => {
    if (cancelled || under(last) !== patch) return;
    view.cursor = patch;
    send({ panel: view.panel.id, patch });
  });
}
function follow(view, event, moving, ended) {
  const stop = new AbortController();
  const listen = (name, call) => view.svg.addEventListener(name, call, { signal: stop.signal });
  const end = (last) => {
    stop.abort();
    ended(last, last.type === "pointercancel");
  };
  view.svg.setPointerCapture(event.pointerId);
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
  follow(view, event, (moved) => move(moved, false), (moved, cancelled) => cancelled || move(moved, true));
}
function brush(view, event, send) {
  const { panel } = view;
  const bars = panel.chart.kind === "bars";
  const start = place(view, event);
  const begun = chartPart(view, ...start);
  let moved = false;
  let parts = [];
  const moving = (now) => {
    moved = moved || Math.hypot(now.clientX - event.clientX, now.clientY - event.clientY) > CLICK;
    if (!moved) return;
    const [[x, y], [toX, toY]] = [start, place(view, now)];
    const band = [Math.min(x, toX), bars ? 0 : Math.min(y, toY)];
    view.band = [...band, Math.max(x, toX), bars ? 1 : Math.max(y, toY)];
    parts = bars ? range(begun, chartPart(view, toX, toY)) : pointsIn(view);
    view.chosen = parts;
    draw(view);
  };
  follow(view, event, moving, (last, cancelled) => {
    if (!cancelled) moving(last);
    view.band = null;
    view.chosen = panel.chart.chosen;
    if (!cancelled && moved && parts.length > 0) several(view, parts, parts.at(-1), send);
    if (!cancelled && !moved && event.shiftKey) several(view, extended(view, begun), begun, send);
    if (!cancelled && !moved && !event.shiftKey) {
      view.cursor = begun;
      alone(view, send);
    }
    draw(view);
  });
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
function pointsIn(view) {
  const [left, top, right, bottom] = view.band;
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
var STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
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
  if (step) return moveCursor(view, step, event.shiftKey, send);
  if (!enter && event.key !== " ") return void 0;
  if (enter && event.shiftKey && panel.several) {
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
  const size = [box.height, box.width].map((side) => Math.max(0.1, side + grows));
  const next = inside([box.top + 0.02 * step[0], box.left + 0.02 * step[1], ...size]);
  const moved = next.some((side, i) => Math.abs(side - old[i]) > 2e-4);
  if (moved) send({ panel: view.panel.id, box: next, step });
  return moved;
}
function moveCursor(view, [down, right], extend, send) {
  const { panel } = view;
  const [rows, columns] = panel.grid;
  const [row, column] = [Math.floor(view.cursor / columns) + down, view.cursor % columns + right];
  if (row < 0 || row >= rows || column < 0 || column >= columns) return false;
  const next = row * columns + column;
  const bars = panel.chart && panel.chart.kind === "bars";
  if (extend && bars) several(view, extended(view, next), next, send);
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

// src/heat.ts
var OPACITY = 0.75;
function paint(view, stops) {
  const { panel, heat } = view;
  heat.hidden = !panel.heat;
  if (!panel.heat) return;
  const [rows, columns] = panel.heat.grid;
  Object.assign(heat, { width: columns, height: rows });
  const pixels = new ImageData(columns, rows);
  if (panel.heat.rgba) pixels.data.set(panel.heat.rgba);
  else shadeLevels(pixels.data, levelsOf(panel.heat, view.colours.bound), tableOf(stops));
  heat.getContext("2d").putImageData(pixels, 0, 0);
}
function levelsOf({ levels, values }, bound) {
  if (!values) return Uint8Array.from(atob(levels), (letter) => letter.charCodeAt(0));
  return Uint8Array.from(values, (value) => Number.isFinite(value) ? 128 + Math.round(127 * Math.min(1, Math.max(-1, value / bound))) : 0);
}
function shadeLevels(data, levels, table) {
  levels.forEach((level, i) => {
    if (level > 0) data.set(table[level], 4 * i);
  });
}
var TABLES = /* @__PURE__ */ new Map();
function tableOf(stops) {
  const key2 = stops.join();
  if (!TABLES.has(key2)) {
    TABLES.set(key2, [...Array(256).keys()].map((level) => {
      const opacity = 255 * OPACITY * Math.abs(level - 128) / 127;
      return [...shade(stops, (level - 1) / 254), opacity];
    }));
  }
  return TABLES.get(key2);
}
function shade(stops, share) {
  const place2 = Math.max(0, share) * (stops.length - 1);
  const low = Math.min(Math.floor(place2), stops.length - 2);
  const [a, b] = [stops[low], stops[low + 1]].map((stop) => stop.match(/\d+/g).map(Number));
  return a.map((value, i) => Math.round(value + (b[i] - value) * (place2 - low)));
}
function showScale(view, stops, wide) {
  const { scale, colours } = view;
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
  add(scale, "output", {}, wide ? colours.title : "");
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
function pointAt(view, at) {
  const { panel, colours, scale, linked } = view;
  const output = scale.querySelector("output");
  const patch = at && panel.heat ? patchAt(panel.heat.grid, ...at) : null;
  const pointed = linked && !panel.hovers ? patch : null;
  if (view.pointed !== pointed) {
    view.pointed = pointed;
    draw(view);
  }
  if (!panel.heat || !colours || !output) return;
  const value = patch === null ? "" : valueText(panel.heat, colours, patch);
  const wide = scale.childElementCount > 1;
  output.textContent = wide || value ? colours.title + value : "";
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

// src/panels.ts
var PATIENCE = 5e3;
var LATE = "No answer yet: the kernel is busy, or it was restarted. After a restart, run this cell again.";
function mount(model2, el) {
  const root = add(el, "div", { class: "siamlab-explorer" });
  const gone = add(root, "p", { class: "gone", role: "alert" });
  const text = add(root, "p", { class: "text", role: "status", "aria-live": "polite" });
  const controls = add(root, "div", { class: "controls" });
  const body = add(root, "div", { class: "body" });
  const panels = add(body, "div", { class: "panels" });
  const jumps = add(body, "div", { class: "jumps" });
  const foot = add(root, "div", { class: "foot" });
  const views = /* @__PURE__ */ new Map();
  const sent = {};
  const pointed = { at: null };
  controls.addEventListener("keydown", keepKeys);
  jumps.addEventListener("keydown", keepKeys);
  let timer;
  const answered = () => (model2.get("answered") || 0) >= (model2.get("event")?.count || 0);
  const tell = (late) => {
    gone.textContent = late && !answered() ? LATE : "";
    gone.hidden = !gone.textContent;
    root.classList.toggle("late", !gone.hidden);
  };
  const send = (event) => {
    const count = (model2.get("event")?.count || 0) + 1;
    clearTimeout(timer);
    timer = setTimeout(() => tell(true), PATIENCE);
    if (event.control) sent[event.control] = count;
    model2.set("event", { ...event, count });
    model2.save_changes();
  };
  const updateControls = () => showControls(
    controls,
    model2.get("scene").controls || [],
    send,
    (name) => sent[name] > model2.get("answered")
  );
  const show = () => {
    const scene = model2.get("scene");
    const images2 = model2.get("images");
    if (!scene.panels) return;
    text.textContent = scene.text;
    keepHeight(text, scene.panels.some((panel) => panel.hovers));
    updateControls();
    panels.style.setProperty("--columns", scene.columns);
    for (const [id, view] of views) {
      if (!scene.panels.some((panel) => panel.id === id)) {
        view.figure.remove();
        views.delete(id);
      }
    }
    scene.panels.forEach((panel, i) => {
      if (!views.has(panel.id)) views.set(panel.id, makePanel(panels, panel, send, { views, pointed }));
      const view = views.get(panel.id);
      if (panels.children[i] !== view.figure) panels.insertBefore(view.figure, panels.children[i]);
      showPanel(view, panel, images2[panel.image], scene);
      if (scene.linked) pointAt(view, pointed.at);
    });
    showJumps(jumps, scene, send);
    showFoot(foot, scene);
  };
  model2.on("change:scene", show);
  model2.on("change:answered", () => {
    updateControls();
    tell(false);
  });
  tell(false);
  show();
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
function add(parent, name, attributes = {}, content = "") {
  const made = document.createElement(name);
  for (const [key2, value] of Object.entries(attributes)) made.setAttribute(key2, value);
  if (content) made.textContent = content;
  parent.appendChild(made);
  return made;
}
function showControls(bar, controls, send, isAhead) {
  for (const label of bar.children) label.hidden = true;
  for (const control of controls) {
    let input = bar.querySelector(`[name="${control.name}"]`);
    if (!input) {
      const label = add(bar, "label");
      add(label, "span", {}, control.label);
      const choice = control.options.length > 0;
      input = add(label, choice ? "select" : "input", { name: control.name });
      if (!choice) Object.assign(input, { type: "range", step: 1 });
      const value = () => choice ? input.value : Number(input.value);
      input.addEventListener("input", () => send({ control: control.name, value: value() }));
      add(label, "output");
    }
    if (control.options.length > 0) {
      const known = [...input.options].map((option) => option.value).join();
      if (known !== control.options.join()) {
        input.replaceChildren();
        for (const option of control.options) add(input, "option", { value: option }, option);
      }
    } else {
      Object.assign(input, { min: control.low, max: control.high });
      input.parentElement.querySelector("output").textContent = control.shown ?? control.value;
    }
    input.parentElement.style.order = controls.indexOf(control);
    const fixed = control.options.length === 0 && control.low === control.high;
    input.parentElement.hidden = fixed;
    if (String(control.value) !== input.value && !isAhead(control.name)) input.value = control.value;
  }
}
function makePanel(parent, panel, send, all) {
  const figure = add(parent, "figure", { "data-panel": panel.id });
  const title = add(figure, "figcaption");
  const stage = add(figure, "div", { class: "stage" });
  const image = add(stage, "img", { alt: "", draggable: "false" });
  const heat = add(stage, "canvas");
  const svg = shape(stage, "svg", { class: "drawing", preserveAspectRatio: "none" });
  const scale = add(figure, "div", { class: "scale" });
  const view = { figure, title, stage, image, heat, svg, scale, all, cursor: 0, panel, chosen: [] };
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
function showPanel(view, panel, source, { stops, symbols, scales, columns, linked }) {
  const scale = panel.heat && scales[panel.heat.scale];
  Object.assign(view, { panel, symbols, linked, colours: scale });
  view.chosen = panel.chart ? [...panel.chart.chosen] : [];
  view.stage.classList.toggle("heated", Boolean(panel.heat));
  showScale(view, stops, 4 * panel.span >= columns);
  view.title.textContent = panel.title;
  const wide = 4 * panel.span >= columns;
  view.figure.style.setProperty("--span", panel.span);
  view.figure.classList.toggle("wide", wide);
  view.figure.classList.toggle("small", !wide);
  view.figure.classList.toggle("chosen", panel.chosen);
  view.image.hidden = Boolean(panel.chart);
  if (panel.chart) {
    view.ratio = WIDE.ratio;
    view.stage.style.aspectRatio = `1 / ${WIDE.ratio}`;
    const focused = document.activeElement === view.svg;
    if (panel.grid && !(focused && view.cursor < panel.grid[1])) view.cursor = view.chosen.at(-1) || 0;
  } else if (view.image.getAttribute("src") !== source) {
    view.image.src = source;
  }
  const query = panel.marks.find((mark) => mark.kind === "query");
  if (query && panel.grid) view.cursor = patchAt(panel.grid, query.x, query.y);
  const drags = panel.several || panel.boxes.some((box) => box.movable);
  const active = clickable(panel) || drags;
  view.svg.classList.toggle("active", Boolean(active));
  view.svg.classList.toggle("drags", drags);
  if (active) {
    view.svg.setAttribute("tabindex", 0);
    view.svg.setAttribute("role", "application");
    view.svg.setAttribute("aria-label", panel.title + ": arrow keys move, Enter selects" + (panel.several ? ", Shift adds to the selection" : ""));
  }
  paint(view, stops);
  draw(view);
}
function clickable(panel) {
  return panel.grid && !panel.still;
}
function draw(view) {
  const { svg, panel, ratio } = view;
  if (!ratio) return;
  svg.setAttribute("viewBox", `0 0 ${UNIT} ${UNIT * ratio}`);
  svg.replaceChildren();
  view.focused = document.activeElement === svg && clickable(panel);
  drawPanel(view);
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
function showFoot(foot, scene) {
  foot.replaceChildren();
  for (const [kind, meaning] of scene.legend) {
    const entry = add(foot, "span", { class: "entry" });
    const svg = shape(entry, "svg", { class: "drawing", viewBox: "-40 -40 80 80", width: 18, height: 18 });
    drawMark(svg, { kind, x: 0, y: 0, text: "2" }, 1, { width: 56, height: 56 });
    add(entry, "span", {}, meaning);
  }
}

// src/page.ts
var { first, state, moves, scenes, images, refusal, held } = JSON.parse(find("#data").textContent);
var shown = { scene: first, images, event: null, answered: 0 };
var listeners = {};
var model = {
  // takes the place of anywidget's
  get: (name) => shown[name],
  set: (name, value) => {
    shown[name] = value;
  },
  on: (name, call) => {
    listeners[name] = call;
  },
  save_changes: () => answer(shown.event)
};
function find(selector) {
  return document.querySelector(selector);
}
function answer(event) {
  const before = shown.scene;
  shown.answered = event.count;
  shown.scene = held ? computed(event) : stored(event);
  if (shown.scene === before) return;
  listeners["change:scene"]();
  showHint();
}
function computed(event) {
  const { next, scene } = scenesOf[held.scene];
  const changed = event.release ? { pinned: false } : next(state, event);
  if (changed === state) return shown.scene;
  Object.assign(state, changed);
  return scene(held.data, first, state);
}
function stored(event) {
  const move = moves[eventName(event)];
  const values = { ...state.values, ...move?.values };
  const selected = move?.selected || state.selected;
  const words = Object.keys(values).sort().map((key2) => key2 + "=" + values[key2]);
  const found = move && scenes[[...words, ...selected].join(" ")];
  if (found) Object.assign(state, { values, selected });
  return found ? { ...first, ...found } : { ...shown.scene, text: refusal };
}
function eventName(event) {
  if ("control" in event) return event.control + "=" + event.value;
  if ("parts" in event) return event.panel + " " + event.parts;
  if ("patch" in event) return event.panel + " " + event.patch;
  return nearestBox(event.box, event.step || [0, 0]);
}
function nearestBox([top, left, height, width], step) {
  const keyed = step.some(Boolean);
  const [atTop, atLeft] = state.values.box;
  const ahead = ([y, x]) => step[0] * (y - atTop) + step[1] * (x - atLeft) > 1e-3;
  const distance = ([y, x]) => keyed ? Math.hypot(y - atTop, x - atLeft) : Math.hypot(y - top, x - left);
  const sameSize = ([, , h, w]) => Math.hypot(h - height, w - width) < 1e-3;
  const boxes = Object.keys(moves).filter((name) => name.startsWith("box ")).map((name) => [name, moves[name].values.box]).filter(([, box]) => sameSize(box) && (!keyed || ahead(box)));
  return boxes.sort((a, b) => distance(a[1]) - distance(b[1])).map(([name]) => name)[0];
}
function showHint() {
  if (held) find(".siamlab-hint").textContent = HINTS[state.pinned ? "pinned" : "free"];
}
if (held) {
  Object.assign(state, { pinned: false });
  shown.scene = scenesOf[held.scene].scene(held.data, first, state);
  window.addEventListener("keydown", ({ key: key2 }) => {
    if (key2 === "Escape") answer({ release: true, count: shown.answered });
  });
}
window.shown = shown;
showHint();
mount(model, find("#explorer"));
