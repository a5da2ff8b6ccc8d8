// Heat: colours of values on a panel, their scale, and the value under the pointer.

import { draw } from "./drawing";
import { add, penOf, tell } from "./elements";
import { patchAt } from "./places";
import type { Levels, Point, Scale, Shaded, Values, View } from "./scene";

type Shade = [red: number, green: number, blue: number];
type Table = number[][]; // of every level: red, green, blue and opacity

export const OPACITY = 0.75; // of the strongest heat; that of 0 is 0; as in figure/heat.py
// The grey picture below heat, as the filter in panels.css makes it: what red, green and blue add,
// and what is there without them, a share of white.
export const GREY = { shares: [0.2126, 0.7152, 0.0722].map((share) => 0.857 * share), least: 0.143 };

export function paint({ panel, heat: canvas, colours }: View, stops: string[]): void {
  const { heat } = panel;
  canvas.hidden = !heat;
  if (!heat) return;
  const [rows, columns] = heat.grid;
  Object.assign(canvas, { width: columns, height: rows });
  const pixels = new ImageData(columns, rows);
  if (heat.rgba) pixels.data.set(heat.rgba);
  else if (colours) shadeLevels(pixels.data, levelsOf(heat, colours.bound), tableOf(stops));
  penOf(canvas).putImageData(pixels, 0, 0);
}

type Level = Pick<Levels, "levels" | "values"> | Pick<Values, "levels" | "values">;

export function levelsOf(heat: Level, bound: number): Uint8Array { // as in scene.py
  if (heat.levels !== undefined) return bytesOf(heat.levels);
  return Uint8Array.from(heat.values, (value) => (Number.isFinite(value)
    ? 128 + Math.round(127 * Math.min(1, Math.max(-1, value / bound))) : 0));
}

export function bytesOf(text: string): Uint8Array { // of base64
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function shadeLevels(data: Uint8ClampedArray, levels: Uint8Array, table: Table): void {
  levels.forEach((level, i) => {
    if (level > 0) data.set(table[level], 4 * i); // a missing value is transparent
  });
}

const TABLES = new Map<string, Table>(); // by stops

export function tableOf(stops: string[]): Table {
  const key = stops.join();
  const known = TABLES.get(key);
  if (known) return known;
  const made = [...Array(256).keys()].map((level) => {
    const opacity = 255 * OPACITY * Math.abs(level - 128) / 127; // nothing at 0
    return [...shade(stops, (level - 1) / 254), opacity];
  });
  TABLES.set(key, made);
  return made;
}

export function shade(stops: string[], share: number): Shade {
  const place = Math.max(0, share) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const [a, b] = [stops[low], stops[low + 1]].map((stop) => (stop.match(/\d+/g) ?? []).map(Number));
  return a.map((value, i) => Math.round(value + (b[i] - value) * (place - low))) as Shade;
}

// Below its picture; small pictures have only the value.
export function showScale(view: View, stops: string[], wide: boolean): void {
  const { scale, colours } = view;
  const shown = JSON.stringify([colours, wide]);
  if (scale.dataset.shown !== shown) makeScale(scale, colours, stops, wide);
  scale.dataset.shown = shown;
  const output = scale.querySelector("output");
  if (output && colours) tell(output, wide ? colours.title : "");
}

function makeScale(scale: HTMLElement, colours: View["colours"], stops: string[], wide: boolean): void {
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
  add(scale, "output");
}

// The value at a place, and where places are shared the patch there.
export function pointAt(view: View, at: Point | null): void {
  const { panel, colours, scale, linked } = view;
  const output = scale.querySelector("output");
  const patch = at && panel.heat ? patchAt(panel.heat.grid, ...at) : null;
  const pointed = linked && !panel.hovers ? patch : null;
  if (view.pointed !== pointed) {
    view.pointed = pointed;
    draw(view);
  }
  if (!panel.heat || panel.heat.rgba || !colours || !output) return;
  const value = patch === null ? "" : valueText(panel.heat, colours, patch);
  const wide = scale.childElementCount > 1;
  tell(output, wide || value ? colours.title + value : "");
}

function valueText({ values, levels }: Shaded, colours: Scale, patch: number): string {
  if (values) return Number.isFinite(values[patch]) ? ` ${numberText(values[patch])}` : "";
  const level = atob(levels).charCodeAt(patch);
  const most = colours.open && level === 255 ? "≥ " : ""; // larger values have the same level
  return level ? ` ${most}${numberText(colours.bound * (level - 128) / 127)}` : "";
}

export function numberText(value: number): string {
  return String(Number(value.toPrecision(2))).replace("-", "−");
}
