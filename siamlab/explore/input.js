// Input: what a pointer or a key on a panel asks for.

const OFTEN = 60; // milliseconds between two events of a drag
const CLICK = 5; // pixels that a pointer may move in a click

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
  follow(view, event, () => {}, (last, broken) => { // a finger that scrolls chooses nothing
    if (broken || under(last) !== patch) return;
    view.cursor = patch;
    send({ panel: view.panel.id, patch });
  });
}

// From a press to its end; `ended` is told whether it was broken off, as by a scrolling finger.
function follow(view, event, moving, ended) {
  const stop = new AbortController();
  const listen = (name, call) => view.svg.addEventListener(name, call, { signal: stop.signal });
  const end = (last) => { stop.abort(); ended(last, last.type === "pointercancel"); };
  view.svg.setPointerCapture(event.pointerId);
  listen("pointermove", moving);
  listen("pointerup", end);
  listen("pointercancel", end);
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
  follow(view, event, (moved) => move(moved, false), (moved, broken) => broken || move(moved, true));
}

function brush(view, event, send) { // a rectangle over points, a range over bars, or a click
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
  follow(view, event, moving, (last, broken) => {
    if (!broken) moving(last);
    view.band = null;
    view.chosen = panel.chart.chosen;
    if (!broken && moved && parts.length > 0) several(view, parts, parts.at(-1), send);
    if (!broken && !moved && event.shiftKey) several(view, extended(view, begun), begun, send);
    if (!broken && !moved && !event.shiftKey) {
      view.cursor = begun;
      send({ panel: panel.id, patch: begun });
    }
    draw(view);
  });
}

function several(view, parts, cursor, send) {
  if (parts.length === 0) return;
  Object.assign(view, { cursor, chosen: parts }); // shown at once; the answer comes later
  send({ panel: view.panel.id, parts });
}

function extended(view, part) { // bars: the range up to this one; points: this one more, or less
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
  return [...chart.x.keys()].filter((i) =>
    within(left, px(chart.x[i]) / UNIT, right) && within(top, py(chart.y[i]) / high, bottom));
}

function kept([top, left, height, width]) {
  const inside = (low, size) => Math.min(1 - size, Math.max(0, low));
  const [h, w] = [Math.min(1, height), Math.min(1, width)];
  return [inside(top, h), inside(left, w), h, w];
}

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function key(view, event, send) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const done = acted(view, event, send);
  if (done !== undefined) event.stopPropagation(); // JupyterLab has meanings of its own for them
  if (done) event.preventDefault();
}

function acted(view, event, send) { // false where a key of ours finds nothing to do
  const { panel } = view;
  const step = STEPS[event.key];
  const box = panel.boxes.find((each) => each.movable);
  const grows = { "+": 0.04, "-": -0.04 }[event.key];
  const enter = event.key === "Enter";
  if (box && (step || grows)) return nudged(view, box, step || [0, 0], grows || 0, send);
  if (!clickable(panel)) return undefined;
  if (step) return stepped(view, step, event.shiftKey, send);
  if (!enter && event.key !== " ") return undefined;
  if (enter && event.shiftKey && panel.several) {
    several(view, extended(view, view.cursor), view.cursor, send);
    draw(view);
  } else {
    send({ panel: panel.id, patch: view.cursor });
  }
  return true;
}

function nudged(view, box, step, grows, send) { // a page goes on to the next box that way
  const old = [box.top, box.left, box.height, box.width];
  const size = [box.height, box.width].map((side) => Math.max(0.1, side + grows));
  const next = kept([box.top + 0.02 * step[0], box.left + 0.02 * step[1], ...size]);
  const done = next.some((side, i) => Math.abs(side - old[i]) > 0.0002); // they are told to 0.0001
  if (done) send({ panel: view.panel.id, box: next, step });
  return done;
}

function stepped(view, [down, right], further, send) {
  const { panel } = view;
  const [rows, columns] = panel.grid;
  const [row, column] = [Math.floor(view.cursor / columns) + down, view.cursor % columns + right];
  if (row < 0 || row >= rows || column < 0 || column >= columns) return false;
  const next = row * columns + column;
  const bars = panel.chart && panel.chart.kind === "bars";
  if (further && bars) several(view, extended(view, next), next, send);
  view.cursor = next;
  draw(view);
  return true;
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
