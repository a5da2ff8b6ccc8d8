// Frame: the elements of view.html around the panels, in a page of their own or in a notebook's cell.

import type { Section, Show } from "./facts";

export let page: HTMLElement; // which has the elements of view.html
export let around: EventTarget; // where keys and files of the page arrive
export let main: HTMLElement;
export let sections: Record<Section, HTMLElement>;

export const find = (selector: string) => page.querySelector(selector) as HTMLElement; // view.html has it

export function frameIn(root: HTMLElement, events: EventTarget): void {
  [page, around] = [root, events];
  main = find("#explorer");
  sections = { map: find("#map"), matches: find("#matches") };
}

export function isSection(show: Show): show is Section {
  return show in sections;
}

export function say(sentence: string): void {
  const alert = find(".alert");
  alert.textContent = sentence;
  alert.hidden = !sentence;
}

export function showPart(show: Show): void { // the panels, or one of the sections
  main.hidden = isSection(show);
  for (const [each, section] of Object.entries(sections)) section.hidden = each !== show;
}

export function setBusy(busy: boolean): void {
  for (const part of [main, ...Object.values(sections)]) part.classList.toggle("busy", busy);
}
