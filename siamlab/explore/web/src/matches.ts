// Matches: places of two crops on whose match two models differ most, with the truth; a click opens one.

import { numberText } from "./heat";
import { add } from "./panels";
import { shape } from "./shapes";
import { about } from "./shell";
import { atStep, makeStepSlider, stepOf, stepsOf, stepText } from "./steps";
import { photoAddress } from "source";

const VIEWS = ["a", "b"];
const MOST_ENTRIES = 24; // that are shown

export function makeMatches(section, about, act) { // act: set(changes) and open(entry)
  const text = add(section, "p", { class: "text", role: "status", "aria-live": "polite" });
  const bar = add(section, "div", { class: "bar" });
  const choice = (name, words) => {
    const label = add(bar, "label", {}, words);
    const select = add(label, "select", { name });
    for (const { name: value } of about.models) add(select, "option", { value }, value);
    select.addEventListener("input", () => act.set({ [name]: select.value }));
    return select;
  };
  const chosen = { first: choice("first", "between "), second: choice("second", "and ") };
  const showStep = makeStepSlider(bar, about, act.set);
  const drawn = add(section, "div");
  return { about, text, chosen, showStep, legend: add(drawn, "div", { class: "classes" }),
    gallery: add(drawn, "div", { class: "gallery" }), drawn, act };
}

export function matchesAddress(about, state) {
  const number = (name) => about.models.findIndex((model) => model.name === name);
  const [first, second] = [number(state.first), number(state.second)];
  const step = (i) => stepOf(about.models[i], state, stepsOf(about));
  return atStep(atStep(`matches/${first}/${second}`, step(first)), step(second), "second_step");
}

export function showMatches(board, state, answer) {
  for (const [name, select] of Object.entries(board.chosen)) {
    select.value = state[name];
    const other = state[name === "first" ? "second" : "first"];
    for (const option of select.options) option.disabled = option.value === other;
  }
  board.showStep(state);
  const steps = stepsOf(board.about);
  const named = (name) => {
    const model = board.about.models.find((each) => each.name === name);
    return name + stepText(model, stepOf(model, state, steps));
  };
  const means = answer.models.map(({ name, mean }) => `${named(name)} ${numberText(mean)}`).join("; ");
  board.text.textContent = `Two crops of each image: a place in the left one, and in the right one ` +
    "its true place and the most similar patch under each model. Places on which the errors differ " +
    `most come first, one of each pair; pixels are those of a crop of ${answer.side}. A click opens a ` +
    `pair. Mean error over all ${answer.places.toLocaleString("en")} places, in patches: ${means}.`;
  showMatchLegend(board.legend, answer.models);
  board.gallery.replaceChildren();
  answer.entries.slice(0, MOST_ENTRIES).forEach((entry) => makeEntry(board, answer, entry));
}

function showMatchLegend(legend, models) {
  legend.replaceChildren();
  const entry = (words, draw) => {
    const span = add(legend, "span", { class: "entry" });
    draw(shape(span, "svg", { viewBox: "-8 -8 16 16", width: 16, height: 16 }));
    add(span, "span", {}, words);
  };
  entry("place", (svg) => squareOn(svg, -5, -5, 10, 10));
  entry("its true place", (svg) => plusOn(svg, 0, 0, 6));
  for (const { name, colour } of models) {
    entry(`match of ${name}`, (svg) => shape(svg, "circle", { r: 5, fill: colour, stroke: "#fff" }));
  }
}

function makeEntry({ gallery, act }, { models }, entry) {
  const button = add(gallery, "button", { type: "button", class: "match" });
  const views = add(button, "span", { class: "views" });
  for (const view of VIEWS) {
    const stage = add(views, "span", { class: "stage" });
    add(stage, "img", { src: photoAddress(entry[view], "crops"), alt: "", draggable: "false" });
    const svg = shape(stage, "svg", { viewBox: "0 0 200 200" });
    if (view === "a") drawPlace(svg, models[0].grid, entry);
    else drawFound(svg, models, entry);
  }
  const errors = entry.found.map(({ error }) => error);
  const best = errors.indexOf(Math.min(...errors));
  add(button, "span", { class: "of" }, entry.name);
  entry.found.forEach(({ error, patches }, i) => {
    const words = `${models[i].name}: ${patches.toFixed(1)} patches (${Math.round(error)} px)`;
    add(button, "span", { class: i === best ? "nearer" : "farther" }, words);
  });
  button.addEventListener("click", () => act.open(entry));
}

function squareOn(svg, x, y, width, height) {
  for (const [stroke, wide] of [["#fff", 4], ["#000", 2]]) {
    shape(svg, "rect", { x, y, width, height, fill: "none", stroke, "stroke-width": wide });
  }
}

function plusOn(svg, x, y, reach) {
  for (const [stroke, wide] of [["#000", 5], ["#fff", 2.5]]) {
    const d = `M${x - reach} ${y}h${2 * reach}M${x} ${y - reach}v${2 * reach}`;
    shape(svg, "path", { d, fill: "none", stroke, "stroke-width": wide });
  }
}

function drawPlace(svg, [rows, columns], { y, x }) {
  const [wide, high] = [200 / columns, 200 / rows];
  squareOn(svg, 200 * x - wide / 2, 200 * y - high / 2, wide, high);
}

function drawFound(svg, models, { true_y: y, true_x: x, found }) {
  found.forEach((each, i) => {
    const ends = { x1: 200 * each.x, y1: 200 * each.y, x2: 200 * x, y2: 200 * y };
    shape(svg, "line", { ...ends, stroke: "#fff", "stroke-width": 4 });
    shape(svg, "line", { ...ends, stroke: models[i].colour, "stroke-width": 2.5 });
  });
  found.forEach((each, i) => shape(svg, "circle", { cx: 200 * each.x, cy: 200 * each.y, r: 7 - 2 * i,
    fill: models[i].colour, stroke: "#fff", "stroke-width": 1.5 }));
  plusOn(svg, 200 * x, 200 * y, 8);
}

// Where the middle of a patch of one of two crops of an image lies in the other; null outside it.
export function trueOf(photos, state, side, [y, x]) {
  const crops = photos.map((id) => about.photos.find((photo) => photo.id === id)?.crop);
  if (crops.length < 2 || crops.some((crop) => !crop) || crops[0].pair !== crops[1].pair) return null;
  const [from, to] = side === "a" ? crops : [crops[1], crops[0]];
  const turned = (value, { flip }) => (flip ? 1 - value : value);
  const [top, left, height, width] = from.box;
  const source = [top + height * y, left + width * turned(x, from)];
  const [atY, atX] = [(source[0] - to.box[0]) / to.box[2], (source[1] - to.box[1]) / to.box[3]];
  const place = [atY, turned(atX, to)];
  return place.every((value) => value >= 0 && value <= 1) ? place : null;
}
