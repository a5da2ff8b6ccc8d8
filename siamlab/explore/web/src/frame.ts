// Frame: the elements of view.html around the panels.

import type { Section, Show } from "./facts";

export const page = document.body;
export const find = (selector: string) => page.querySelector(selector) as HTMLElement; // view.html has it
export const main = find("#explorer");
export const sections: Record<Section, HTMLElement> = { map: find("#map"), matches: find("#matches") };

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
