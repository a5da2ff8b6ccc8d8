// Heat: colours of values on a panel, their scale, and the value under the pointer.

import { patchAt, place } from "./input";
import { add, draw } from "./panels";

export const OPACITY = 0.75; // of the strongest heat; the same as in scene.py

export function paint(view, stops) {
  const { panel, heat } = view;
  heat.hidden = !panel.heat;
  if (!panel.heat) return;
  const [rows, columns] = panel.heat.grid;
  Object.assign(heat, { width: columns, height: rows });
  const pixels = new ImageData(columns, rows);
  if (panel.heat.rgba) pixels.data.set(panel.heat.rgba);
  else shadeLevels(pixels.data, levelsOf(panel.heat, view.colours.bound), tableOf(stops));
  heat.getContext("2d").putImageData(pixels, 0, 0);
}

export function levelsOf({ levels, values }, bound) { // as in scene.py
  if (!values) return Uint8Array.from(atob(levels), (letter) => letter.charCodeAt(0));
  return Uint8Array.from(values, (value) => (Number.isFinite(value)
    ? 128 + Math.round(127 * Math.min(1, Math.max(-1, value / bound))) : 0));
}

function shadeLevels(data, levels, table) {
  levels.forEach((level, i) => {
    if (level > 0) data.set(table[level], 4 * i); // a missing value is transparent
  });
}

const TABLES = new Map(); // stops -> colour and opacity of every level

export function tableOf(stops) {
  const key = stops.join();
  if (!TABLES.has(key)) {
    TABLES.set(key, [...Array(256).keys()].map((level) => {
      const opacity = 255 * OPACITY * Math.abs(level - 128) / 127; // nothing at 0
      return [...shade(stops, (level - 1) / 254), opacity];
    }));
  }
  return TABLES.get(key);
}

export function shade(stops, share) {
  const place = Math.max(0, share) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const [a, b] = [stops[low], stops[low + 1]].map((stop) => stop.match(/\d+/g).map(Number));
  return a.map((value, i) => Math.round(value + (b[i] - value) * (place - low)));
}

export function showScale(view, stops, wide) { // below its picture; small pictures have only the value
  const { scale, colours } = view;
  scale.hidden = !colours;
  scale.replaceChildren();
  if (!colours) return;
  if (wide) {
    add(scale, "span", {}, numberText(colours.low));
    const bar = add(scale, "span", { class: "bar", role: "img", "aria-label": "colour scale" });
    const steps = [...Array(17).keys()].map((i) => colours.low + i / 16 * (colours.high - colours.low));
    const shades = steps.map((value) => {
      const share = value / colours.bound;
      return `rgb(${shade(stops, (share + 1) / 2).join(" ")} / ${OPACITY * Math.abs(share)})`;
    });
    bar.style.background = `linear-gradient(90deg, ${shades.join(", ")}), #fff`;
    add(scale, "span", {}, `${colours.open ? "≥ " : ""}${numberText(colours.high)}`);
  }
  add(scale, "output", {}, wide ? colours.title : "");
}

export function point(view, event, send) { // what is under the pointer, in all panels where they are linked
  const at = event && place(view, event);
  const { views, pointed } = view.all;
  if (view.linked) pointed.at = at;
  const over = at && view.panel.grid && patchAt(view.panel.grid, ...at);
  if (view.panel.hovers && (!event || event.pointerType === "mouse") && over !== view.over) {
    view.over = over;
    send({ panel: view.panel.id, hover: over });
    if (view.linked) return; // the answer may come later, and points then
  }
  for (const other of view.linked ? views.values() : [view]) pointAt(other, at);
}

export function pointAt(view, at) { // the value there, and where it is shared the patch
  const { panel, colours, scale, linked } = view;
  const output = scale.querySelector("output");
  const patch = at && panel.heat ? patchAt(panel.heat.grid, ...at) : null;
  const pointed = linked && !panel.hovers ? patch : null;
  if (view.pointed !== pointed) {
    view.pointed = pointed;
    draw(view);
  }
  if (!panel.heat || !colours || !output) return;
  const value = patch === null ? "" : valueText(panel.heat, colours, patch);
  const wide = scale.childElementCount > 1;
  output.textContent = wide || value ? colours.title + value : "";
}

function valueText({ values, levels }, colours, patch) {
  if (values) return Number.isFinite(values[patch]) ? ` ${numberText(values[patch])}` : "";
  const level = atob(levels).charCodeAt(patch);
  const most = colours.open && level === 255 ? "≥ " : ""; // larger values have the same level
  return level ? ` ${most}${numberText(colours.bound * (level - 128) / 127)}` : "";
}

export function numberText(value) {
  return String(Number(value.toPrecision(2))).replace("-", "−");
}
