// Words: how wide texts are and where their lines end, where no browser can say it.

// Widths of the letters of DejaVu Sans from the space to the tilde, in hundredths of their size.
const WIDTHS = [
  32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64,
  64, 64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79,
  60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63,
  63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
];
const OTHER = 84; // × and −; others are hardly wider

export function textWidth(text: string, size: number): number { // pixels
  const widths = [...text].map((letter) => WIDTHS[(letter.codePointAt(0) ?? 0) - 32] ?? OTHER);
  return size * widths.reduce((sum, width) => sum + width, 0) / 100;
}

// Lines that end after words; none for no words.
export function wrapped(text: string, width: number, size: number): string[] {
  return lined(text.split(/(?<=\s)/u), width, size);
}

// Names may end after _ - . / and : too, but no number.
export function broken(text: string, width: number, size: number): string[] {
  const parts: string[] = text.match(/(?:[^\s_\-./:]|\.(?=\d))+[\s_\-./:]?|[\s_\-./:]/gu) || [];
  const lines = lined(parts, width, size);
  return lines.length > 0 ? lines : [""];
}

function lined(parts: string[], width: number, size: number): string[] {
  const lines: string[] = [];
  for (const part of parts.flatMap((each) => cut(each, width, size))) {
    const longer = (lines.at(-1) ?? "") + part;
    if (lines.length > 0 && textWidth(longer.trimEnd(), size) <= width) lines[lines.length - 1] = longer;
    else lines.push(part);
  }
  return lines.map((line) => line.trim()).filter(Boolean);
}

// A word without room, wherever the line ends.
function cut(part: string, width: number, size: number): string[] {
  const pieces = [""];
  for (const letter of part) {
    if (pieces.at(-1) && textWidth((pieces.at(-1) + letter).trimEnd(), size) > width) pieces.push("");
    pieces[pieces.length - 1] += letter;
  }
  return pieces;
}
