// Features: patches and attention of a picture in each layer of each model, computed in this browser.

import type { ModelFacts } from "./facts";
import * as ort from "./onnxruntime/ort.wasm.min.mjs";

export type Picture = HTMLImageElement | ImageBitmap;

export interface Pixels { // of a square
  side: number;
  data: Uint8ClampedArray; // RGBA
  canvas: OffscreenCanvas;
}

type Seen = Pick<Pixels, "side" | "data">;

const MOST_PIXELS = 4e6; // of a picture that is read; larger ones are drawn smaller first

ort.env.wasm.wasmPaths = new URL("./onnxruntime/", import.meta.url).href;
ort.env.wasm.numThreads = 1; // more need headers that plain web hosts do not send

export class Model {
  facts: ModelFacts;
  session: ort.InferenceSession;

  constructor(facts: ModelFacts, session: ort.InferenceSession) {
    this.facts = facts;
    this.session = session;
  }

  static async open(facts: ModelFacts): Promise<Model> {
    const file = new URL(facts.file as string, import.meta.url).href;
    return new Model(facts, await ort.InferenceSession.create(file));
  }

  // The patches of a picture, [layer][patch][number], in one row of numbers.
  async features(picture: Seen): Promise<Float32Array> {
    const [layers] = await this.run(picture, ["layers"]);
    return layers;
  }

  // The matrix of each layer, [head][token][token].
  async attention(picture: Seen): Promise<Float32Array[]> {
    return this.run(picture, [...Array(this.facts.layers).keys()].map((i) => `attention_${i + 1}`));
  }

  private async run(picture: Seen, outputs: string[]): Promise<Float32Array[]> {
    const [height, width] = this.facts.size;
    const values = resized(picture, height, width);
    const image = new ort.Tensor("float32", values, [1, 3, height, width]);
    const found = await this.session.run({ image }, outputs);
    return outputs.map((name) => Float32Array.from(found[name].data));
  }
}

// The square in the middle of a picture: its side, a canvas, and data, RGBA bytes.
export function squarePixels(picture: Picture): Pixels {
  const loaded = "naturalWidth" in picture;
  const width = loaded ? picture.naturalWidth : picture.width;
  const height = loaded ? picture.naturalHeight : picture.height;
  const cut = Math.min(width, height);
  const side = Math.min(cut, Math.floor(Math.sqrt(MOST_PIXELS)));
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d", { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D;
  context.imageSmoothingQuality = "high";
  const [left, top] = [(width - cut) / 2, (height - cut) / 2];
  context.drawImage(picture, left, top, cut, cut, 0, 0, side, side);
  return { side, canvas, data: context.getImageData(0, 0, side, side).data };
}

// RGB of 0..1, colour by colour, as torch resizes: bilinear, antialiased where it shrinks.
export function resized(
  { side, data }: Pick<Pixels, "side" | "data">, height: number, width: number,
): Float32Array {
  const [down, right] = [weights(side, height), weights(side, width)];
  const out = new Float32Array(3 * height * width);
  const lines = new Float32Array(side * width);
  for (let colour = 0; colour < 3; colour++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < width; x++) {
        const { first, shares } = right[x];
        let sum = 0;
        for (let i = 0; i < shares.length; i++) {
          sum += shares[i] * data[4 * (y * side + first + i) + colour];
        }
        lines[y * width + x] = sum;
      }
    }
    for (let y = 0; y < height; y++) {
      const { first, shares } = down[y];
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let i = 0; i < shares.length; i++) sum += shares[i] * lines[(first + i) * width + x];
        out[(colour * height + y) * width + x] = sum / 255;
      }
    }
  }
  return out;
}

// For each pixel of `to`, the first of the pixels of `from` that it sees, and their shares.
function weights(from: number, to: number): { first: number; shares: number[] }[] {
  const scale = from / to;
  const reach = Math.max(1, scale); // of the triangle, to either side
  return [...Array(to).keys()].map((i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const end = Math.min(from, Math.floor(centre + reach + 0.5));
    const all = [...Array(end - first).keys()]
      .map((j) => Math.max(0, 1 - Math.abs(first + j + 0.5 - centre) / reach));
    const total = all.reduce((a, b) => a + b);
    return { first, shares: all.map((share) => share / total) };
  });
}
