// Shapes: elements of SVG drawings, and their measures.

export const SVG = "http://www.w3.org/2000/svg";
export const UNIT = 1000; // width of every drawing
export const WIDE = { ratio: 0.75, left: 170, right: 30, top: 30, bottom: 120, row: 50 }; // of charts

export type Attributes = Record<string, string | number | boolean>;

export function shape<Name extends keyof SVGElementTagNameMap>(
  parent: Element, name: Name, attributes: Attributes,
): SVGElementTagNameMap[Name] {
  const made = document.createElementNS(SVG, name);
  setAll(made, attributes);
  parent.appendChild(made);
  return made;
}

export function setAll(element: Element, attributes: Attributes): void { // numbers as paper.ts writes them
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value as string);
}

export function write(svg: Element, words: string, x: number, y: number, kind: string): SVGTextElement {
  const made = shape(svg, "text", { x, y, class: kind });
  made.textContent = words;
  return made;
}
