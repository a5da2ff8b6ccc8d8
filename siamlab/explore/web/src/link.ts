// Link: what a page shows as the fragment of its address, and back.

import { lassoOf } from "./lasso";
import { NUMBERS } from "./plane";
import { HUES } from "./scenes";
import { about, find, say, state } from "./shell";
import { stepsOf } from "./steps";
import { choicesOf, showsOf, START_STATE } from "./view";

const OFTEN = 250; // milliseconds between two changes of the link, at least

// A link holds what differs from the start, and the place of a pinned patch.
export function link({ y, x, side, pinned, over, ...rest }) {
  const words = Object.entries(rest).filter(([key, value]) => value !== startState()[key]);
  if (pinned) words.push(["at", [side, y.toFixed(4), x.toFixed(4)].join(" ")]);
  return words.length ? `#${new URLSearchParams(words)}` : "";
}

export function startState() {
  const layers = Math.max(1, ...about.models.map((each) => each.layers));
  const [first, second] = about.models.map((each) => each.name);
  const step = Math.max(0, stepsOf(about).length - 1);
  return { ...START_STATE, show: showsOf(about)[0], photo: about.photos[0].id, layer: layers, step, first, second: second || "" };
}

export function restored() { // what a link says, as far as this page has it
  const made = startState();
  const words = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const known = choicesOf(about);
  const ends = { layer: [1, made.layer], step: [0, made.step], least: [0, 100], opacity: [0, 100], k: [2, HUES.length],
    image: [-1, about.map ? about.map.labels.length - 1 : -1] };
  for (const [key, word] of Object.entries(words)) {
    const [low, high] = ends[key] || [];
    const value = ends[key] ? Number(word) : word;
    if (known[key]?.includes(value) || (Number.isInteger(value) && value >= low && value <= high)) {
      made[key] = value;
    }
  }
  const map = lassoOf(words.lasso || "")?.map;
  if (about.map && map < about.models.length) made.lasso = words.lasso;
  for (const key of ["probe", "runs"]) if (words[key]) made[key] = words[key];
  if (made.runs && !NUMBERS.test(made.runs)) made.runs = "";
  if (made.first === made.second) Object.assign(made, { first: startState().first, second: startState().second });
  if (words.at) Object.assign(made, placeFrom(words.at.split(" ")));
  return made;
}

function placeFrom([side, y, x]) {
  const inside = (word) => Math.min(0.999, Math.max(0, Number(word) || 0));
  return { side: side === "b" ? "b" : "a", y: inside(y), x: inside(x), pinned: true };
}

let linking;

export function keepLink() {
  clearTimeout(linking);
  linking = setTimeout(() => history.replaceState(null, "", link(state) || location.pathname), OFTEN);
}

export async function copyLink() {
  history.replaceState(null, "", link(state) || location.pathname);
  const button = find("[data-does=link]");
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy link"; }, 1500);
  } catch { // not allowed to use the clipboard
    say(`Copy the address of this page: ${location.href}`);
  }
}
