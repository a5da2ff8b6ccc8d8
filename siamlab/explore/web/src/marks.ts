// Marks: what lies on the picture of a panel: boxes, arrows, links, marks and cursors.

import { drawChart } from "./charts";
import type { Box, Drawing, Link, Mark } from "./scene";
import { shape, UNIT } from "./shapes";

interface Size {
  width: number;
  height: number;
}

// What lies on the picture of a panel, in units of its drawing: all that its view says, and no more.
export function drawPanel(view: Drawing): void {
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
  if (pointed !== undefined && pointed !== null) drawCursor(svg, pointed, columns, cell);
  if (focused) drawCursor(svg, cursor, columns, cell);
}

function drawCursor(svg: Element, patch: number, columns: number, cell: Size): void {
  const [row, column] = [Math.floor(patch / columns), patch % columns];
  shape(svg, "rect", { x: column * cell.width, y: row * cell.height, ...cell, class: "cursor" });
}

// The first box has its name at the left, others at the right.
function drawBox(svg: Element, box: Box, high: number, other: boolean): void {
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

export function drawMark(svg: Element, mark: Mark, high: number, cell: Size): void {
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

// Between two patches, with its ends.
function drawLink(svg: Element, [y, x, toY, toX, colour]: Link, high: number): void {
  const ends = { x1: x * UNIT, y1: y * high, x2: toX * UNIT, y2: toY * high };
  shape(svg, "line", { ...ends, class: "link under" });
  shape(svg, "line", { ...ends, class: "link", stroke: colour });
  for (const [cy, cx] of [[y, x], [toY, toX]]) {
    shape(svg, "circle", { cx: cx * UNIT, cy: cy * high, r: 7, class: "end", style: `fill: ${colour}` });
  }
}
