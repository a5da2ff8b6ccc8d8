// Lines: the words of a text on the page, each line where it stands.

import { penOf } from "./elements";
import { shape } from "./shapes";

interface Line { // letters of a text, from one to another
  left: number;
  top: number;
  index: number;
  end: number;
}

// As SVG, however lines are broken.
export function writeLines(into: Element, node: Text, style: CSSStyleDeclaration): void {
  const range = document.createRange();
  let line: Line | null = null;
  for (const { index, 0: letter } of node.data.matchAll(/[^\s\u200b]/gu)) {
    range.setStart(node, index);
    range.setEnd(node, index + letter.length);
    const { left, top } = range.getBoundingClientRect();
    if (line && Math.abs(top - line.top) < 2) line.end = index + letter.length;
    else {
      if (line) writeLine(into, node, line, style);
      line = { left, top, index, end: index + letter.length };
    }
  }
  if (line) writeLine(into, node, line, style);
}

function writeLine(into: Element, node: Text, line: Line, style: CSSStyleDeclaration): void {
  const pen = penOf(document.createElement("canvas"));
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  const y = line.top + pen.measureText("x").fontBoundingBoxAscent;
  const look = { "font-family": style.fontFamily, "font-size": style.fontSize,
    "font-weight": style.fontWeight, "text-decoration": style.textDecorationLine };
  const words = node.data.slice(line.index, line.end).replace(/\u200b/g, "").replace(/\s+/g, " ");
  shape(into, "text", { x: line.left, y, fill: style.color, ...look }).textContent = words;
}
