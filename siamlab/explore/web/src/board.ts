// Board: places of two crops on whose match two models differ most, with the truth; a click opens one.

import { add } from "./elements";
import type { About, Apply, Entry, Matches, MatchModel, ModelFacts, State } from "./facts";
import { numberText } from "./heat";
import type { Grid } from "./scene";
import { shape } from "./shapes";
import { makeStepSlider } from "./slider";
import { stepOf, stepsOf, stepText } from "./steps";
import { photoAddress } from "source";

const VIEWS = ["a", "b"] as const;
const MOST_ENTRIES = 24; // that are shown

export interface Act { // what a user can do
  set: Apply;
  open: (entry: Entry) => void;
}

export type Board = ReturnType<typeof makeMatches>;

export function makeMatches(section: Element, about: About, act: Act) {
  const text = add(section, "p", { class: "text", role: "status", "aria-live": "polite" });
  const bar = add(section, "div", { class: "bar" });
  const choice = (name: "first" | "second", words: string) => {
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

export function showMatches(board: Board, state: State, answer: Matches): void {
  for (const [name, other] of [["first", "second"], ["second", "first"]] as const) {
    const select = board.chosen[name];
    select.value = state[name];
    for (const option of select.options) option.disabled = option.value === state[other];
  }
  board.showStep(state);
  const steps = stepsOf(board.about);
  const named = (name: string) => {
    const model = board.about.models.find((each) => each.name === name) as ModelFacts;
    return name + stepText(model, stepOf(model, state, steps));
  };
  const means = answer.models.map(({ name, mean }) => `${named(name)} ${numberText(mean)}`).join("; ");
  const shown = answer.scenes ? "Two scenes of each object, and two crops of each photograph"
    : "Two crops of each image";
  board.text.textContent = `${shown}: a place in the left one, and in the right one ` +
    "its true place and the most similar patch under each model. Places on which the errors differ " +
    `most come first, one of each pair; pixels are those of a picture of ${answer.side}. A click opens a ` +
    `pair. Mean error over all ${answer.places.toLocaleString("en")} places, in patches: ${means}.`;
  showMatchLegend(board.legend, answer.models);
  board.gallery.replaceChildren();
  answer.entries.slice(0, MOST_ENTRIES).forEach((entry) => makeEntry(board, answer, entry));
}

function showMatchLegend(legend: Element, models: MatchModel[]): void {
  legend.replaceChildren();
  const entry = (words: string, draw: (svg: Element) => void) => {
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

function makeEntry({ gallery, act }: Board, { models }: Matches, entry: Entry): void {
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

function squareOn(svg: Element, x: number, y: number, width: number, height: number): void {
  for (const [stroke, wide] of [["#fff", 4], ["#000", 2]] as const) {
    shape(svg, "rect", { x, y, width, height, fill: "none", stroke, "stroke-width": wide });
  }
}

function plusOn(svg: Element, x: number, y: number, reach: number): void {
  for (const [stroke, wide] of [["#000", 5], ["#fff", 2.5]] as const) {
    const d = `M${x - reach} ${y}h${2 * reach}M${x} ${y - reach}v${2 * reach}`;
    shape(svg, "path", { d, fill: "none", stroke, "stroke-width": wide });
  }
}

function drawPlace(svg: Element, [rows, columns]: Grid, { y, x }: Entry): void {
  const [wide, high] = [200 / columns, 200 / rows];
  squareOn(svg, 200 * x - wide / 2, 200 * y - high / 2, wide, high);
}

function drawFound(svg: Element, models: MatchModel[], { true_y: y, true_x: x, found }: Entry): void {
  found.forEach((each, i) => {
    const ends = { x1: 200 * each.x, y1: 200 * each.y, x2: 200 * x, y2: 200 * y };
    shape(svg, "line", { ...ends, stroke: "#fff", "stroke-width": 4 });
    shape(svg, "line", { ...ends, stroke: models[i].colour, "stroke-width": 2.5 });
  });
  found.forEach((each, i) => shape(svg, "circle", { cx: 200 * each.x, cy: 200 * each.y, r: 7 - 2 * i,
    fill: models[i].colour, stroke: "#fff", "stroke-width": 1.5 }));
  plusOn(svg, 200 * x, 200 * y, 8);
}
