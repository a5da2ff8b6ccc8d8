// Paper words: as much of URLSearchParams as links need, where there is no browser.

const KEPT: Record<string, string> = { "%20": "+", "!": "%21", "'": "%27", "(": "%28", ")": "%29", "~": "%7E" };

const encoded = (word: string) => encodeURIComponent(word).replace(/%20|[!'()~]/g, (part) => KEPT[part]);
const decoded = (word: string) => decodeURIComponent(word.replace(/\+/g, " "));

export class Words {
  pairs: [string, string][];

  constructor(from: string | [string, string][]) {
    this.pairs = typeof from !== "string" ? from : from.split("&").filter(Boolean).map((part) => {
      const [key, ...value] = part.split("=");
      return [decoded(key), decoded(value.join("="))];
    });
  }

  [Symbol.iterator]() {
    return this.pairs[Symbol.iterator]();
  }

  toString(): string {
    return this.pairs.map((pair) => pair.map(encoded).join("=")).join("&");
  }
}
