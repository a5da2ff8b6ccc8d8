// Atlas: images of a data set as points, one map for each model, linked; neighbours of a clicked one.

import { MISTAKES, PLACES } from "./choices";
import { add } from "./elements";
import type { About, Got, MapFacts, ModelFacts, Places, State, Votes } from "./facts";
import { lassoOf, pointsInside } from "./lasso";
import { NEAR, nearest, placesOf, planeOf, type Act, type Atlas, type MapView } from "./map";
import { drawLasso, keysOnMap, pointNear } from "./map_input";
import { unit } from "./patches";
import { drawMaps, overPoint } from "./scatter";
import type { Point } from "./scene";
import { makeStepSlider } from "./slider";
import { mapAddress, stepOf, stepsOf, stepText } from "./steps";
import { COLOURS, SHAPES, symbolOf } from "./symbols";
import { showInside, showNear, showVerdict } from "./verdicts";

const HOW: Record<Places, string> = { ...PLACES, components: "the first two principal components" };

export function makeMap(section: Element, whole: About, about: MapFacts, act: Act): Atlas {
  const text = add(section, "p", { class: "text", role: "status", "aria-live": "polite" });
  const bar = add(section, "div", { class: "bar" });
  const showStep = makeStepSlider(bar, whole, act.set);
  const places = makePlaces(bar, about, act);
  const mistakes = button(bar, "mistakes", "Only mistakes of k-NN",
    () => act.set({ only: atlas.mistakes ? "" : MISTAKES }));
  mistakes.hidden = !about.k;
  const finger = button(bar, "finger", "Draw with a finger", () => drawByFinger(atlas, finger));
  const drawn = add(section, "div");
  const legend = add(drawn, "div", { class: "classes", role: "group", "aria-label": "Classes" });
  const body = add(drawn, "div", { class: "atlas" });
  const grid = add(body, "div", { class: "maps" });
  grid.style.setProperty("--columns", String(Math.max(2, Math.min(3, whole.models.length))));
  const aside = add(body, "aside", { "aria-label": "Images inside the line" });
  const atlas: Atlas = { whole, about, text, sheet: new Image(), bar: { places, mistakes }, drawn, aside,
    showStep, act, views: [], places: "components", mistakes: false, over: -1, chosen: -1, chosenClass: -1,
    inside: new Set(), lasso: null, drawing: null };
  makeLegend(legend, atlas);
  atlas.views = whole.models.map((model) => makeScatter(grid, model, atlas));
  atlas.sheet.onload = () => drawMaps(atlas);
  atlas.sheet.src = "map/sheet";
  new ResizeObserver(() => drawMaps(atlas)).observe(grid);
  return atlas;
}

function makePlaces(bar: Element, { layouts }: MapFacts, act: Act): HTMLSelectElement {
  const label = add(bar, "label", {}, "places by ");
  const places = add(label, "select", { name: "places" });
  for (const value of layouts) add(places, "option", { value }, PLACES[value]);
  places.addEventListener("input", () => act.set({ places: places.value as Places }));
  return places;
}

function button(bar: Element, name: string, words: string, does: () => void): HTMLButtonElement {
  const made = add(bar, "button", { type: "button", name, class: "button" }, words);
  made.addEventListener("click", does);
  return made;
}

function drawByFinger(atlas: Atlas, finger: HTMLButtonElement): void { // else it scrolls the page
  const draws = finger.getAttribute("aria-pressed") !== "true";
  finger.setAttribute("aria-pressed", String(draws));
  for (const { canvas } of atlas.views) canvas.style.touchAction = draws ? "none" : "";
}

function makeScatter(grid: Element, model: ModelFacts, atlas: Atlas): MapView {
  const figure = add(grid, "figure", { "data-map": model.name });
  const caption = add(figure, "figcaption");
  const name = add(caption, "span", {}, model.name);
  const right = add(caption, "span", { class: "right" });
  const label = `${model.name}: images as points; arrow keys move, Enter selects, Shift and arrow ` +
    "keys draw a box";
  const canvas = add(figure, "canvas", { tabindex: 0, role: "application", "aria-label": label });
  const verdict = add(figure, "p", { class: "verdict" });
  const near = add(figure, "div", { class: "near" });
  const view: MapView = { model, title: name, canvas, right, verdict, near, atlas, points: [], found: [],
    votes: null, wrong: [], box: null };
  canvas.addEventListener("pointermove", (event) => {
    if (!atlas.drawing) overPoint(atlas, pointNear(view, event));
  });
  canvas.addEventListener("pointerleave", () => overPoint(atlas, -1));
  canvas.addEventListener("pointerdown", (event) => drawLasso(view, event));
  canvas.addEventListener("keydown", (event) => keysOnMap(view, event));
  return view;
}

function makeLegend(legend: Element, atlas: Atlas): void { // a class that is chosen here stands out
  const { classes } = atlas.about;
  const most = COLOURS.length * SHAPES.length;
  classes.slice(0, most).forEach((name, k) => {
    const entry = add(legend, "button", { type: "button", "aria-pressed": false });
    symbolOf(entry, k);
    add(entry, "span", {}, name);
    entry.addEventListener("click", () => {
      atlas.chosenClass = atlas.chosenClass === k ? -1 : k;
      [...legend.querySelectorAll("button")].forEach((each, i) => (
        each.setAttribute("aria-pressed", String(i === atlas.chosenClass))));
      drawMaps(atlas);
    });
  });
  const more = classes.length - most;
  if (more > 0) add(legend, "span", {}, `and ${more} more classes, in the same colours again`);
}

export function showMap(atlas: Atlas, state: State, got: Got): void {
  const { labels, k } = atlas.about;
  const address = (i: number, part = "") => mapAddress(atlas.whole, state, i, part);
  const pointsOf = (i: number, places: Places): Point[] => (places === "components"
    ? got("plane", address(i), (rows) => planeOf(rows, labels))
    : got("places", address(i, `/${places}`), placesOf));
  atlas.chosen = state.image >= 0 && state.image < labels.length ? state.image : -1;
  Object.assign(atlas, { places: state.places, mistakes: state.only === MISTAKES });
  atlas.showStep(state);
  atlas.views.forEach((view, i) => {
    view.title.textContent = view.model.name
      + stepText(view.model, stepOf(view.model, state, stepsOf(atlas.whole)));
    view.points = pointsOf(i, state.places);
    view.found = atlas.chosen < 0 ? [] : nearest(got("unit", address(i), unit), atlas.chosen);
    view.votes = k ? got("votes", address(i, "/votes"), (rows: Votes) => rows) : null;
    const voted = view.votes?.data;
    view.wrong = labels.map((label, j) => voted !== undefined && label >= 0 && voted[j] !== label);
    showVerdict(view, atlas);
    showNear(view, atlas);
  });
  atlas.lasso = lassoOf(state.lasso);
  atlas.inside = atlas.lasso
    ? pointsInside(pointsOf(atlas.lasso.map, atlas.lasso.places), atlas.lasso.corners)
    : new Set();
  showInside(atlas);
  atlas.bar.places.value = state.places;
  atlas.bar.mistakes.setAttribute("aria-pressed", String(atlas.mistakes));
  atlas.text.textContent = mapText(atlas);
  drawMaps(atlas);
}

function mapText(atlas: Atlas): string {
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
  const each = atlas.views.map((view, i) => `${view.model.name} ${same[i]}`).join(", ");
  return `${about} Of the ${NEAR} images most similar to image ${atlas.chosen} ` +
    `(${classes[own]}), those of its class: ${each}.`;
}
