// Page: an exported explorer, whose data page.py has written into it.

import { mountAlone } from "./alone";

function find(selector: string): HTMLElement {
  return document.querySelector(selector) as HTMLElement; // page.html has it
}

const answers = JSON.parse(find("#data").textContent ?? "");
Object.assign(window, { shown: mountAlone(answers, find("#explorer"), window) });
