// Sections: the map and the gallery of matches, which take the place of the panels.

import { taken } from "./files";
import { keepLink, startState } from "./link";
import { makeMap, showMap } from "./map";
import { makeMatches, matchesAddress, showMatches } from "./matches";
import { about, change, fetched, got, main, say, showShell, state } from "./shell";
import { asked } from "source";

export const sections = { map: document.getElementById("map"), matches: document.getElementById("matches") };
export let atlas; // the map, once it was shown
export let board; // the gallery of matches, likewise

export function waitIn(name) {
  showPart(name);
  const count = name === "map" ? `${about.map.labels.length} images` : `${about.pairs} pairs of crops`;
  const text = sections[name].querySelector(".text");
  if (text) text.textContent = "Computing …";
  else sections[name].dataset.wait = `Computing features of ${count} …`;
  showShell();
}

export function showPart(name) { // the panels, or one of the sections
  main.hidden = name in sections;
  for (const [each, section] of Object.entries(sections)) section.hidden = each !== name;
}

export function showAtlas() {
  const set = (changes) => change({ ...state, ...changes });
  atlas ||= makeMap(sections.map, about, { set, look: lookAt, select: (image) => set({ image }),
    lasso: (lasso) => set({ lasso }) });
  showMap(atlas, state, got);
  showShell();
  keepLink();
}

export function showBoard() {
  board ||= makeMatches(sections.matches, about, {
    set: (changes) => change({ ...state, ...changes }), open: openPair });
  showMatches(board, state, fetched.get(matchesAddress(about, state)));
  showShell();
  keepLink();
}

async function openPair({ a, b, y, x }) { // with the last layer, by which matches were found
  try {
    const crops = [a, b].map((id) => asked(`crops/${id}`, { method: "POST" }));
    const [photo, beside] = (await Promise.all(crops)).map(taken);
    const { layer, cosine } = startState();
    const alone = { least: 100 }; // no lines of other matches over the one that was clicked
    await change({ ...state, ...alone, show: "similarity", photo, beside, layer, cosine,
      side: "a", y, x, pinned: true });
  } catch (error) {
    say(error.message);
  }
}

async function lookAt(image) { // an image of the map becomes a photograph of the page
  try {
    const photo = taken(await asked(`map/look/${image}`, { method: "POST" }));
    await change({ ...state, show: "similarity", photo, side: "a" });
  } catch (error) {
    say(error.message);
  }
}
