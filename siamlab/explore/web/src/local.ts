// Local: in the place of a server, photographs and the networks' answers from this browser.

import { Model, squarePixels } from "./features.js";

const SHOWN = 448; // pixels: side of a photograph on the page
const MOST_PHOTOS = 64;

const sources = new Map(); // photograph -> its picture's address, and its pixels
const answers = new Map(); // "model/photograph" -> the promise of its patches after every layer
const opened = []; // promises of models

export async function asked(address, { body } = {}) { // JSON, as of the server of `siamlab view`
  if (address === "about") return opening();
  const name = new URLSearchParams(address.split("?")[1]).get("name");
  if (sources.size >= MOST_PHOTOS) {
    throw new Error(`This page holds ${MOST_PHOTOS} photographs at most; load it again.`);
  }
  const bitmap = await createImageBitmap(body).catch(() => {
    throw new Error(`${name} is not a photograph that this browser can read; save it as JPEG or PNG`);
  });
  return keep(`own-${sources.size}`, name, bitmap);
}

async function opening() {
  const about = await (await fetch("about.json")).json();
  for (const { id, name, file } of about.photos) {
    const image = new Image();
    image.src = file;
    await image.decode();
    keep(id, name, image);
  }
  opened.push(...about.models.map(Model.open));
  await Promise.all(opened);
  return about;
}

function keep(id, name, image) {
  const pixels = squarePixels(image);
  const side = Math.min(SHOWN, pixels.side);
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(pixels.canvas, 0, 0, side, side);
  sources.set(id, { address: canvas.toDataURL(), pixels });
  return { id, name, side };
}

export async function numbersAt(address) { // of features/model/photograph/layer
  const [, index, photo, layer] = address.split("/");
  const model = await opened[index];
  const key = `${index}/${photo}`;
  if (!answers.has(key)) answers.set(key, model.features(sources.get(photo).pixels));
  const size = model.grid[0] * model.grid[1] * model.width;
  return (await answers.get(key)).slice((layer - 1) * size, layer * size);
}

export function photoAddress(id) {
  return sources.get(id).address;
}
