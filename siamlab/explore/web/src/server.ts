// Server: where the page of `siamlab view` has photographs and numbers from.

import { halves } from "./patches";

export async function asked(address, options) { // JSON; an error is the sentence of the server
  const answer = await fetch(address, options).catch(() => {
    throw new Error("The server does not answer: was `siamlab view` ended? Start it again.");
  });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error || answer.statusText);
  return options?.raw ? answer.arrayBuffer() : answer.json();
}

export async function numbersAt(address) {
  return halves(await asked(address, { raw: true }));
}

export function photoAddress(id, kind = "photos") {
  return `${kind}/${id}`;
}
