// Map: images of a data set as points, one scatter for each model, linked; neighbours of a clicked one.

import { drawLasso, keysOnMap, lassoOf, pointsInside } from "./lasso";
import { add } from "./panels";
import { products, unit } from "./patches";
import {
  colourOf, COLOURS, drawScatter, overPoint, placesOf, planeOf, pointNear, SHAPES, symbolPath,
} from "./scatter";
import { shape } from "./shapes";
import { makeStepSlider, mapAddress, stepOf, stepsOf, stepText } from "./steps";
import { MISTAKES, showInside, showNear, showVerdict } from "./verdicts";

const NEAR = 8; // neighbours that are shown
export const PLACES = { components: "principal components", tsne: "t-SNE" };
const HOW = { components: "the first two principal components", tsne: "t-SNE" };

export function makeMap(section, about, act) { // act: select(i), look(i), lasso(word) and set(changes)
  const text = add(section, "p", { class: "text", role: "status", "aria-live": "polite" });
  const atlas = { whole: about, about: about.map, text, sheet: new Image(), over: -1, chosen: -1, chosenClass: -1,
    inside: new Set(), lasso: null, drawing: null, views: [], act };
  atlas.bar = makeMapControls(section, atlas);
  atlas.drawn = add(section, "div"); // what is saved as a picture
  atlas.legend = makeLegend(atlas.drawn, atlas);
  const body = add(atlas.drawn, "div", { class: "atlas" });
  const grid = add(body, "div", { class: "maps" });
  grid.style.setProperty("--columns", Math.max(2, Math.min(3, about.models.length)));
  atlas.views = about.models.map((model) => makeScatter(grid, model, atlas));
  atlas.aside = add(body, "aside", { "aria-label": "Images inside the line" });
  atlas.sheet.onload = () => drawMaps(atlas);
  atlas.sheet.src = "map/sheet";
  new ResizeObserver(() => drawMaps(atlas)).observe(grid);
  return atlas;
}

function makeMapControls(section, atlas) {
  const bar = add(section, "div", { class: "bar" });
  atlas.showStep = makeStepSlider(bar, atlas.whole, atlas.act.set);
  const label = add(bar, "label", {}, "places by ");
  const places = add(label, "select", { name: "places" });
  for (const [value, words] of Object.entries(PLACES)) add(places, "option", { value }, words);
  places.addEventListener("input", () => atlas.act.set({ places: places.value }));
  const button = (name, words, does) => {
    const made = add(bar, "button", { type: "button", name, class: "button" }, words);
    made.addEventListener("click", does);
    return made;
  };
  const mistakes = button("mistakes", "Only mistakes of k-NN",
    () => atlas.act.set({ only: atlas.mistakes ? "" : MISTAKES }));
  mistakes.hidden = !atlas.about.k;
  const finger = button("finger", "Draw with a finger", () => { // else it scrolls the page
    const draws = finger.getAttribute("aria-pressed") !== "true";
    finger.setAttribute("aria-pressed", draws);
    for (const { canvas } of atlas.views) canvas.style.touchAction = draws ? "none" : "";
  });
  return { places, mistakes };
}

function makeScatter(grid, model, atlas) {
  const figure = add(grid, "figure", { "data-map": model.name });
  const caption = add(figure, "figcaption");
  const name = add(caption, "span", {}, model.name);
  const right = add(caption, "span", { class: "right" });
  const label = `${model.name}: images as points; arrow keys move, Enter selects, Shift and arrow ` +
    "keys draw a box";
  const canvas = add(figure, "canvas", { tabindex: 0, role: "application", "aria-label": label });
  const verdict = add(figure, "p", { class: "verdict" });
  const near = add(figure, "div", { class: "near" });
  const view = { model, name: model.name, title: name, canvas, right, verdict, near, points: [], found: [], wrong: [], atlas };
  canvas.addEventListener("pointermove", (event) => {
    if (!atlas.drawing) overPoint(atlas, pointNear(view, event));
  });
  canvas.addEventListener("pointerleave", () => overPoint(atlas, -1));
  canvas.addEventListener("pointerdown", (event) => drawLasso(view, event));
  canvas.addEventListener("keydown", (event) => keysOnMap(view, event));
  return view;
}

function makeLegend(section, atlas) { // a class that is chosen here stands out
  const legend = add(section, "div", { class: "classes", role: "group", "aria-label": "Classes" });
  const { classes } = atlas.about;
  const most = COLOURS.length * SHAPES.length;
  classes.slice(0, most).forEach((name, k) => {
    const button = add(legend, "button", { type: "button", "aria-pressed": false });
    symbolOf(button, k);
    add(button, "span", {}, name);
    button.addEventListener("click", () => {
      atlas.chosenClass = atlas.chosenClass === k ? -1 : k;
      [...legend.querySelectorAll("button")].forEach((each, i) => (
        each.setAttribute("aria-pressed", i === atlas.chosenClass)));
      drawMaps(atlas);
    });
  });
  const more = classes.length - most;
  if (more > 0) add(legend, "span", {}, `and ${more} more classes, in the same colours again`);
  return legend;
}

export function symbolOf(parent, label) {
  const svg = shape(parent, "svg", { viewBox: "-8 -8 16 16", width: 14, height: 14 });
  shape(svg, "path", { d: symbolPath(label, 0, 0, 6), fill: colourOf(label) });
}

function nearest(rows, i, count = NEAR) { // the most similar images, itself left out
  const cosines = products(rows, rows, i);
  const order = [...cosines.keys()].filter((other) => other !== i);
  return order.sort((a, b) => cosines[b] - cosines[a]).slice(0, count).map((j) => [j, cosines[j]]);
}

function pointsOf(i, places, got, address) {
  return places === "tsne" ? got("places", address(i, "/tsne"), placesOf) : got("plane", address(i), planeOf);
}

export function showMap(atlas, state, got) {
  const { labels, k } = atlas.about;
  atlas.chosen = state.image >= 0 && state.image < labels.length ? state.image : -1;
  Object.assign(atlas, { places: state.places, mistakes: state.only === MISTAKES });
  const address = (i, part) => mapAddress(atlas.whole, state, i, part);
  atlas.showStep(state);
  atlas.views.forEach((view, i) => {
    view.title.textContent = view.name
      + stepText(view.model, stepOf(view.model, state, stepsOf(atlas.whole)));
    view.points = pointsOf(i, state.places, got, address);
    view.found = atlas.chosen < 0 ? [] : nearest(got("unit", address(i), unit), atlas.chosen);
    view.votes = k ? got("votes", address(i, "/votes"), (rows) => rows) : null;
    view.wrong = labels.map((label, j) => k > 0 && label >= 0 && view.votes.data[j] !== label);
    showVerdict(view, atlas);
    showNear(view, atlas);
  });
  atlas.lasso = lassoOf(state.lasso);
  atlas.inside = atlas.lasso
    ? pointsInside(pointsOf(atlas.lasso.map, atlas.lasso.places, got, address), atlas.lasso.corners)
    : new Set();
  showInside(atlas);
  atlas.bar.places.value = state.places;
  atlas.bar.mistakes.setAttribute("aria-pressed", atlas.mistakes);
  atlas.text.textContent = mapText(atlas);
  drawMaps(atlas);
}

function mapText(atlas) {
  const { name, labels, classes, k } = atlas.about;
  const about = `${labels.length.toLocaleString("en")} images of ${name}, by ${HOW[atlas.places]} of ` +
    "their mean patch features in each model." + (k ? ` A cross marks those that the ${k} most ` +
    "similar other images vote into another class." : "");
  if (atlas.chosen < 0) {
    return `${about} A click on a point shows its nearest neighbours; a line drawn around points, ` +
      "their images.";
  }
  const own = labels[atlas.chosen];
  if (own < 0) return `${about} Below each map: the images most similar to image ${atlas.chosen}.`;
  const same = atlas.views.map((view) => view.found.filter(([j]) => labels[j] === own).length);
  const each = atlas.views.map((view, i) => `${view.name} ${same[i]}`).join(", ");
  return `${about} Of the ${NEAR} images most similar to image ${atlas.chosen} ` +
    `(${classes[own]}), those of its class: ${each}.`;
}

export function drawMaps(atlas) {
  for (const view of atlas.views) drawScatter(view, atlas);
}
