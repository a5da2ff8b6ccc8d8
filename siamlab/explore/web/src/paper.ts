// Paper: as much of a document as drawings need, where there is no browser.

const UNWRITABLE = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu; // in XML
const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escaped(text: unknown): string {
  return String(text).replace(UNWRITABLE, "\ufffd").replace(/[&<>"]/g, (letter) => ENTITIES[letter]);
}

export class Element {
  name: string;
  attributes = new Map<string, string>();
  children: Element[] = [];
  textContent = "";

  constructor(name: string) {
    this.name = name;
  }

  setAttribute(name: string, value: string | number) {
    const text = typeof value === "number" ? String(Number(value.toFixed(4))) : value;
    this.attributes.set(name, text);
  }

  appendChild(child: Element): Element {
    this.children.push(child);
    return child;
  }

  toString(): string { // joined at once: engines hand over no text that is still in pieces
    const attributes = [...this.attributes].map(([name, value]) => ` ${name}="${escaped(value)}"`);
    const inner = [escaped(this.textContent), ...this.children];
    return ["<", this.name, ...attributes, ">", ...inner, "</", this.name, ">"].join("");
  }
}

export const paper = { createElementNS: (_: string, name: string) => new Element(name) };
