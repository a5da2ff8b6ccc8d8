// View cell: the page of `siamlab view` as a widget in a notebook. Each view of the widget has a page,
// and modules, of its own; they share the link of the state, which Python reads and sets.

import html from "../view.html";
import { add, sentenceOf } from "./elements";
import { frameIn, find, say } from "./frame";
import { taken } from "./files";
import { addFullScreen, keepKeys } from "./panels";
import { shown, start, type Links } from "./shell";
import { about } from "./store";
import { asked, connect, type Comm } from "./cell";

const HINT = "A click on a photograph opens it, Shift and a click puts it beside the other one; drop " +
  "or paste one of your own. Photographs go to the kernel of this notebook only.";

export async function render({ model, el }: { model: Comm; el: HTMLElement }): Promise<() => void> {
  const root = add(el, "div", { class: "siamlab-view siamlab-cell", tabindex: -1 });
  root.innerHTML = html.slice(html.indexOf("<header>"), html.indexOf("</body>"));
  frameIn(root, root);
  for (const name of ["h1", "[data-does=link]"]) find(name).remove();
  find(".hint").textContent = HINT;
  addFullScreen(find(".actions"), root);
  keepEvents(root);
  Object.assign(root, { shown });
  const disconnect = connect(model);
  const { links, leave } = linksOf(model);
  await start(links).catch((error: unknown) => say(sentenceOf(error)));
  return () => { disconnect(); leave(); };
}

function keepEvents(root: HTMLElement): void { // else JupyterLab takes them
  root.addEventListener("keydown", (event) => {
    keepKeys(event);
    if (event.key.toLowerCase() === "v") event.stopPropagation(); // pastes a photograph, not a cell
  });
  for (const kind of ["paste", "dragover", "dragleave", "drop"]) {
    root.addEventListener(kind, (event) => event.stopPropagation());
  }
}

function linksOf(model: Comm): { links: Links; leave: () => void } {
  let follow = async () => {};
  const write = (link: string) => {
    if (model.get("link") === link) return;
    model.set("link", link);
    model.save_changes();
  };
  const links: Links = { read: () => model.get("link"), write, follow: (call) => {
    follow = () => knowPhotos(model.get("link")).then(call, (error) => say(sentenceOf(error)));
    model.on("change:link", follow);
  } };
  return { links, leave: () => model.off("change:link", follow) };
}

// Another view, or Python, may name a photograph that came after this page was opened.
async function knowPhotos(link: string): Promise<void> {
  const words = new URLSearchParams(link.slice(1));
  const named = [words.get("photo"), words.get("beside")].filter(Boolean);
  if (named.every((id) => about.photos.some((photo) => photo.id === id))) return;
  for (const photo of (await asked("about")).photos) taken(photo);
}
