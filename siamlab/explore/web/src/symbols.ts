// Symbols: the colours and shapes of classes.

import { shape } from "./shapes";

export const HUES = [
  "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#999999",
];
export const COLOURS = HUES.slice(0, 7); // of classes; then the shapes change
export const SHAPES = ["circle", "square", "triangle", "diamond"];
const GREY = "#888888"; // of images without a label

export function colourOf(label: number): string {
  return label < 0 ? GREY : COLOURS[label % COLOURS.length];
}

export function symbolPath(label: number, x: number, y: number, r: number): string {
  const kind = SHAPES[label < 0 ? 0 : Math.floor(label / COLOURS.length) % SHAPES.length];
  if (kind === "square") return `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`;
  if (kind === "triangle") return `M${x} ${y - r}l${r} ${1.8 * r}h${-2 * r}z`;
  if (kind === "diamond") return `M${x} ${y - r}l${r} ${r}l${-r} ${r}l${-r} ${-r}z`;
  return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
}

export function symbolOf(parent: Element, label: number): void {
  const svg = shape(parent, "svg", { viewBox: "-8 -8 16 16", width: 14, height: 14 });
  shape(svg, "path", { d: symbolPath(label, 0, 0, 6), fill: colourOf(label) });
}
