// Address: the link of the state as the address of the page, and on the clipboard.

import { find, say } from "./frame";
import { linkOf } from "./link";
import { about, state } from "./store";

const OFTEN = 250; // milliseconds between two changes of the link, at least

let linking: number;

export function keepLink(): void {
  clearTimeout(linking);
  linking = setTimeout(writeLink, OFTEN);
}

function writeLink(): void {
  history.replaceState(null, "", linkOf(about, state) || location.pathname);
}

export async function copyLink(): Promise<void> {
  writeLink();
  const button = find("[data-does=link]");
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy link"; }, 1500);
  } catch { // not allowed to use the clipboard
    say(`Copy the address of this page: ${location.href}`);
  }
}
