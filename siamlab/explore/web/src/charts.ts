// Charts: points, bars and lines in the place of a picture.

import type { Bars, Chart, Drawing, Lines, Outline } from "./scene";
import { shape, UNIT, WIDE, write } from "./shapes";

type Fit = (fraction: number) => number; // of the drawing area, to the drawing

export function chartPlace(chart: Chart, high: number): [across: Fit, up: Fit] {
  const rows = chart.kind === "lines" ? Math.ceil(chart.names.length / 2) : 0; // rows of names
  const top = WIDE.top + WIDE.row * rows;
  const [width, height] = [UNIT - WIDE.left - WIDE.right, high - top - WIDE.bottom];
  return [(x) => WIDE.left + x * width, (y) => top + (1 - y) * height];
}

export function drawChart(view: Drawing, chart: Chart, high: number): void {
  const { svg } = view;
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
  if (chart.kind === "lines") drawLines(view, chart, px, py);
  else if (chart.kind === "bars") drawBars(view, chart, px, py);
  else drawPoints(view, chart, px, py);
  if (view.band) {
    const [x, y, toX, toY] = view.band;
    const size = { width: (toX - x) * UNIT, height: (toY - y) * high };
    shape(svg, "rect", { x: x * UNIT, y: y * high, ...size, class: "band" });
  }
  if (view.focused && chart.kind !== "lines") { // which cannot be clicked
    const i = view.cursor;
    const middle = chart.kind === "bars" ? (chart.x[i] + chart.x[i + 1]) / 2 : chart.x[i];
    shape(svg, "circle", { cx: px(middle), cy: py(chart.y[i]), r: 32, class: "cursor" });
  }
}

function drawPoints({ svg, chosen, symbols }: Drawing, chart: Bars, px: Fit, py: Fit): void {
  const places = chart.x.map((x, i): [number, number] => [px(x), py(chart.y[i])]);
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
    shape(svg, "path", { d, class: "under" }); // so that a black one shows on black
    shape(svg, "path", { d, class: "whisker", style: `stroke: ${chart.colours[i]}` });
  });
  const order = [...places.keys()].sort((a, b) => Number(chosen.includes(a)) - Number(chosen.includes(b)));
  for (const i of order) { // chosen points on top
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

function drawBars({ svg, chosen }: Drawing, chart: Bars, px: Fit, py: Fit): void {
  chart.y.forEach((y, i) => {
    const size = { width: px(chart.x[i + 1]) - px(chart.x[i]), height: py(0) - py(y) };
    const kind = chosen.includes(i) ? "column chosen" : "column";
    const bar = shape(svg, "rect", { x: px(chart.x[i]), y: py(y), ...size, class: kind });
    shape(bar, "title", {}).textContent = chart.names[i];
  });
}

function drawLines({ svg, symbols }: Drawing, chart: Lines, px: Fit, py: Fit): void {
  chart.x.forEach((xs, i) => {
    const way = xs.map((x, j): [number, number] => [px(x), py(chart.y[i][j])]);
    const symbol = (x: number, y: number) => (
      drawSymbol(svg, x, y, 13, symbols[chart.symbols[i]], fillOf(chart, i), "point"));
    const d = "M" + way.map((place) => place.join(" ")).join("L");
    shape(svg, "path", { d, class: "under" }); // so that a black line shows on black
    shape(svg, "path", { d, class: "curve", style: `stroke: ${chart.colours[i]}` });
    symbol(...way[way.length - 1]);
    const [left, top] = [30 + 490 * (i % 2), WIDE.top + WIDE.row * Math.floor(i / 2)];
    symbol(left, top);
    write(svg, chart.names[i], left + 25, top + 12, "tick start");
  });
}

function fillOf({ symbols, colours }: Chart, i: number): string {
  return symbols[i].endsWith("open") ? `fill: #fff; stroke: ${colours[i]}` : `fill: ${colours[i]}`;
}

function drawSymbol(
  svg: Element, x: number, y: number, radius: number, outline: Outline, style: string, kind: string,
): SVGPolygonElement {
  const corners = outline.map(([right, down]) => [x + radius * right, y + radius * down]);
  return shape(svg, "polygon", { points: corners.join(" "), class: kind, style });
}
