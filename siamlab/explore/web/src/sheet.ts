// Sheet: a scene as one SVG, for pictures that are made where there is no browser: the text, the
// panels in columns below it (above it if they begin with a chart, as on a page), then legend and
// colour scales. Marks and charts are those of the page.

import { GREY, levelsOf, numberText, OPACITY, shade, tableOf } from "./heat";
import { drawMark, drawPanel } from "./marks";
import { paper } from "./paper";
import type { Grid, Panel, Scale, Scene, Shaded } from "./scene";
import { setAll, shape, SVG, UNIT, WIDE, type Attributes } from "./shapes";
import looks from "../shapes.css";
import { broken, textWidth, wrapped } from "./words";

const WIDTH = 776; // pixels, as all lengths below
const GAP = 14;
const TITLE = 24; // from the first line of a title to the picture
const LINE = 18;
const SIGN = 18; // side of a mark in the legend
const STRIP = 80; // length of a colour scale
const WORDS = 11.5; // size of letters; that of the text is one more
const COLOURS: Record<string, string> = { "--ink": "#1f2328", "--line": "#9aa0a6", "--paper": "#ffffff" };
const INK = COLOURS["--ink"];
const LETTERS = "DejaVu Sans, sans-serif";

Object.assign(globalThis, { document: paper, drawn: (json: string) => draw(JSON.parse(json)) });

type Images = Record<string, { href: string; width: number; height: number }>; // by key

interface Sheet {
  svg: SVGElement;
  scene: Scene;
  images: Images;
  looks: Map<string, string>; // scale of drawings -> the name of its style
  used: Map<string, string>; // key of an image -> its address in the sheet
}

// SVG of a scene.
function draw([scene, images]: [Scene, Images]): string {
  const svg = document.createElementNS(SVG, "svg"); // of paper.ts, as all drawings below
  const defs = shape(svg, "defs", {});
  const sheet: Sheet = { svg, scene, images, looks: new Map(), used: defineImages(defs, images) };
  const settings = scene.controls.map(({ label, value, shown }) => `${label}: ${shown ?? value}`).join(" · ");
  const text = scene.text.split("\n");
  const [above, between] = scene.panels[0]?.chart ? [[settings], text] : [[...text, settings], []]; // as on a page
  const background = shape(svg, "rect", { width: WIDTH, fill: COLOURS["--paper"] });
  const rows = drawRows(sheet, drawWords(sheet, above, GAP) + 6);
  const below = between.length > 0 ? drawWords(sheet, between, rows) + 6 : rows;
  const height = drawFoot(sheet, below) + GAP;
  setAll(background, { height });
  const styles = [...sheet.looks].map(([scale, name]) => scaled(Number(scale), name));
  shape(defs, "style", {}).textContent = styles.join("\n");
  const viewBox = `0 0 ${WIDTH} ${height}`;
  setAll(svg, { xmlns: SVG, width: WIDTH, height, viewBox, "font-family": LETTERS });
  return svg.toString();
}

function drawWords({ svg }: Sheet, parts: string[], top: number): number { // the bottom of the last line
  const lines = parts.flatMap((part) => wrapped(part, WIDTH - 2 * GAP, WORDS + 1));
  lines.forEach((line, i) => write(svg, line, GAP, top + (i + 0.8) * LINE, WORDS + 1));
  return top + lines.length * LINE;
}

function defineImages(defs: Element, images: Images): Map<string, string> {
  const matrix = [...[1, 2, 3].flatMap(() => [...GREY.shares, 0, GREY.least]), 0, 0, 0, 1, 0].join(" ");
  const grey = shape(defs, "filter", { id: "grey", x: 0, y: 0, width: 1, height: 1,
    "color-interpolation-filters": "sRGB" });
  shape(grey, "feColorMatrix", { type: "matrix", values: matrix });
  return new Map(Object.entries(images).map(([key, { href }], i) => {
    const id = `image-${i}`;
    shape(defs, "image", { id, href, width: 1, height: 1, preserveAspectRatio: "none",
      style: "image-rendering: pixelated" });
    return [key, `#${id}`];
  }));
}

function drawRows(sheet: Sheet, top: number): number { // the bottom of the last one
  const unit = Math.floor((WIDTH - GAP) / sheet.scene.columns);
  for (const row of rowsOf(sheet.scene)) {
    const places = row.map((panel) => {
      const width = unit * panel.span - GAP;
      const high = width * ratioOf(panel, sheet.images);
      return { panel, width, high, lines: broken(panel.title, width, WORDS) };
    });
    const most = Math.max(...places.map(({ lines }) => lines.length));
    const picture = top + TITLE + LINE * (most - 1);
    let left = GAP;
    for (const { panel, width, lines } of places) { // titles of a row end at their pictures
      lines.forEach((line, i) => write(sheet.svg, line, left, picture - 9 - LINE * (lines.length - 1 - i)));
      drawOne(sheet, panel, left, picture, width);
      left += width + GAP;
    }
    top = picture + Math.max(...places.map(({ high }) => high)) + GAP;
  }
  return top;
}

function rowsOf({ panels, columns }: Scene): Panel[][] { // as CSS grid places panels
  const rows: Panel[][] = [[]];
  let used = 0;
  for (const panel of panels) {
    if (used + panel.span > columns && used > 0) { rows.push([]); used = 0; }
    rows[rows.length - 1].push(panel);
    used += panel.span;
  }
  return rows;
}

function ratioOf(panel: Panel, images: Images): number {
  return panel.chart ? WIDE.ratio : images[panel.image].height / images[panel.image].width;
}

function drawOne(sheet: Sheet, panel: Panel, left: number, top: number, width: number): void {
  const { svg, scene, used, images } = sheet;
  const ratio = ratioOf(panel, images);
  const high = width * ratio;
  if (!panel.chart) {
    const place = { transform: `translate(${left} ${top}) scale(${width} ${high})` };
    const filter: Attributes = panel.heat ? { filter: "url(#grey)" } : {};
    shape(svg, "use", { href: used.get(panel.image) ?? "", ...place, ...filter });
    if (panel.heat) {
      const faint: Attributes = scene.opacity === undefined ? {} : { opacity: scene.opacity };
      const group = shape(svg, "g", { ...place, ...faint, "shape-rendering": "crispEdges" });
      drawPatches(group, panel.heat.grid, panel.heat.rgba ? quarters(panel.heat.rgba)
        : shadesOf(panel.heat, scene));
    }
  }
  const still = panel.boxes.map((box) => ({ ...box, movable: false })); // nothing to hold on to
  const chosen = panel.chart ? panel.chart.chosen : [];
  drawPanel({ svg: layer(sheet, left, top, width / UNIT), panel: { ...panel, boxes: still }, ratio,
    chosen, symbols: scene.symbols, cursor: 0 });
  if (panel.chosen) {
    const outline = { x: left - 2.5, y: top - 2.5, width: width + 5, height: high + 5 };
    shape(svg, "rect", { ...outline, fill: "none", stroke: "#0072b2", "stroke-width": 3 });
  }
}

// Red, green, blue and opacity of each patch; level 0 is missing.
function shadesOf(heat: Shaded, { scales, stops }: Scene): number[][] {
  const table = tableOf(stops);
  const levels = levelsOf(heat, scales[heat.scale].bound);
  return Array.from(levels, (level) => (level === 0 ? [0, 0, 0, 0] : table[level]));
}

function quarters(bytes: ArrayLike<number>): number[][] {
  const all = Array.from(bytes);
  return [...Array(all.length / 4).keys()].map((i) => all.slice(4 * i, 4 * i + 4));
}

// Each patch a square of a picture of side 1.
function drawPatches(group: Element, [rows, columns]: Grid, shades: number[][]): void {
  const size = { width: 1 / columns, height: 1 / rows };
  shades.forEach(([r, g, b, opacity], i) => {
    if (opacity === 0) return;
    shape(group, "rect", { x: (i % columns) / columns, y: Math.floor(i / columns) / rows, ...size,
      fill: `rgb(${r},${g},${b})`, "fill-opacity": (opacity / 255).toFixed(3) });
  });
}

interface Sign { // of the legend
  kind: string;
  meaning: string;
  room: number;
}

interface Ruler { // a colour scale
  scale: Scale;
  low: string;
  high: string;
  room: number;
}

function drawFoot(sheet: Sheet, top: number): number { // the bottom of the last line
  const { svg, scene } = sheet;
  const signs = scene.legend.map(([kind, meaning]): Sign => (
    { kind, meaning, room: textWidth(meaning, WORDS) + 44 }));
  const scales = Object.values(scene.scales).map((scale): Ruler => {
    const low = `${scale.title}: ${numberText(scale.low)}`;
    const high = `${scale.open ? "≥ " : ""}${numberText(scale.high)}`;
    return { scale, low, high, room: textWidth(low + high, WORDS) + STRIP + 36 };
  });
  let left = GAP;
  for (const entry of [...signs, ...scales]) {
    if (left + entry.room > WIDTH && left > GAP) { left = GAP; top += LINE + 6; }
    if ("kind" in entry) drawSign(sheet, entry, left, top);
    else drawScale(svg, entry, left, top, scene.stops);
    left += entry.room;
  }
  return signs.length + scales.length > 0 ? top + LINE + 6 : top;
}

// A mark as on panels, and what it stands for.
function drawSign(sheet: Sheet, { kind, meaning }: Sign, left: number, top: number): void {
  const group = layer(sheet, left + SIGN / 2, top + SIGN / 2, SIGN / 80);
  drawMark(group, { kind, x: 0, y: 0, text: "2" }, 1, { width: 56, height: 56 });
  write(sheet.svg, meaning, left + SIGN + 6, top + 13.5);
}

function drawScale(
  svg: Element, { scale, low, high }: Ruler, left: number, top: number, stops: string[],
): void {
  write(svg, low, left, top + 13.5);
  const start = left + textWidth(low, WORDS) + 6;
  const steps = 40;
  for (let i = 0; i < steps; i++) {
    const share = (scale.low + (i + 0.5) / steps * (scale.high - scale.low)) / scale.bound;
    shape(svg, "rect", { x: start + i * STRIP / steps, y: top + 3, width: STRIP / steps, height: 12,
      fill: `rgb(${shade(stops, (share + 1) / 2).join(",")})`, "shape-rendering": "crispEdges",
      "fill-opacity": (OPACITY * Math.abs(share)).toFixed(3) });
  }
  const frame = { x: start, y: top + 3, width: STRIP, height: 12 };
  shape(svg, "rect", { ...frame, fill: "none", stroke: COLOURS["--line"] });
  write(svg, high, start + STRIP + 6, top + 13.5);
}

// A drawing whose lines are as wide as on the page.
function layer({ svg, looks }: Sheet, x: number, y: number, scale: number): SVGGElement {
  const key = scale.toFixed(5);
  const name = looks.get(key) ?? `s${looks.size}`;
  looks.set(key, name);
  return shape(svg, "g", { class: name, transform: `translate(${x} ${y}) scale(${key})` });
}

// The style sheet of drawings at a scale: few programs know lines that keep their width.
function scaled(scale: number, name: string): string {
  const widen = (declaration: string) => (/^stroke-(width|dasharray)/.test(declaration.trim())
    ? declaration.replace(/[\d.]+/g, (width) => (Number(width) / scale).toFixed(2)) : declaration);
  return looks.replace(/\/\*.*?\*\//gs, "").replace(/\.drawing/g, `.${name}`)
    .replace(/var\((--\w+)\)/g, (_, colour) => COLOURS[colour]).replace(/\s*vector-effect: [\w-]+;/g, "")
    .replace(/[^{;]+(?=;)/g, widen).trim();
}

function write(svg: Element, words: string, x: number, y: number, size = WORDS): void {
  shape(svg, "text", { x, y, "font-size": size, fill: INK }).textContent = words;
}
