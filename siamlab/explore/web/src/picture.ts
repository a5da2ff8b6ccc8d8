// Picture: a part of the page as SVG: words and marks as they are, photographs as pixels within.

import { penOf } from "./elements";
import { main, page } from "./frame";
import { GREY } from "./heat";
import { writeLines } from "./lines";
import type { Square } from "./map";
import { marksOf, type PointMark } from "./scatter";
import { atlas, board } from "./sections";
import { setAll, shape, SVG, type Attributes } from "./shapes";
import { state } from "./store";

const EDGE = 16; // pixels around
const SHARP = 2; // pixels of a PNG for one of the page
const SVG_STYLE = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-size", "text-anchor",
  "font-family", "font-weight", "paint-order", "opacity", "fill-opacity"];
const CLEAR = "rgba(0, 0, 0, 0)";

type Scatters = Map<Element, PointMark[]>; // by canvas
type Area = Pick<DOMRect, "left" | "top" | "width" | "height">;

interface Sink {
  svg: SVGSVGElement;
  defs: Element;
  kept: Map<string, string>; // of photographs: the names of their copies
  scatters: Scatters;
  sheet: HTMLImageElement | null; // the picture that tiles are parts of
}

async function svgOf(root: Element, scatters: Scatters, sheet: Sink["sheet"]): Promise<string> {
  const images = root.querySelectorAll<HTMLImageElement>("img[src]");
  await Promise.all([...images].map((image) => image.decode()));
  const area = root.getBoundingClientRect();
  const [width, height] = [area.width + 2 * EDGE, area.height + 2 * EDGE];
  const paper = getComputedStyle(page).backgroundColor;
  const svg = shape(document.createElement("div"), "svg", { xmlns: SVG, width, height,
    viewBox: `${area.left - EDGE} ${area.top - EDGE} ${width} ${height}` });
  const sink: Sink = { svg, defs: shape(svg, "defs", {}), kept: new Map(), scatters, sheet };
  shape(svg, "rect", { x: area.left - EDGE, y: area.top - EDGE, width, height, fill: paper });
  copyInto(sink, svg, root);
  return new XMLSerializer().serializeToString(svg);
}

export async function savePicture(kind: "png" | "svg"): Promise<void> {
  const map = state.show === "map" && atlas ? atlas : null;
  const marks: Scatters = new Map(map?.views.map((view) => [view.canvas, marksOf(view, map)]));
  const gallery = state.show === "matches" ? board?.drawn : null;
  const root = map?.drawn ?? gallery ?? main.querySelector(".panels");
  if (!root) return; // nothing is shown yet
  const svg = await svgOf(root, marks, map && map.sheet);
  const file = kind === "png" ? await pixelsOf(svg) : new Blob([svg], { type: "image/svg+xml" });
  const href = URL.createObjectURL(file);
  Object.assign(document.createElement("a"), { href, download: `siamlab-view.${kind}` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
}

async function pixelsOf(text: string): Promise<Blob> { // the same as PNG
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
  await image.decode();
  const size = { width: SHARP * image.naturalWidth, height: SHARP * image.naturalHeight };
  const canvas = Object.assign(document.createElement("canvas"), size);
  penOf(canvas).drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => {
    const tooLarge = new Error("The picture is too large for PNG; save SVG, or make the window smaller.");
    canvas.toBlob((file) => (file ? done(file) : failed(tooLarge)), "image/png");
  });
}

function copyInto(sink: Sink, into: Element, element: Element): void {
  const style = getComputedStyle(element);
  const area = element.getBoundingClientRect();
  if (style.display === "none" || element.hasAttribute("data-screen")) return;
  const group = style.opacity === "1" ? into : shape(into, "g", { opacity: style.opacity });
  if (element instanceof SVGSVGElement) return copySvg(group, element, area);
  if (area.width > 0) copyBox(sink, group, style, area);
  if (element instanceof HTMLImageElement) return copyImage(sink, group, element, area);
  if (element instanceof HTMLCanvasElement) return copyCanvas(sink, group, element, area);
  const inner = style.overflowY === "visible" ? group : cutTo(group, area);
  for (const child of element.childNodes) {
    if (child instanceof Text) writeLines(inner, child, style);
    else if (child instanceof Element) copyInto(sink, inner, child);
  }
}

function cutTo(into: Element, { left: x, top: y, width, height }: Area): Element {
  return shape(into, "svg", { x, y, width, height, viewBox: `${x} ${y} ${width} ${height}` });
}

// Its colours, its border, and the image behind it.
function copyBox(sink: Sink, into: Element, style: CSSStyleDeclaration, area: Area): void {
  const { left: x, top: y, width, height } = area;
  const edge = parseFloat(style.borderTopWidth);
  if (style.backgroundColor !== CLEAR) {
    shape(into, "rect", { x, y, width, height, fill: style.backgroundColor });
  }
  if (style.backgroundImage.startsWith("linear")) copyScale(sink, into, style, area);
  if (style.backgroundImage.startsWith("url")) {
    const [left, top] = numbersOf(style.backgroundPosition);
    copyTile(sink, into, [left, top, width - 2 * edge], [x + edge, y + edge, width - 2 * edge]);
  }
  if (edge > 0) {
    const inner = { x: x + edge / 2, y: y + edge / 2, width: width - edge, height: height - edge };
    shape(into, "rect", { ...inner, fill: "none", stroke: style.borderTopColor, "stroke-width": edge });
  } else if (parseFloat(style.borderBottomWidth) > 0) {
    shape(into, "path", { d: `M${x} ${y + height}h${width}`, stroke: style.borderBottomColor });
  }
}

function numbersOf(text: string): number[] {
  return (text.match(/[\d.]+/g) ?? []).map(Number);
}

function copyScale(
  sink: Sink, into: Element, style: CSSStyleDeclaration, { left: x, top: y, width, height }: Area,
): void {
  const id = `scale-${sink.defs.childElementCount}`;
  const gradient = shape(sink.defs, "linearGradient", { id });
  const colours = style.backgroundImage.match(/rgba?\([^)]*\)/g) ?? [];
  colours.forEach((colour, i) => {
    const [r, g, b, a = 1] = numbersOf(colour);
    const offset = i / (colours.length - 1);
    shape(gradient, "stop", { offset, "stop-color": `rgb(${r},${g},${b})`, "stop-opacity": a });
  });
  shape(into, "rect", { x, y, width, height, fill: "#fff" });
  shape(into, "rect", { x, y, width, height, fill: `url(#${id})` });
}

// One copy of each photograph, however often it is shown.
function held(sink: Sink, key: string, make: () => string, size: Attributes): string {
  if (!sink.kept.has(key)) {
    const id = `image-${sink.kept.size}`;
    shape(sink.defs, "image", { id, href: make(), preserveAspectRatio: "none", ...size });
    sink.kept.set(key, id);
  }
  return `#${sink.kept.get(key)}`;
}

function copyTile(sink: Sink, into: Element, [left, top, side]: Square, [x, y, size]: Square): void {
  const { sheet } = sink;
  if (!sheet) return;
  const viewBox = `${left} ${top} ${side} ${side}`;
  const part = shape(into, "svg", { x, y, width: size, height: size, viewBox });
  const href = held(sink, "sheet", () => copied(sheet).toDataURL("image/jpeg", 0.9),
    { width: sheet.naturalWidth, height: sheet.naturalHeight });
  shape(part, "use", { href });
}

function copyImage(
  sink: Sink, into: Element, image: HTMLImageElement, { left: x, top: y, width, height }: Area,
): void {
  const grey = getComputedStyle(image).filter !== "none";
  const make = () => (grey ? greyed(image) : copied(image)).toDataURL();
  const href = held(sink, `${image.src} ${grey}`, make, { width: 1, height: 1 });
  shape(into, "use", { href, transform: `translate(${x} ${y}) scale(${width} ${height})` });
}

// For reading: the page's own canvases are for drawing.
function copied(image: HTMLImageElement | HTMLCanvasElement): HTMLCanvasElement {
  const [width, height] = image instanceof HTMLImageElement
    ? [image.naturalWidth, image.naturalHeight] : [image.width, image.height];
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  penOf(canvas, { willReadFrequently: true }).drawImage(image, 0, 0);
  return canvas;
}

function greyed(image: HTMLImageElement): HTMLCanvasElement { // as the style sheet does it
  const canvas = copied(image);
  const pen = penOf(canvas);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
  const [red, green, blue] = GREY.shares;
  for (let i = 0; i < pixels.data.length; i += 4) {
    const [r, g, b] = pixels.data.subarray(i, i + 3);
    pixels.data.fill(red * r + green * g + blue * b + 255 * GREY.least, i, i + 3);
  }
  pen.putImageData(pixels, 0, 0);
  return canvas;
}

// Patches or points.
function copyCanvas(
  sink: Sink, into: Element, canvas: HTMLCanvasElement, { left, top, width, height }: Area,
): void {
  const marks = sink.scatters.get(canvas);
  if (marks) return copyMarks(sink, into, marks, [left + canvas.clientLeft, top + canvas.clientTop]);
  const [columns, rows] = [canvas.width, canvas.height];
  const { data } = penOf(copied(canvas)).getImageData(0, 0, columns, rows);
  const cells = shape(into, "g", { "shape-rendering": "crispEdges",
    transform: `translate(${left} ${top}) scale(${width / columns} ${height / rows})` });
  for (let i = 0; i < rows * columns; i++) {
    const [r, g, b, a] = data.subarray(4 * i, 4 * i + 4);
    if (a > 0) {
      shape(cells, "rect", { x: i % columns, y: Math.floor(i / columns), width: 1, height: 1,
        fill: `rgb(${r},${g},${b})`, "fill-opacity": (a / 255).toFixed(3) });
    }
  }
}

function copyMarks(sink: Sink, into: Element, marks: PointMark[], [left, top]: [number, number]): void {
  const all = shape(into, "g", { transform: `translate(${left} ${top})` });
  for (const mark of marks) {
    if ("tile" in mark) {
      copyTile(sink, all, mark.from, [mark.left, mark.top, mark.size]);
    } else {
      const { d, fill, stroke, width = 0, alpha = 1, shade = 1, dash = [] } = mark;
      shape(all, "path", { d, fill, stroke, "stroke-width": width, opacity: alpha, "fill-opacity": shade,
        "stroke-dasharray": dash.join(" ") });
    }
  }
}

// Needs no style sheet.
function copySvg(into: Element, svg: SVGSVGElement, { left: x, top: y, width, height }: Area): void {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const [own, clones] = [svg, copy].map((each) => each.querySelectorAll<SVGElement>("*"));
  own.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of SVG_STYLE) clones[i].style.setProperty(name, style.getPropertyValue(name));
    const wide = svg.viewBox.baseVal.width / width;
    if (style.vectorEffect === "non-scaling-stroke") thicken(clones[i].style, wide);
  });
  setAll(copy, { x, y, width, height, overflow: "visible" });
  into.appendChild(copy);
}

// Lines of that many pixels of the page, which few programs know.
function thicken(style: CSSStyleDeclaration, scale: number): void {
  for (const name of ["stroke-width", "stroke-dasharray"]) {
    const longer = (number: string) => String(scale * parseFloat(number));
    style.setProperty(name, style.getPropertyValue(name).replace(/[\d.]+(px)?/g, longer));
  }
}
