// Shell: the page of `siamlab view` around its panels: photographs, fetching, links and pictures.

import { relabel, takeFiles } from "./files";
import { copyLink, keepLink, link, restored } from "./link";
import { add, mount } from "./panels";
import { savePicture } from "./picture";
import { fetchPlane } from "./plane";
import { sections, showAtlas, showBoard, showPart, waitIn } from "./sections";
import { controlsOf, needed, photosOf, showsOf, viewEvent, viewScene } from "./view";
import { asked, numbersAt, photoAddress } from "source";

const MOST_FETCHED = 3e8; // bytes of features that the page keeps
const MOST_DERIVED = 80; // results from them

export const fetched = new Map(); // address -> rows of numbers
const asking = new Map(); // address -> promise of its rows, until they are here
const derived = new Map(); // kind and addresses -> result
export let about;
export let state;
let turn = 0; // of the last change of the state; answers to earlier ones come too late

const shown = { scene: {}, images: {}, event: null, answered: 0 };
const listeners = {};
const model = { // takes the place of anywidget's
  get: (name) => shown[name],
  set: (name, value) => { shown[name] = value; },
  on: (name, call) => { listeners[name] = call; },
  save_changes: () => {
    shown.answered = shown.event.count;
    change(viewEvent(about, state, shown.event), "hover" in shown.event);
  },
};
export const page = document.body;
export const main = document.getElementById("explorer");
export const find = (selector) => page.querySelector(selector);

async function start() {
  about = await asked("about");
  relabel();
  state = restored();
  for (const show of showsOf(about)) {
    const button = add(find(".shows"), "button", { type: "button", role: "radio", "data-show": show }, show);
    button.addEventListener("click", () => change({ ...state, show }));
  }
  find(".shows").addEventListener("keydown", moveShow);
  find("[data-does=link]").addEventListener("click", copyLink);
  for (const kind of ["png", "svg"]) {
    find(`[data-does=${kind}]`).addEventListener("click", () => savePicture(kind));
  }
  takeFiles();
  find(".actions label").hidden = about.models.length === 0; // nothing looks at photographs
  window.addEventListener("hashchange", () => { if (location.hash !== link(state)) change(restored()); });
  window.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    if (state.show === "map" && state.lasso) change({ ...state, lasso: "" });
    else if (state.pinned) change({ ...state, pinned: false, over: false });
  });
  window.shown = shown;
  const begun = state; // the panels are there even if the page opens with something else
  if (state.show in sections) state = { ...state, show: "similarity" };
  await change(state);
  mount(model, main);
  if (begun.show in sections) await change(begun);
  main.dataset.ready = "";
}

// Shows a state, as soon as what it needs is here; a pointer waits for nothing.
export async function change(next, hovering = false) {
  if (hovering) performance.mark("hover");
  const before = state;
  const mine = ++turn;
  state = next;
  const missing = needed(about, state).filter((address) => !fetched.has(address));
  if (missing.length > 0) {
    wait();
    try {
      await Promise.all(missing.map(once));
    } catch (error) {
      say(error.message);
      state = mine === turn ? before : state;
      if (needed(about, state).some((address) => !fetched.has(address))) return;
    }
    if (mine !== turn) return;
  }
  if (!(state.show in sections) && state.show !== "plane") await prepareImage(state);
  if (mine === turn) show(hovering);
}

function wait() {
  for (const part of [main, ...Object.values(sections)]) part.classList.add("busy");
  if (state.show in sections) return waitIn(state.show);
  if (state.show === "plane") return showShell(); // the last scene stays until the next one is here
  shown.scene = { ...shown.scene, controls: controlsOf(about, state), text: "Computing features …" };
  listeners["change:scene"]?.();
  showShell();
}

function show(hovering) {
  for (const part of [main, ...Object.values(sections)]) part.classList.remove("busy");
  showPart(state.show);
  if (state.show === "map") return showAtlas();
  if (state.show === "matches") return showBoard();
  const single = photosOf(state).length === 1 && state.show !== "attention";
  main.dataset.layout = state.show === "plane" ? "plane" : single ? "single" : "wide";
  main.style.setProperty("--opacity", state.opacity / 100);
  shown.scene = viewScene(about, state, got);
  listeners["change:scene"]?.();
  if (hovering) return measure();
  showShell();
  keepLink();
}

function measure() { // from the pointer to the drawn page, for whoever asks the browser
  if (performance.getEntriesByName("hover to scene").length > 1000) performance.clearMeasures();
  performance.measure("hover to scene", "hover");
  const from = performance.getEntriesByName("hover").at(-1).startTime;
  performance.clearMarks("hover");
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel(); // its message comes after the frame is drawn
    port1.onmessage = () => performance.measure("hover to repaint", { start: from });
    port2.postMessage(0);
  });
}

export function got(kind, addresses, make) {
  const key = `${kind} ${addresses}`;
  if (!derived.has(key)) {
    derived.set(key, make(fetched.get(addresses)));
    if (derived.size > MOST_DERIVED) derived.delete(derived.keys().next().value);
  }
  return derived.get(key);
}

function once(address) { // a pointer that moves on while features are computed asks only once
  if (!asking.has(address)) {
    asking.set(address, fetchRows(address).finally(() => asking.delete(address)));
  }
  return asking.get(address);
}

async function fetchRows(address) {
  if (address.startsWith("plane")) return fetched.set(address, await fetchPlane(address));
  const [kind, index, part] = address.split("?")[0].split("/");
  const { width, grid } = about.models[index];
  const length = { attention: grid[0] * grid[1], map: part === "tsne" ? 2 : width }[kind] || width;
  if (kind === "matches") return fetched.set(address, { ...await asked(address), data: new Uint8Array(0) });
  if (part === "votes") fetched.set(address, votesFrom(await asked(address)));
  else fetched.set(address, rowsOf(await numbersAt(address), length));
  let size = [...fetched.values()].reduce((sum, rows) => sum + rows.data.byteLength, 0);
  for (const old of fetched.keys()) {
    if (size <= MOST_FETCHED || needed(about, state).includes(old)) break;
    size -= fetched.get(old).data.byteLength;
    fetched.delete(old);
  }
}

function rowsOf(data, width) {
  return { data, width, count: data.length / width };
}

function votesFrom({ label, share }) {
  return { ...rowsOf(Int32Array.from(label), 1), share };
}

async function prepareImage(next) { // two photographs become one picture, side by side
  const photos = photosOf(next);
  const key = photos.join("+");
  if (shown.images[key]) return;
  if (photos.length === 1) { shown.images[key] = photoAddress(key); return; }
  const images = await Promise.all(photos.map(loaded));
  const side = Math.max(...images.map((image) => image.naturalWidth));
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * side, height: side });
  const pen = canvas.getContext("2d");
  images.forEach((image, i) => pen.drawImage(image, i * side, 0, side, side));
  pen.fillStyle = "#fff";
  pen.fillRect(side - side / 150, 0, side / 75, side);
  shown.images[key] = canvas.toDataURL();
}

async function loaded(photo) {
  const image = new Image();
  image.src = photoAddress(photo);
  await image.decode();
  return image;
}

export function showShell() {
  for (const button of find(".shows").children) {
    const chosen = button.dataset.show === state.show;
    button.setAttribute("aria-checked", chosen);
    button.tabIndex = chosen ? 0 : -1;
  }
  for (const name of [".strip", ".hint"]) find(name).hidden = state.show in sections || state.show === "plane";
  const strip = find(".strip");
  about.photos.forEach((photo, i) => {
    const button = strip.children[i] || thumbnail(strip, photo);
    button.classList.toggle("shown", photo.id === state.photo);
    button.classList.toggle("second", photo.id === state.beside);
    button.setAttribute("aria-pressed", photo.id === state.photo || photo.id === state.beside);
  });
}

function thumbnail(strip, photo) {
  const button = add(strip, "button", { type: "button", title: photo.label, "aria-label": photo.label });
  add(button, "img", { src: photoAddress(photo.id), alt: "", draggable: "false" });
  button.addEventListener("click", (event) => {
    say("");
    if (!event.shiftKey) return change({ ...state, photo: photo.id, side: "a" });
    const again = photo.id === state.beside;
    return change({ ...state, beside: again ? "" : photo.id, side: "a" });
  });
  return button;
}

function moveShow(event) { // as radio buttons are used by keys
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const shows = showsOf(about);
  const next = shows[(shows.indexOf(state.show) + step + shows.length) % shows.length];
  change({ ...state, show: next });
  find(`[data-show=${next}]`).focus();
}

export function say(sentence) {
  const alert = find(".alert");
  alert.textContent = sentence;
  alert.hidden = !sentence;
}

start().catch((error) => say(error.message));
