// Map: images of a data set as points, one scatter for each model, linked; neighbours of a clicked one.

const NEAR = 8; // neighbours that are shown
const REACH = 14; // pixels from the pointer to a point that is under it
const COLOURS = HUES.slice(0, 7); // of classes; then the shapes change
const GREY = "#888888"; // of images without a label
const SHAPES = ["circle", "square", "triangle", "diamond"];

function makeMap(section, about, act) { // act: select(i) and look(i)
  const text = add(section, "p", { class: "text", role: "status", "aria-live": "polite" });
  const grid = add(section, "div", { class: "maps" });
  grid.style.setProperty("--columns", Math.max(2, Math.min(3, about.models.length)));
  const sheet = new Image();
  const atlas = { about: about.map, text, sheet, over: -1, chosen: -1, only: -1, views: [], act };
  atlas.views = about.models.map((model) => makeScatter(grid, model, atlas));
  atlas.legend = makeLegend(section, atlas);
  sheet.onload = () => drawMaps(atlas);
  sheet.src = "map/sheet";
  new ResizeObserver(() => drawMaps(atlas)).observe(grid);
  return atlas;
}

function makeScatter(grid, model, atlas) {
  const figure = add(grid, "figure", { "data-map": model.name });
  add(figure, "figcaption", {}, model.name);
  const label = `${model.name}: images as points; arrow keys move, Enter selects`;
  const canvas = add(figure, "canvas", { tabindex: 0, role: "application", "aria-label": label });
  const near = add(figure, "div", { class: "near" });
  const view = { canvas, near, points: [], atlas };
  canvas.addEventListener("pointermove", (event) => overPoint(atlas, pointNear(view, event)));
  canvas.addEventListener("pointerleave", () => overPoint(atlas, -1));
  canvas.addEventListener("click", (event) => {
    const found = pointNear(view, event);
    if (found >= 0) atlas.act.select(found);
  });
  canvas.addEventListener("keydown", (event) => stepPoint(view, event));
  return view;
}

function makeLegend(section, atlas) { // a class that is chosen here stands out
  const legend = add(section, "div", { class: "classes", role: "group", "aria-label": "Classes" });
  const { classes } = atlas.about;
  const most = COLOURS.length * SHAPES.length;
  classes.slice(0, most).forEach((name, k) => {
    const button = add(legend, "button", { type: "button", "aria-pressed": false });
    const svg = shape(button, "svg", { viewBox: "-8 -8 16 16", width: 14, height: 14 });
    shape(svg, "path", { d: symbolPath(k, 0, 0, 6), fill: colourOf(k) });
    add(button, "span", {}, name);
    button.addEventListener("click", () => {
      atlas.only = atlas.only === k ? -1 : k;
      [...legend.querySelectorAll("button")].forEach((each, i) => each.setAttribute("aria-pressed", i === atlas.only));
      drawMaps(atlas);
    });
  });
  const more = classes.length - most;
  if (more > 0) add(legend, "span", {}, `and ${more} more classes, in the same colours again`);
  return legend;
}

function colourOf(label) {
  return label < 0 ? GREY : COLOURS[label % COLOURS.length];
}

function symbolPath(label, x, y, r) {
  const kind = SHAPES[label < 0 ? 0 : Math.floor(label / COLOURS.length) % SHAPES.length];
  if (kind === "square") return `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`;
  if (kind === "triangle") return `M${x} ${y - r}l${r} ${1.8 * r}h${-2 * r}z`;
  if (kind === "diamond") return `M${x} ${y - r}l${r} ${r}l${-r} ${r}l${-r} ${-r}z`;
  return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
}

// Places of images, 0 to 1: their first two principal components.
function planeOf(rows) {
  const [across, up] = components(rows, 20);
  const fit = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return Array.from(values, (value) => (high > low ? (value - low) / (high - low) : 0.5));
  };
  const [x, y] = [fit(across), fit(up)];
  return x.map((value, i) => [value, 1 - y[i]]);
}

function nearest(rows, i, count = NEAR) { // the most similar images, itself left out
  const cosines = products(rows, rows, i);
  const order = [...cosines.keys()].filter((other) => other !== i);
  return order.sort((a, b) => cosines[b] - cosines[a]).slice(0, count).map((j) => [j, cosines[j]]);
}

function showMap(atlas, state, got) {
  const { labels } = atlas.about;
  atlas.chosen = state.image >= 0 && state.image < labels.length ? state.image : -1;
  atlas.views.forEach((view, i) => {
    view.points = got("plane", `map/${i}`, planeOf);
    view.found = atlas.chosen < 0 ? [] : nearest(got("unit", `map/${i}`, unit), atlas.chosen);
    showNear(view, atlas);
  });
  atlas.text.textContent = mapText(atlas);
  drawMaps(atlas);
}

function mapText(atlas) {
  const { name, labels } = atlas.about;
  const about = `${labels.length.toLocaleString("en")} images of ${name}, by the first two principal ` +
    "components of their mean patch features in each model.";
  if (atlas.chosen < 0) return `${about} A click on a point shows its nearest neighbours.`;
  const own = labels[atlas.chosen];
  if (own < 0) return `${about} Below each map: the images most similar to image ${atlas.chosen}.`;
  const same = atlas.views.map((view) => view.found.filter(([j]) => labels[j] === own).length);
  const each = atlas.views.map(({ canvas }, i) => (
    `${canvas.parentElement.dataset.map} ${same[i]}`)).join(", ");
  return `${about} Of the ${NEAR} images most similar to image ${atlas.chosen} ` +
    `(${atlas.about.classes[own]}), so many are of its class: ${each}.`;
}

function showNear(view, atlas) {
  const { near, found } = view;
  near.replaceChildren();
  if (atlas.chosen < 0) return;
  thumb(near, atlas, atlas.chosen, "itself", () => atlas.act.look(atlas.chosen));
  found.forEach(([j, cosine]) => thumb(near, atlas, j, cosine.toFixed(3), () => atlas.act.select(j)));
}

function thumb(parent, atlas, i, words, does) {
  const { tile, across, labels, classes } = atlas.about;
  const name = labels[i] < 0 ? "" : ` ${classes[labels[i]]}`;
  const title = words === "itself" ? `Look at image ${i}${name} patch by patch` : `image ${i}${name}`;
  const button = add(parent, "button", { type: "button", title, "aria-label": title });
  const picture = add(button, "span", { class: "tile" });
  picture.style.backgroundImage = "url(map/sheet)";
  picture.style.backgroundPosition = `${-tile * (i % across)}px ${-tile * Math.floor(i / across)}px`;
  picture.style.width = picture.style.height = `${tile}px`;
  picture.style.borderColor = colourOf(labels[i]);
  add(button, "span", {}, words);
  button.addEventListener("click", does);
}

function drawMaps(atlas) {
  for (const view of atlas.views) drawScatter(view, atlas);
}

function placeIn(canvas, [x, y]) { // pixels of the page, within margins
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  return [14 + x * (width - 28), 14 + y * (height - 28)];
}

function drawScatter(view, atlas) {
  const { canvas, points } = view;
  const sharp = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: canvas.clientWidth * sharp, height: canvas.clientHeight * sharp });
  const pen = canvas.getContext("2d");
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  const paper = getComputedStyle(document.body).backgroundColor;
  const { labels } = atlas.about;
  const found = new Set((view.found || []).map(([j]) => j));
  points.forEach((point, i) => {
    const faint = (atlas.only >= 0 && labels[i] !== atlas.only) || (found.size > 0 && !found.has(i));
    pen.globalAlpha = faint ? 0.25 : 0.9;
    dotOn(pen, labels[i], placeIn(canvas, point), found.has(i) ? 6.5 : 4.5, paper);
  });
  pen.globalAlpha = 1;
  for (const i of [atlas.chosen, atlas.over]) if (i >= 0 && points[i]) showPoint(pen, view, atlas, i);
}

function dotOn(pen, label, [x, y], radius, edge) {
  const path = new Path2D(symbolPath(label, x, y, radius));
  pen.fillStyle = colourOf(label);
  pen.strokeStyle = edge;
  pen.lineWidth = 1;
  pen.fill(path);
  pen.stroke(path);
}

function showPoint(pen, view, atlas, i) { // its thumbnail beside it, with a frame of its class
  const { canvas, points } = view;
  const { tile, across, labels } = atlas.about;
  const [x, y] = placeIn(canvas, points[i]);
  dotOn(pen, labels[i], [x, y], 8, getComputedStyle(document.body).color);
  const size = 1.5 * tile;
  const left = Math.min(canvas.clientWidth - size - 3, Math.max(3, x + 14));
  const top = Math.min(canvas.clientHeight - size - 3, Math.max(3, y - size - 8));
  pen.fillStyle = colourOf(labels[i]);
  pen.fillRect(left - 3, top - 3, size + 6, size + 6);
  if (!atlas.sheet.complete || !atlas.sheet.naturalWidth) return;
  const from = [tile * (i % across), tile * Math.floor(i / across), tile, tile];
  pen.drawImage(atlas.sheet, ...from, left, top, size, size);
}

function pointNear({ canvas, points }, event) {
  const area = canvas.getBoundingClientRect();
  const [x, y] = [event.clientX - area.left, event.clientY - area.top];
  let [best, least] = [-1, REACH];
  points.forEach((point, i) => {
    const [px, py] = placeIn(canvas, point);
    const distance = Math.hypot(px - x, py - y);
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

function overPoint(atlas, i) {
  if (atlas.over === i) return;
  atlas.over = i;
  drawMaps(atlas);
}

function stepPoint(view, event) { // to the next point in the direction of an arrow key
  const step = STEPS[event.key];
  const { atlas, points } = view;
  const now = atlas.over >= 0 ? atlas.over : Math.max(0, atlas.chosen);
  if (event.key === "Enter" && atlas.over >= 0) atlas.act.select(atlas.over);
  if (!step) return;
  event.preventDefault();
  const [x, y] = points[now];
  let [best, least] = [now, Infinity];
  points.forEach(([px, py], i) => {
    const ahead = step[0] * (py - y) + step[1] * (px - x);
    const beside = Math.abs(step[1] * (py - y) + step[0] * (px - x));
    const distance = ahead + 2 * beside;
    if (i !== now && ahead > 0 && distance < least) [best, least] = [i, distance];
  });
  overPoint(atlas, best);
}
