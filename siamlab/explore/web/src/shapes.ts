// Shapes: the SVG drawings on panels: boxes, marks and charts.

export const SVG = "http://www.w3.org/2000/svg";
export const UNIT = 1000; // width of every drawing
export const WIDE = { ratio: 0.75, left: 170, right: 30, top: 30, bottom: 120, row: 50 }; // proportions of a chart

export function shape(parent, name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.appendChild(made);
  return made;
}

// What lies on the picture of a panel, in units of its drawing: all that its view says, and no more.
export function drawPanel(view) {
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
  if (pointed !== undefined && pointed !== null) drawCursor(svg, pointed, columns, cell);
  if (focused) drawCursor(svg, cursor, columns, cell);
}

function drawCursor(svg, patch, columns, cell) {
  const [row, column] = [Math.floor(patch / columns), patch % columns];
  shape(svg, "rect", { x: column * cell.width, y: row * cell.height, ...cell, class: "cursor" });
}

function drawBox(svg, box, high, other) { // the first box has its name at the left, others at the right
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

export function drawMark(svg, mark, high, cell) {
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

function drawLink(svg, [y, x, toY, toX, colour], high) { // between two patches, with its ends
  const ends = { x1: x * UNIT, y1: y * high, x2: toX * UNIT, y2: toY * high };
  shape(svg, "line", { ...ends, class: "link under" });
  shape(svg, "line", { ...ends, class: "link", stroke: colour });
  for (const [cy, cx] of [[y, x], [toY, toX]]) {
    shape(svg, "circle", { cx: cx * UNIT, cy: cy * high, r: 7, class: "end", style: `fill: ${colour}` });
  }
}

export function chartPlace(chart, high) { // functions from fractions of the drawing area to the drawing
  const rows = chart.kind === "lines" ? Math.ceil(chart.names.length / 2) : 0; // rows of names
  const top = WIDE.top + WIDE.row * rows;
  const [width, height] = [UNIT - WIDE.left - WIDE.right, high - top - WIDE.bottom];
  return [(x) => WIDE.left + x * width, (y) => top + (1 - y) * height];
}

function drawChart(view, high) {
  const { svg, panel } = view;
  const chart = panel.chart;
  const [px, py] = chartPlace(chart, high);
  shape(svg, "path", { d: `M${px(0)} ${py(1)}V${py(0)}H${px(1)}`, class: "axis" });
  for (const [x, words] of chart.x_ticks) { // labels at the ends stay inside the margins
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
    shape(svg, "path", { d, class: "whisker", style: `stroke: ${chart.colours[i]}` });
  });
  const order = [...places.keys()].sort((a, b) => chosen.includes(a) - chosen.includes(b));
  for (const i of order) { // chosen points on top
    const kind = chosen.includes(i) ? "point chosen" : "point";
    const style = [symbols, chart.symbols[i], chart.colours[i], kind];
    const made = drawSymbol(svg, ...places[i], chosen.includes(i) ? 20 : 13, ...style);
    shape(made, "title", {}).textContent = chart.names[i];
  }
  chart.places.forEach((place, i) => {
    if (place) write(svg, chart.names[i], px(place[0]), py(place[1]) + 12, "tick named");
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
    const d = "M" + way.map((place) => place.join(" ")).join("L");
    shape(svg, "path", { d, class: "under" }); // so that a black line shows on black
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
