// Address: the link of the state as the address of the page, and on the clipboard.

import { find, say } from "./frame";
import { linkOf } from "./link";
import type { Links } from "./shell";
import { about, state } from "./store";

export const address: Links = {
  read: () => location.hash,
  write: (link) => history.replaceState(null, "", link || location.pathname),
  follow: (call) => window.addEventListener("hashchange", call),
};

export async function copyLink(): Promise<void> {
  address.write(linkOf(about, state));
  const button = find("[data-does=link]");
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy link"; }, 1500);
  } catch { // not allowed to use the clipboard
    say(`Copy the address of this page: ${location.href}`);
  }
}
