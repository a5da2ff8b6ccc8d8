// Verdicts: what the neighbours of images vote for: of the clicked one, and of those inside a line.

import { add } from "./elements";
import { tileOf, type Atlas, type MapView } from "./map";
import { colourOf, symbolOf } from "./symbols";

const MOST_TILES = 120; // images inside a line that are shown

function percent(part: number, of: number): string {
  return `${Math.round(100 * part / of)} %`;
}

// Of the image that is chosen; else how many are right in all.
export function showVerdict(view: MapView, atlas: Atlas): void {
  const { labels, classes, k } = atlas.about;
  const known = labels.filter((label) => label >= 0).length;
  const wrong = view.wrong.filter(Boolean).length;
  view.right.textContent = k ? `k-NN right: ${percent(known - wrong, known)}` : "";
  view.verdict.hidden = !view.votes || atlas.chosen < 0;
  if (!view.votes || atlas.chosen < 0) return;
  const label = labels[atlas.chosen];
  const { data, share } = view.votes;
  const voted = `${classes[data[atlas.chosen]]} with ${Math.round(100 * share[atlas.chosen])} % of the votes`;
  view.verdict.classList.toggle("wrong", view.wrong[atlas.chosen]);
  view.verdict.textContent = label < 0 ? `Voted ${voted}.`
    : `${classes[label]}, voted ${view.wrong[atlas.chosen] ? "" : "so "}` +
      (view.wrong[atlas.chosen] ? voted : voted.slice(classes[label].length + 1));
}

export function showNear(view: MapView, atlas: Atlas): void {
  const { near, found } = view;
  near.replaceChildren();
  if (atlas.chosen < 0) return;
  thumb(near, atlas, atlas.chosen, "itself", () => atlas.act.look(atlas.chosen));
  found.forEach(([j, cosine]) => thumb(near, atlas, j, cosine.toFixed(3), () => atlas.act.select(j)));
}

function thumb(parent: Element, atlas: Atlas, i: number, words: string, does: () => void): void {
  const { labels, classes } = atlas.about;
  const [left, top, side] = tileOf(atlas.about, i);
  const name = labels[i] < 0 ? "" : ` ${classes[labels[i]]}`;
  const title = words === "itself" ? `Look at image ${i}${name} patch by patch` : `image ${i}${name}`;
  const button = add(parent, "button", { type: "button", title, "aria-label": title });
  const picture = add(button, "span", { class: "tile" });
  picture.style.backgroundImage = "url(map/sheet)";
  picture.style.backgroundPosition = `${-left}px ${-top}px`;
  picture.style.width = picture.style.height = `${side}px`;
  picture.style.borderColor = colourOf(labels[i]);
  add(button, "span", {}, words);
  button.addEventListener("click", does);
}

// Beside the map: which classes the images inside the line are of, and the images.
export function showInside(atlas: Atlas): void {
  const { aside, inside, lasso, act, views } = atlas;
  aside.hidden = !lasso;
  aside.parentElement?.classList.toggle("split", Boolean(lasso));
  aside.replaceChildren();
  if (!lasso) return;
  const head = add(aside, "div", { class: "head" });
  const count = inside.size === 1 ? "1 image inside" : `${inside.size} images inside`;
  add(head, "strong", { role: "status" }, count);
  add(head, "button", { type: "button", name: "clear", class: "button", "data-screen": "" }, "Clear")
    .addEventListener("click", () => act.lasso(""));
  if (inside.size === 0) return;
  if (atlas.about.k) showCounts(add(aside, "table"), atlas);
  const order = [...inside].sort((a, b) => atlas.about.labels[a] - atlas.about.labels[b] || a - b);
  const tiles = add(aside, "div", { class: "near" });
  for (const i of order.slice(0, MOST_TILES)) {
    thumb(tiles, atlas, i, views[lasso.map].wrong[i] ? "✕" : "\u00a0", () => act.select(i));
  }
  const more = order.length - MOST_TILES;
  if (more > 0) add(aside, "p", {}, `and ${more} more`);
}

// Images of each class, and how many of them each k-NN gets right.
function showCounts(table: Element, atlas: Atlas): void {
  const { labels, classes } = atlas.about;
  const known = [...atlas.inside].filter((i) => labels[i] >= 0);
  const kinds = [...new Set(known.map((i) => labels[i]))].sort((a, b) => a - b);
  const of = (kind: number) => known.filter((i) => labels[i] === kind);
  add(table, "caption", {}, "Images of each class, and how many k-NN gets right in each model");
  const head = add(add(table, "thead"), "tr");
  for (const words of ["class", "images", ...atlas.views.map(({ model }) => model.name)]) {
    add(head, "th", { scope: "col" }, words.replace(/[:_/]/g, "$&\u200b")); // where it may break
  }
  const body = add(table, "tbody");
  const row = (images: number[], write: (cell: Element) => void) => {
    const line = add(body, "tr");
    write(add(line, "th", { scope: "row" }));
    add(line, "td", {}, String(images.length));
    for (const { wrong } of atlas.views) {
      add(line, "td", {}, String(images.filter((i) => !wrong[i]).length));
    }
  };
  for (const kind of kinds) {
    row(of(kind), (cell) => { symbolOf(cell, kind); add(cell, "span", {}, classes[kind]); });
  }
  if (kinds.length > 1) row(known, (cell) => { cell.textContent = "all"; });
}
