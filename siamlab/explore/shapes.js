// Shapes: what lies on a panel's picture, marks and boxes, and the charts.

const SVG = "http://www.w3.org/2000/svg";
const UNIT = 1000; // of a panel's width in its drawing
const WIDE = { ratio: 0.75, left: 170, right: 30, top: 30, bottom: 120 }; // of a chart's drawing

function shape(parent, name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.appendChild(made);
  return made;
}

function drawBox(svg, box, high) {
  const place = { x: box.left * UNIT, y: box.top * high };
  const size = { width: box.width * UNIT, height: box.height * high };
  shape(svg, "rect", { ...place, ...size, class: "edge" });
  shape(svg, "rect", { ...place, ...size, class: "box", stroke: box.colour });
  const name = shape(svg, "text", { x: place.x + 12, y: place.y + 48, class: "name" });
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

function chartPlace(chart, high) { // fractions of the drawing area to places of the drawing
  const [width, height] = [UNIT - WIDE.left - WIDE.right, high - WIDE.top - WIDE.bottom];
  return [(x) => WIDE.left + x * width, (y) => WIDE.top + (1 - y) * height];
}

function drawChart(view, high) {
  const { svg, panel } = view;
  const chart = panel.chart;
  const [px, py] = chartPlace(chart, high);
  shape(svg, "path", { d: `M${px(0)} ${py(1)}V${py(0)}H${px(1)}`, class: "axis" });
  for (const [x, words] of chart.x_ticks) write(svg, words, px(x), py(0) + 44, "tick");
  for (const [y, words] of chart.y_ticks) write(svg, words, px(0) - 12, py(y) + 12, "tick side");
  write(svg, chart.x_title, px(0.5), high - 16, "tick");
  const side = write(svg, chart.y_title, 0, 0, "tick");
  side.setAttribute("transform", `translate(34 ${py(0.5)}) rotate(-90)`);
  if (chart.kind === "line") {
    const way = chart.x.map((x, i) => `${px(x)} ${py(chart.y[i])}`);
    shape(svg, "path", { d: "M" + way.join("L"), class: "course" });
  }
  if (chart.kind === "bars") {
    chart.y.forEach((y, i) => {
      const size = { width: px(chart.x[i + 1]) - px(chart.x[i]), height: py(0) - py(y) };
      const kind = i === chart.chosen ? "column chosen" : "column";
      shape(svg, "rect", { x: px(chart.x[i]), y: py(y), ...size, class: kind });
    });
  }
  if (chart.kind === "points") {
    chart.y.forEach((y, i) => {
      const [cx, cy, r] = [px(chart.x[i]), py(y), i === chart.chosen ? 20 : 13];
      shape(svg, "circle", { cx, cy, r, class: "point", style: `fill: ${chart.colours[i]}` });
      write(svg, chart.names[i], cx, cy - 26, "tick");
    });
  }
  if (document.activeElement === svg && panel.grid) {
    const i = view.cursor;
    const middle = chart.kind === "bars" ? (chart.x[i] + chart.x[i + 1]) / 2 : chart.x[i];
    shape(svg, "circle", { cx: px(middle), cy: py(chart.y[i]), r: 32, class: "cursor" });
  }
}

function write(svg, words, x, y, kind) {
  const made = shape(svg, "text", { x, y, class: kind });
  made.textContent = words;
  return made;
}
