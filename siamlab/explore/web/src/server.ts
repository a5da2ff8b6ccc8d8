// Server: where the page of `siamlab view` has photographs and numbers from.

import { halves } from "./patches";

export interface Request {
  method?: "POST";
  body?: Blob;
}

export async function asked(address: string, request?: Request): Promise<any> { // JSON
  return (await fetched(address, request)).json();
}

export async function numbersAt(address: string): Promise<Float32Array> {
  return halves(await (await fetched(address)).arrayBuffer());
}

// An error is the sentence of the server.
async function fetched(address: string, request?: Request): Promise<Response> {
  const answer = await fetch(address, request).catch(() => {
    throw new Error("The server does not answer: was `siamlab view` ended? Start it again.");
  });
  if (answer.ok) return answer;
  const { error } = await answer.json().catch(() => ({}));
  throw new Error(error || answer.statusText);
}

export function photoAddress(id: string, kind = "photos"): string {
  return `${kind}/${id}`;
}
