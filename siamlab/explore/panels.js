// Panels: pictures with patches to click, heat, marks, boxes, and controls; all from one scene.
// The model is anywidget's, or the one of an exported page; both answer an event with a new scene.

const SVG = "http://www.w3.org/2000/svg";
const UNIT = 1000; // of a panel's width in its drawing
const WIDE = { ratio: 0.75, left: 170, right: 30, top: 30, bottom: 120 }; // of a chart's drawing
const OPACITY = 0.6; // of heat, as in the style
const OFTEN = 60; // milliseconds between two events of a drag

function mount(model, el) {
  const root = add(el, "div", { class: "siamlab-explorer" });
  const text = add(root, "p", { class: "text", role: "status", "aria-live": "polite" });
  const controls = add(root, "div", { class: "controls" });
  const body = add(root, "div", { class: "body" });
  const panels = add(body, "div", { class: "panels" });
  const jumps = add(body, "div", { class: "jumps" });
  const foot = add(root, "div", { class: "foot" });
  const views = new Map(); // panel id -> its elements
  let count = 0;

  const send = (event) => {
    model.set("event", { ...event, count: ++count }); // the count makes each event a new value
    model.save_changes();
  };

  const show = () => {
    const scene = model.get("scene");
    const images = model.get("images");
    if (!scene.panels) return;
    text.textContent = scene.text;
    showControls(controls, scene.controls, send);
    panels.style.setProperty("--columns", scene.columns);
    for (const [id, view] of views) {
      if (!scene.panels.some((panel) => panel.id === id)) { view.figure.remove(); views.delete(id); }
    }
    scene.panels.forEach((panel, i) => {
      if (!views.has(panel.id)) views.set(panel.id, makePanel(panels, panel, send));
      const view = views.get(panel.id);
      if (panels.children[i] !== view.figure) panels.insertBefore(view.figure, panels.children[i]);
      showPanel(view, panel, images[panel.image], scene.stops);
    });
    showJumps(jumps, scene, send);
    showFoot(foot, scene);
  };
  model.on("change:scene", show);
  show();
}

function add(parent, name, attributes = {}, content = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (content) made.textContent = content;
  parent.appendChild(made);
  return made;
}

function shape(parent, name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.appendChild(made);
  return made;
}

function showControls(bar, controls, send) {
  for (const control of controls) {
    let input = bar.querySelector(`[name="${control.name}"]`);
    if (!input) {
      const label = add(bar, "label");
      add(label, "span", {}, control.label);
      const choice = control.options.length > 0;
      input = add(label, choice ? "select" : "input", { name: control.name });
      if (!choice) Object.assign(input, { type: "range", step: 1 });
      const value = () => (choice ? input.value : Number(input.value));
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
      input.parentElement.querySelector("output").textContent = control.value;
    }
    if (String(control.value) !== input.value && document.activeElement !== input) {
      input.value = control.value;
    }
  }
}

function makePanel(parent, panel, send) {
  const figure = add(parent, "figure", { "data-panel": panel.id });
  const title = add(figure, "figcaption");
  const stage = add(figure, "div", { class: "stage" });
  const image = add(stage, "img", { alt: "", draggable: "false" });
  const heat = add(stage, "canvas");
  const svg = shape(stage, "svg", { preserveAspectRatio: "none" });
  const view = { figure, title, stage, image, heat, svg, cursor: 0, panel };
  image.addEventListener("load", () => {
    view.ratio = image.naturalHeight / image.naturalWidth;
    stage.style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`;
    draw(view);
  });
  svg.addEventListener("pointerdown", (event) => press(view, event, send));
  svg.addEventListener("keydown", (event) => key(view, event, send));
  svg.addEventListener("focus", () => draw(view));
  svg.addEventListener("blur", () => draw(view));
  return view;
}

function showPanel(view, panel, source, stops) {
  view.panel = panel;
  view.title.textContent = panel.title;
  view.figure.style.gridColumn = `span ${panel.span}`;
  view.figure.classList.toggle("chosen", panel.chosen);
  view.image.hidden = Boolean(panel.chart);
  if (panel.chart) {
    view.ratio = WIDE.ratio;
    view.stage.style.aspectRatio = `1 / ${WIDE.ratio}`;
    if (panel.chart.chosen >= 0) view.cursor = panel.chart.chosen;
  } else if (view.image.getAttribute("src") !== source) {
    view.image.src = source;
  }
  const query = panel.marks.find((mark) => mark.kind === "query");
  if (query && panel.grid) view.cursor = patchAt(panel.grid, query.x, query.y);
  const active = clickable(panel) || panel.boxes.some((box) => box.movable);
  view.svg.classList.toggle("active", Boolean(active));
  if (active) {
    view.svg.setAttribute("tabindex", 0);
    view.svg.setAttribute("role", "application");
    view.svg.setAttribute("aria-label", panel.title + ": arrow keys move, Enter chooses");
  }
  paint(view, stops);
  draw(view);
}

function clickable(panel) {
  return panel.grid && !panel.still;
}

function paint(view, stops) {
  const { panel, heat } = view;
  heat.hidden = !panel.heat;
  if (!panel.heat) return;
  const [rows, columns] = panel.heat.grid;
  Object.assign(heat, { width: columns, height: rows });
  const levels = atob(panel.heat.levels);
  const pixels = new ImageData(columns, rows);
  for (let i = 0; i < levels.length; i++) {
    const level = levels.charCodeAt(i);
    if (level === 0) continue; // no number: clear
    pixels.data.set([...shade(stops, (level - 1) / 254), 255], 4 * i);
  }
  heat.getContext("2d").putImageData(pixels, 0, 0);
}

function shade(stops, share) {
  const place = share * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const [a, b] = [stops[low], stops[low + 1]].map((stop) => stop.match(/\d+/g).map(Number));
  return a.map((value, i) => Math.round(value + (b[i] - value) * (place - low)));
}

function draw(view) {
  const { svg, panel, ratio } = view;
  if (!ratio) return;
  const high = UNIT * ratio;
  svg.setAttribute("viewBox", `0 0 ${UNIT} ${high}`);
  svg.replaceChildren();
  if (panel.chart) return drawChart(view, high);
  const [rows, columns] = panel.grid || (panel.heat && panel.heat.grid) || [14, 14];
  const cell = { width: UNIT / columns, height: high / rows };
  for (const box of panel.boxes) drawBox(svg, box, high);
  for (const [y, x, toY, toX] of panel.arrows) {
    const ends = { x1: x * UNIT, y1: y * high, x2: toX * UNIT, y2: toY * high };
    shape(svg, "line", { ...ends, class: "edge" });
    shape(svg, "line", { ...ends, class: "arrow" });
  }
  for (const mark of [...panel.marks].reverse()) drawMark(svg, mark, high, cell);
  if (document.activeElement === svg && panel.grid) {
    const [row, column] = [Math.floor(view.cursor / columns), view.cursor % columns];
    shape(svg, "rect", { x: column * cell.width, y: row * cell.height, ...cell, class: "cursor" });
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

function chartPart(view, x, y) { // the bar or point under the pointer, or nearest to it
  const chart = view.panel.chart;
  const [px, py] = chartPlace(chart, UNIT * view.ratio);
  const [atX, atY] = [x * UNIT, y * UNIT * view.ratio];
  if (chart.kind === "bars") {
    const right = chart.x.slice(1).findIndex((edge) => atX < px(edge));
    return right < 0 ? chart.y.length - 1 : right;
  }
  const far = chart.y.map((value, i) => Math.hypot(px(chart.x[i]) - atX, py(value) - atY));
  return far.indexOf(Math.min(...far));
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

function place(view, event) {
  const area = view.svg.getBoundingClientRect();
  const share = (value, low, size) => Math.min(0.999, Math.max(0, (value - low) / size));
  return [share(event.clientX, area.left, area.width), share(event.clientY, area.top, area.height)];
}

function patchAt([rows, columns], x, y) {
  return Math.floor(Math.min(y, 0.999) * rows) * columns + Math.floor(Math.min(x, 0.999) * columns);
}

function press(view, event, send) {
  const [x, y] = place(view, event);
  const box = view.panel.boxes.find((each) => each.movable);
  if (box) return drag(view, box, event, send);
  if (!clickable(view.panel)) return;
  view.cursor = view.panel.chart ? chartPart(view, x, y) : patchAt(view.panel.grid, x, y);
  send({ panel: view.panel.id, patch: view.cursor });
}

function drag(view, box, event, send) {
  const [x, y] = place(view, event);
  const [right, bottom] = [box.left + box.width, box.top + box.height];
  const size = Math.hypot(x - right, y - bottom) < 0.06;
  const inside = x > box.left && x < right && y > box.top && y < bottom;
  const grip = inside || size ? [x - box.left, y - box.top] : [box.width / 2, box.height / 2];
  let last = 0;
  const move = (moved, end) => {
    const now = Date.now();
    if (!end && now - last < OFTEN) return;
    last = now;
    const [px, py] = place(view, moved);
    const next = size
      ? [box.top, box.left, Math.max(0.1, py - box.top), Math.max(0.1, px - box.left)]
      : [py - grip[1], px - grip[0], box.height, box.width];
    send({ panel: view.panel.id, box: kept(next) });
  };
  const moving = (moved) => move(moved, false);
  const stop = (moved) => {
    view.svg.removeEventListener("pointermove", moving);
    move(moved, true);
  };
  view.svg.setPointerCapture(event.pointerId);
  view.svg.addEventListener("pointermove", moving);
  view.svg.addEventListener("pointerup", stop, { once: true });
}

function kept([top, left, height, width]) {
  const inside = (low, size) => Math.min(1 - size, Math.max(0, low));
  const [h, w] = [Math.min(1, height), Math.min(1, width)];
  return [inside(top, h), inside(left, w), h, w];
}

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function key(view, event, send) {
  const { panel } = view;
  const step = STEPS[event.key];
  const box = panel.boxes.find((each) => each.movable);
  const grows = { "+": 0.04, "-": -0.04 }[event.key];
  if (box && (step || grows)) {
    const [down, right] = step || [0, 0];
    const size = [box.height, box.width].map((side) => Math.max(0.1, side + (grows || 0)));
    send({ panel: panel.id, box: kept([box.top + 0.02 * down, box.left + 0.02 * right, ...size]) });
  } else if (clickable(panel) && step) {
    const [rows, columns] = panel.grid;
    const row = Math.floor(view.cursor / columns) + step[0];
    const column = (view.cursor % columns) + step[1];
    if (row >= 0 && row < rows && column >= 0 && column < columns) {
      view.cursor = row * columns + column;
      draw(view);
    }
  } else if (clickable(panel) && (event.key === "Enter" || event.key === " ")) {
    send({ panel: panel.id, patch: view.cursor });
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation(); // JupyterLab has meanings of its own for these keys
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
    const svg = shape(entry, "svg", { viewBox: "-40 -40 80 80", width: 18, height: 18 });
    drawMark(svg, { kind, x: 0, y: 0, text: "2" }, 1, { width: 56, height: 56 });
    add(entry, "span", {}, meaning);
  }
  for (const scale of Object.values(scene.scales)) {
    const entry = add(foot, "span", { class: "entry" });
    add(entry, "span", {}, `${scale.title}: ${number(scale.low)}`);
    const bar = add(entry, "span", { class: "bar" });
    bar.style.background = `linear-gradient(90deg, ${scene.stops.map(paler).join(", ")})`;
    add(entry, "span", {}, number(scale.high));
  }
}

function paler(stop) { // as the heat looks on a white picture
  return `rgb(${stop.match(/\d+/g).map((v) => Math.round(255 - OPACITY * (255 - v))).join()})`;
}

function number(value) {
  return String(Number(value.toPrecision(2))).replace("-", "−");
}

export default { render: ({ model, el }) => mount(model, el) };
