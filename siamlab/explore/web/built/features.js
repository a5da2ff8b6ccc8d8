// Built from siamlab/explore/web/src by `make web`.

// src/features.ts
import * as ort from "./onnxruntime/ort.wasm.min.mjs";
var MOST_PIXELS = 4e6;
ort.env.wasm.wasmPaths = new URL("./onnxruntime/", import.meta.url).href;
ort.env.wasm.numThreads = 1;
var Model = class _Model {
  facts;
  session;
  constructor(facts, session) {
    this.facts = facts;
    this.session = session;
  }
  static async open(facts) {
    const file = new URL(facts.file, import.meta.url).href;
    return new _Model(facts, await ort.InferenceSession.create(file));
  }
  // The patches of a picture, [layer][patch][number], in one row of numbers.
  async features(picture) {
    const [layers] = await this.run(picture, ["layers"]);
    return layers;
  }
  // The matrix of each layer, [head][token][token].
  async attention(picture) {
    return this.run(picture, [...Array(this.facts.layers).keys()].map((i) => `attention_${i + 1}`));
  }
  async run(picture, outputs) {
    const [height, width] = this.facts.size;
    const values = resized(picture, height, width);
    const image = new ort.Tensor("float32", values, [1, 3, height, width]);
    const found = await this.session.run({ image }, outputs);
    return outputs.map((name) => Float32Array.from(found[name].data));
  }
};
function squarePixels(picture) {
  const loaded = "naturalWidth" in picture;
  const width = loaded ? picture.naturalWidth : picture.width;
  const height = loaded ? picture.naturalHeight : picture.height;
  const cut = Math.min(width, height);
  const side = Math.min(cut, Math.floor(Math.sqrt(MOST_PIXELS)));
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  const [left, top] = [(width - cut) / 2, (height - cut) / 2];
  context.drawImage(picture, left, top, cut, cut, 0, 0, side, side);
  return { side, canvas, data: context.getImageData(0, 0, side, side).data };
}
function resized({ side, data }, height, width) {
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
function weights(from, to) {
  const scale = from / to;
  const reach = Math.max(1, scale);
  return [...Array(to).keys()].map((i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const end = Math.min(from, Math.floor(centre + reach + 0.5));
    const all = [...Array(end - first).keys()].map((j) => Math.max(0, 1 - Math.abs(first + j + 0.5 - centre) / reach));
    const total = all.reduce((a, b) => a + b);
    return { first, shares: all.map((share) => share / total) };
  });
}
export {
  Model,
  resized,
  squarePixels
};
