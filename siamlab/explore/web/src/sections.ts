// Sections: the map and the gallery of matches, which take the place of the panels.

import { makeMap, showMap } from "./atlas";
import { makeMatches, showMatches, type Board } from "./board";
import { sentenceOf } from "./elements";
import type { About, Change, Entry, MapFacts, Matches, Photo, Section, State } from "./facts";
import { taken } from "./files";
import { say, sections, setBusy, showPart } from "./frame";
import { linkOf, startState } from "./link";
import type { Atlas } from "./map";
import { matchesAddress } from "./matches";
import { about, got, state } from "./store";
import { asked } from "source";

export let atlas: Atlas | undefined; // the map, once it was shown
export let board: Board | undefined; // the gallery of matches, likewise

export function waitIn(name: Section): void {
  showPart(name);
  const text = sections[name].querySelector(".text");
  if (text) text.textContent = "Computing …";
  else sections[name].dataset.wait = `Computing features of ${countIn(name, about)} …`;
}

function countIn(name: Section, { map, pairs }: About): string {
  return name === "map" ? `${map?.labels.length} images` : `${pairs} pairs of views`;
}

export function showSection(name: Section, change: Change): void {
  const set = (changes: Partial<State>) => change({ ...state, ...changes });
  if (name === "matches") {
    board ??= makeMatches(sections.matches, about, { set, open: (entry) => openPair(entry, change) });
    showMatches(board, state, got("matches", matchesAddress(about, state), (answer: Matches) => answer));
  } else {
    atlas ??= makeMap(sections.map, about, about.map as MapFacts, { set, select: (image) => set({ image }),
      look: (image) => lookAt(image, change), lasso: (lasso) => set({ lasso }) });
    showMap(atlas, state, got);
  }
}

// With the last layer, by which matches were found.
async function openPair({ a, b, y, x }: Entry, change: Change): Promise<void> {
  try {
    const crops = [a, b].map((id): Promise<Photo> => asked(`crops/${id}`, { method: "POST" }));
    const [photo, beside] = (await Promise.all(crops)).map(taken);
    const { layer, cosine } = startState(about);
    const alone = { least: 100 }; // no lines of other matches over the one that was clicked
    await change({ ...state, ...alone, show: "similarity", photo, beside, layer, cosine,
      side: "a", y, x, pinned: true });
  } catch (error) {
    say(sentenceOf(error));
  }
}

// The matches of two points of a study, whose encoders the server opens if the page lacks them.
export async function openVerdict(address: string, change: Change): Promise<void> {
  setBusy(true);
  try {
    const pair = await asked(address, { method: "POST" });
    const next: State = { ...state, ...pair, show: "matches" };
    const names = about.models.map((model) => model.name);
    if ([pair.first, pair.second].every((name) => names.includes(name))) return await change(next);
    history.pushState(null, "", linkOf(about, next));
    location.reload(); // with more models, all of the page is another
  } catch (error) {
    setBusy(false);
    say(sentenceOf(error));
  }
}

// An image becomes a photograph of the page.
async function lookAt(image: number, change: Change): Promise<void> {
  try {
    const photo = taken(await asked(`map/look/${image}`, { method: "POST" }));
    await change({ ...state, show: "similarity", photo, side: "a" });
  } catch (error) {
    say(sentenceOf(error));
  }
}
