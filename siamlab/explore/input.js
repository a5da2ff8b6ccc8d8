// Input: what a pointer or a key on a panel asks for.

const OFTEN = 60; // milliseconds between two events of a drag

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
