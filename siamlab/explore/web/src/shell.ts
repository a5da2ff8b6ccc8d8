// Shell: the page of `siamlab view` around its panels: what is shown, and what is waited for.

import { relabel, showsOf } from "./choices";
import { penOf, sentenceOf } from "./elements";
import type { About, Change, State } from "./facts";
import { takeFiles } from "./files";
import { around, find, isSection, main, say, setBusy, showPart } from "./frame";
import { linkOf, restored } from "./link";
import { pageModel } from "./model";
import { mount } from "./panels";
import { savePicture } from "./picture";
import { verdictAddress } from "./plane";
import { openVerdict, showSection, waitIn } from "./sections";
import { controlsOf } from "./settings";
import { about, enter, got, missing, once, open, state } from "./store";
import { makeShows, showShows, showStrip } from "./strip";
import { photosOf, viewEvent, viewScene } from "./view";
import { asked, photoAddress } from "source";

const OFTEN = 250; // milliseconds between two changes of the link, at least

export interface Links { // where the link of the state is kept, and may be changed from outside
  read(): string;
  write(link: string): void;
  follow(call: () => void): void;
}

let links: Links;
let linking: number;
let turn = 0; // of the last change of the state; answers to earlier ones come too late

export const { shown, model, tell } = pageModel({ scene: {}, images: {} }, (event) => {
  shown.answered = event.count;
  const verdict = state.show === "plane" && verdictAddress(state, event);
  if (verdict) openVerdict(verdict, change);
  else change(viewEvent(about, state, event), "hover" in event);
});

export async function start(kept: Links): Promise<void> {
  links = kept;
  const facts: About = await asked("about");
  relabel(facts.photos);
  open(facts, ofLink);
  makeShows(showsOf(about), change);
  for (const kind of ["png", "svg"] as const) {
    const save = () => savePicture(kind).catch((error: unknown) => say(sentenceOf(error)));
    find(`[data-does=${kind}]`).addEventListener("click", save);
  }
  takeFiles(change);
  find(".actions label").hidden = about.models.length === 0; // nothing looks at photographs
  links.follow(() => { if (links.read() !== linkOf(about, state)) change(ofLink(about)); });
  around.addEventListener("keydown", (event) => { if ((event as KeyboardEvent).key === "Escape") escape(); });
  const begun = state; // the panels are there even if the page opens with something else
  if (isSection(begun.show)) enter({ ...begun, show: "similarity" });
  await change(state);
  mount(model, main);
  if (isSection(begun.show)) await change(begun);
  main.dataset.ready = "";
}

function ofLink(facts: About): State {
  return restored(facts, links.read());
}

function keepLink(): void {
  clearTimeout(linking);
  linking = setTimeout(() => links.write(linkOf(about, state)), OFTEN);
}

function escape(): void {
  if (state.show === "map" && state.lasso) change({ ...state, lasso: "" });
  else if (state.pinned) change({ ...state, pinned: false, over: false });
}

// Shows a state, as soon as what it needs is here; a pointer waits for nothing.
const change: Change = async (next, hovering = false) => {
  if (hovering) performance.mark("hover");
  const before = state;
  const mine = ++turn;
  enter(next);
  const absent = missing();
  if (absent.length > 0) {
    wait();
    try {
      await Promise.all(absent.map(once));
    } catch (error) {
      say(sentenceOf(error));
      if (mine === turn) enter(before);
      if (missing().length > 0) return;
    }
    if (mine !== turn) return;
  }
  if (!isSection(state.show) && state.show !== "plane") await prepareImage(state);
  if (mine === turn) show(hovering);
};

function wait(): void {
  setBusy(true);
  if (isSection(state.show)) waitIn(state.show);
  else if (state.show !== "plane") { // whose last scene stays until the next one is here
    shown.scene = { ...shown.scene, controls: controlsOf(about, state), text: "Computing features …" };
    tell();
  }
  showShell();
}

function show(hovering: boolean): void {
  setBusy(false);
  showPart(state.show);
  if (isSection(state.show)) {
    showSection(state.show, change);
  } else {
    const single = photosOf(state).length === 1 && state.show !== "attention";
    main.dataset.layout = state.show === "plane" ? "plane" : single ? "single" : "wide";
    main.style.setProperty("--opacity", String(state.opacity / 100));
    shown.scene = viewScene(about, state, got);
    tell();
    if (hovering) return measure();
  }
  showShell();
  keepLink();
}

function measure(): void { // from the pointer to the drawn page, for whoever asks the browser
  if (performance.getEntriesByName("hover to scene").length > 1000) performance.clearMeasures();
  performance.measure("hover to scene", "hover");
  const from = performance.getEntriesByName("hover").at(-1)?.startTime;
  performance.clearMarks("hover");
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel(); // its message comes after the frame is drawn
    port1.onmessage = () => performance.measure("hover to repaint", { start: from });
    port2.postMessage(0);
  });
}

async function prepareImage(next: State): Promise<void> { // two photographs become one picture, side by side
  const photos = photosOf(next);
  const key = photos.join("+");
  shown.images[key] ||= photos.length === 1 ? photoAddress(key) : await pictureOf(photos);
}

async function pictureOf(photos: string[]): Promise<string> {
  const images = await Promise.all(photos.map(loaded));
  const side = Math.max(...images.map((image) => image.naturalWidth));
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * side, height: side });
  const pen = penOf(canvas);
  images.forEach((image, i) => pen.drawImage(image, i * side, 0, side, side));
  pen.fillStyle = "#fff";
  pen.fillRect(side - side / 150, 0, side / 75, side);
  return canvas.toDataURL();
}

async function loaded(photo: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = photoAddress(photo);
  await image.decode();
  return image;
}

function showShell(): void {
  showShows(state.show);
  for (const name of [".strip", ".hint"]) find(name).hidden = isSection(state.show) || state.show === "plane";
  showStrip(about.photos, change);
}
