// Local: in the place of a server, photographs and the networks' answers from this browser.

import { attentionRows, rollout } from "./attended";
import { penOf } from "./elements";
import type { About, ModelFacts, Photo } from "./facts";
import { Model, squarePixels, type Picture, type Pixels } from "./features.js";
import type { Request } from "./server";

const SHOWN = 448; // pixels: side of a photograph on the page
const MOST_PHOTOS = 64;
const MOST_ANSWERS = 100; // that are kept: some megabytes each

const sources = new Map<string, { address: string; pixels: Pixels }>(); // of photographs
// "model/photograph/step" -> its patches after every layer
const answers = new Map<string, Promise<Float32Array>>();
// of the photograph that was asked for last: they are large
const attended = new Map<Model, { photo: string; matrices: Promise<Float32Array[]> }>();
const opened = new Map<string, Promise<Model>>(); // "model/step", the last one without a step
let models: ModelFacts[] = [];

export async function asked(address: string, { body }: Request = {}): Promise<any> { // JSON, as of server.ts
  if (address === "about") return opening();
  const name = new URLSearchParams(address.split("?")[1]).get("name") ?? "";
  if (sources.size >= MOST_PHOTOS) {
    throw new Error(`This page holds ${MOST_PHOTOS} photographs at most; load it again.`);
  }
  const bitmap = await createImageBitmap(body as Blob).catch(() => {
    throw new Error(`${name} is not a photograph that this browser can read; save it as JPEG or PNG`);
  });
  return keep(`own-${sources.size}`, name, bitmap);
}

async function opening(): Promise<About> {
  const about: About = await (await fetch("about.json")).json();
  for (const { id, name, file } of about.photos) {
    const image = new Image();
    image.src = file as string; // a demo has one
    await image.decode();
    keep(id, name, image);
  }
  models = about.models;
  await Promise.all(models.map((_, i) => modelOf(i, "")));
  return about;
}

function keep(id: string, name: string, image: Picture): Photo {
  const pixels = squarePixels(image);
  const side = Math.min(SHOWN, pixels.side);
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const pen = penOf(canvas);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(pixels.canvas, 0, 0, side, side);
  sources.set(id, { address: canvas.toDataURL(), pixels });
  return { id, name, side };
}

function modelOf(index: number, step: string): Promise<Model> {
  const key = `${index}/${step}`;
  const facts = models[index];
  const model = opened.get(key) ?? Model.open(step ? { ...facts, file: facts.files?.[step] } : facts);
  opened.set(key, model);
  return model;
}

function sourceOf(photo: string) {
  const source = sources.get(photo);
  if (!source) throw new Error(`This page has no photograph ${photo}; add it again.`);
  return source;
}

// Of features/model/photograph/layer, attention/model/photograph/layer or rollout/model/photograph, with
// ?step= of an earlier encoder.
export async function numbersAt(address: string): Promise<Float32Array> {
  const [path, query] = address.split("?");
  const [kind, index, photo, layer] = path.split("/");
  const step = new URLSearchParams(query).get("step") ?? "";
  const model = await modelOf(Number(index), step);
  if (kind !== "features") {
    const matrices = await attentionOf(model, photo);
    return kind === "rollout" ? rollout(model.facts, matrices)
      : attentionRows(model.facts, matrices[Number(layer) - 1]);
  }
  const key = `${index}/${photo}/${step}`;
  const answer = answers.get(key) ?? model.features(sourceOf(photo).pixels);
  answers.set(key, answer);
  if (answers.size > MOST_ANSWERS) answers.delete(answers.keys().next().value as string);
  const size = model.facts.grid[0] * model.facts.grid[1] * model.facts.width;
  return (await answer).slice((Number(layer) - 1) * size, Number(layer) * size);
}

function attentionOf(model: Model, photo: string): Promise<Float32Array[]> {
  const last = attended.get(model);
  if (last?.photo === photo) return last.matrices;
  const matrices = model.attention(sourceOf(photo).pixels);
  attended.set(model, { photo, matrices });
  return matrices;
}

export function photoAddress(id: string): string {
  return sourceOf(id).address;
}
