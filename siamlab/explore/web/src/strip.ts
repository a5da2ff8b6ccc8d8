// Strip: the photographs of the page, and the buttons for what is shown of them.

import { add } from "./elements";
import type { Change, Photo, Show } from "./facts";
import { find, say } from "./frame";
import { state } from "./store";
import { photoAddress } from "source";

const MOVES: Record<string, number | undefined> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export function makeShows(shows: Show[], change: Change): void {
  for (const show of shows) {
    const button = add(find(".shows"), "button", { type: "button", role: "radio", "data-show": show }, show);
    button.addEventListener("click", () => change({ ...state, show }));
  }
  find(".shows").addEventListener("keydown", (event) => moveShow(event, shows, change));
}

// As radio buttons are used by keys.
function moveShow(event: KeyboardEvent, shows: Show[], change: Change): void {
  const step = MOVES[event.key];
  if (!step) return;
  event.preventDefault();
  const next = shows[(shows.indexOf(state.show) + step + shows.length) % shows.length];
  change({ ...state, show: next });
  find(`[data-show=${next}]`).focus();
}

export function showShows(show: Show): void {
  for (const button of find(".shows").querySelectorAll("button")) {
    const chosen = button.dataset.show === show;
    button.setAttribute("aria-checked", String(chosen));
    button.tabIndex = chosen ? 0 : -1;
  }
}

export function showStrip(photos: Photo[], change: Change): void {
  const strip = find(".strip");
  photos.forEach((photo, i) => {
    const button = strip.children[i] || thumbnail(strip, photo, change);
    button.classList.toggle("shown", photo.id === state.photo);
    button.classList.toggle("second", photo.id === state.beside);
    button.setAttribute("aria-pressed", String(photo.id === state.photo || photo.id === state.beside));
  });
}

function thumbnail(strip: Element, photo: Photo, change: Change): HTMLButtonElement {
  const title = photo.label ?? photo.name;
  const button = add(strip, "button", { type: "button", title, "aria-label": title });
  add(button, "img", { src: photoAddress(photo.id), alt: "", draggable: "false" });
  button.addEventListener("click", (event) => {
    say("");
    if (!event.shiftKey) return change({ ...state, photo: photo.id, side: "a" });
    const again = photo.id === state.beside;
    return change({ ...state, beside: again ? "" : photo.id, side: "a" });
  });
  return button;
}
