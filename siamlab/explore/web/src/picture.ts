// Picture: a part of the page as SVG: words and marks as they are, photographs as pixels within.

import { marksOf } from "./scatter";
import { atlas, board } from "./sections";
import { shape, SVG } from "./shapes";
import { main, state } from "./shell";

const EDGE = 16; // pixels around
const SHARP = 2; // pixels of a PNG for one of the page
const SVG_STYLE = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-size", "text-anchor",
  "font-family", "font-weight", "paint-order", "opacity", "fill-opacity"];
const CLEAR = "rgba(0, 0, 0, 0)";

// SVG of an element; `scatters`: canvas -> its marks; `sheet`: the picture that tiles are parts of.
async function svgOf(root, scatters = new Map(), sheet = null) {
  await Promise.all([...root.querySelectorAll("img[src]")].map((image) => image.decode()));
  const area = root.getBoundingClientRect();
  const [width, height] = [area.width + 2 * EDGE, area.height + 2 * EDGE];
  const paper = getComputedStyle(document.body).backgroundColor;
  const svg = shape(document.createElement("div"), "svg", { xmlns: SVG, width, height,
    viewBox: `${area.left - EDGE} ${area.top - EDGE} ${width} ${height}` });
  const sink = { svg, defs: shape(svg, "defs", {}), kept: new Map(), scatters, sheet };
  shape(svg, "rect", { x: area.left - EDGE, y: area.top - EDGE, width, height, fill: paper });
  copyInto(sink, svg, root);
  return new XMLSerializer().serializeToString(svg);
}

export async function savePicture(kind) {
  const map = state.show === "map";
  const marks = map ? atlas.views.map((view) => [view.canvas, marksOf(view, atlas)]) : [];
  const root = { map: atlas?.drawn, matches: board?.drawn }[state.show] || main.querySelector(".panels");
  const svg = await svgOf(root, new Map(marks), map ? atlas.sheet : null);
  const file = kind === "png" ? await pixelsOf(svg) : new Blob([svg], { type: "image/svg+xml" });
  const href = URL.createObjectURL(file);
  Object.assign(document.createElement("a"), { href, download: `siamlab-view.${kind}` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
}

async function pixelsOf(text) { // the same as PNG
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
  await image.decode();
  const size = { width: SHARP * image.naturalWidth, height: SHARP * image.naturalHeight };
  const canvas = Object.assign(document.createElement("canvas"), size);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => { canvas.toBlob(done, "image/png"); });
}

function copyInto(sink, into, element) {
  const style = getComputedStyle(element);
  const area = element.getBoundingClientRect();
  if (style.display === "none" || "screen" in element.dataset) return;
  const group = style.opacity === "1" ? into : shape(into, "g", { opacity: style.opacity });
  const kind = element.tagName.toLowerCase();
  if (kind === "svg") return copySvg(group, element, area);
  if (area.width > 0) copyBox(sink, group, style, area);
  if (kind === "img") return copyImage(sink, group, element, area);
  if (kind === "canvas") return copyCanvas(sink, group, element, area);
  const inner = style.overflowY === "visible" ? group : cutTo(group, area);
  for (const child of element.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) writeLines(inner, child, style);
    else if (child.nodeType === Node.ELEMENT_NODE) copyInto(sink, inner, child);
  }
}

function cutTo(into, { left: x, top: y, width, height }) {
  return shape(into, "svg", { x, y, width, height, viewBox: `${x} ${y} ${width} ${height}` });
}

function copyBox(sink, into, style, area) { // its colours, its border, and the image behind it
  const { left: x, top: y, width, height } = area;
  const edge = parseFloat(style.borderTopWidth);
  if (style.backgroundColor !== CLEAR) {
    shape(into, "rect", { x, y, width, height, fill: style.backgroundColor });
  }
  if (style.backgroundImage.startsWith("linear")) copyScale(sink, into, style, area);
  if (style.backgroundImage.startsWith("url")) {
    const [left, top] = style.backgroundPosition.match(/\d+/g).map(Number);
    copyTile(sink, into, [left, top, width - 2 * edge], [x + edge, y + edge, width - 2 * edge]);
  }
  if (edge > 0) {
    const inner = { x: x + edge / 2, y: y + edge / 2, width: width - edge, height: height - edge };
    shape(into, "rect", { ...inner, fill: "none", stroke: style.borderTopColor, "stroke-width": edge });
  } else if (parseFloat(style.borderBottomWidth) > 0) {
    shape(into, "path", { d: `M${x} ${y + height}h${width}`, stroke: style.borderBottomColor });
  }
}

function copyScale(sink, into, style, { left: x, top: y, width, height }) {
  const id = `scale-${sink.defs.childElementCount}`;
  const gradient = shape(sink.defs, "linearGradient", { id });
  const colours = style.backgroundImage.match(/rgba?\([^)]*\)/g);
  colours.forEach((colour, i) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g);
    shape(gradient, "stop", { offset: i / (colours.length - 1), "stop-color": `rgb(${r},${g},${b})`, "stop-opacity": a });
  });
  shape(into, "rect", { x, y, width, height, fill: "#fff" });
  shape(into, "rect", { x, y, width, height, fill: `url(#${id})` });
}

function held(sink, key, make, size) { // one copy of each photograph, however often it is shown
  if (!sink.kept.has(key)) {
    const id = `image-${sink.kept.size}`;
    shape(sink.defs, "image", { id, href: make(), preserveAspectRatio: "none", ...size });
    sink.kept.set(key, id);
  }
  return `#${sink.kept.get(key)}`;
}

function copyTile(sink, into, [left, top, side], [x, y, size]) {
  const { naturalWidth: width, naturalHeight: height } = sink.sheet;
  const part = shape(into, "svg", { x, y, width: size, height: size, viewBox: `${left} ${top} ${side} ${side}` });
  const href = held(sink, "sheet", () => copied(sink.sheet).toDataURL("image/jpeg", 0.9), { width, height });
  shape(part, "use", { href });
}

function copyImage(sink, into, image, { left: x, top: y, width, height }) {
  const grey = getComputedStyle(image).filter !== "none";
  const make = () => (grey ? greyed(image) : copied(image)).toDataURL();
  const href = held(sink, `${image.src} ${grey}`, make, { width: 1, height: 1 });
  shape(into, "use", { href, transform: `translate(${x} ${y}) scale(${width} ${height})` });
}

function copied(image) { // for reading: the page's own canvases are for drawing
  const size = { width: image.naturalWidth || image.width, height: image.naturalHeight || image.height };
  const canvas = Object.assign(document.createElement("canvas"), size);
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(image, 0, 0);
  return canvas;
}

function greyed(image) { // as the style sheet does it
  const canvas = copied(image);
  const pen = canvas.getContext("2d");
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const [r, g, b] = pixels.data.subarray(i, i + 3);
    pixels.data.fill(0.857 * (0.2126 * r + 0.7152 * g + 0.0722 * b) + 36.5, i, i + 3);
  }
  pen.putImageData(pixels, 0, 0);
  return canvas;
}

function copyCanvas(sink, into, canvas, { left, top, width, height }) { // patches or points
  const marks = sink.scatters.get(canvas);
  if (marks) return copyMarks(sink, into, marks, [left + canvas.clientLeft, top + canvas.clientTop]);
  const [columns, rows] = [canvas.width, canvas.height];
  const { data } = copied(canvas).getContext("2d").getImageData(0, 0, columns, rows);
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

function copyMarks(sink, into, marks, [left, top]) {
  const all = shape(into, "g", { transform: `translate(${left} ${top})` });
  for (const mark of marks) {
    if ("tile" in mark) {
      copyTile(sink, all, mark.from, [mark.left, mark.top, mark.size]);
    } else {
      shape(all, "path", { d: mark.d, fill: mark.fill, stroke: mark.stroke, "stroke-width": mark.width ?? 0,
        opacity: mark.alpha ?? 1, "fill-opacity": mark.shade ?? 1, "stroke-dasharray": (mark.dash || []).join(" ") });
    }
  }
}

function copySvg(into, svg, { left: x, top: y, width, height }) { // needs no style sheet
  const copy = svg.cloneNode(true);
  const [own, clones] = [svg, copy].map((each) => each.querySelectorAll("*"));
  own.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of SVG_STYLE) clones[i].style.setProperty(name, style.getPropertyValue(name));
    if (style.vectorEffect === "non-scaling-stroke") thicken(clones[i].style, svg.viewBox.baseVal.width / width);
  });
  Object.entries({ x, y, width, height, overflow: "visible" }).forEach((pair) => copy.setAttribute(...pair));
  into.appendChild(copy);
}

function thicken(style, scale) { // lines of that many pixels of the page, which few programs know
  for (const name of ["stroke-width", "stroke-dasharray"]) {
    const scaled = style.getPropertyValue(name).replace(/[\d.]+(px)?/g, (number) => scale * parseFloat(number));
    style.setProperty(name, scaled);
  }
}

function writeLines(into, node, style) { // each line where it stands, however it is broken
  const range = document.createRange();
  let line = null;
  for (const { index, 0: letter } of node.data.matchAll(/[^\s\u200b]/gu)) {
    range.setStart(node, index);
    range.setEnd(node, index + letter.length);
    const { left, top } = range.getBoundingClientRect();
    if (line && Math.abs(top - line.top) < 2) line.end = index + letter.length;
    else { writeLine(into, node, line, style); line = { left, top, index, end: index + letter.length }; }
  }
  writeLine(into, node, line, style);
}

function writeLine(into, node, line, style) {
  if (!line) return;
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  const y = line.top + pen.measureText("x").fontBoundingBoxAscent;
  const look = { "font-family": style.fontFamily, "font-size": style.fontSize,
    "font-weight": style.fontWeight, "text-decoration": style.textDecorationLine };
  const words = node.data.slice(line.index, line.end).replace(/\u200b/g, "").replace(/\s+/g, " ");
  shape(into, "text", { x: line.left, y, fill: style.color, ...look }).textContent = words;
}
