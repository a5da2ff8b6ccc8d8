// Cell: in the place of a server, photographs and numbers from the kernel of a notebook, by messages
// of a widget. Each question has a number, by which its answer is known.

import type { Photo } from "./facts";
import { find, say } from "./frame";
import { LATE, LOST, PATIENCE } from "./panels";
import { halves } from "./patches";
import type { Request } from "./server";

const PART = 4e6; // bytes of a message; servers of notebooks end a connection over 10 MB

interface Answer {
  answer: number;
  status: number; // of HTTP
}

type Hears = (content: Answer, buffers: DataView[]) => void;

export interface Comm { // the model of anywidget
  get(name: "link"): string;
  set(name: "link", value: string): void;
  save_changes(): void;
  on(name: string, call: Hears | (() => void)): void;
  off(name: string, call: Hears | (() => void)): void;
  send(content: object, callbacks: undefined, buffers: ArrayBuffer[]): void;
}

interface Asker {
  done: (body: ArrayBuffer) => void;
  failed: (error: Error) => void;
}

let comm: Comm;
let lost = false; // the kernel was restarted
let last = Math.floor(Math.random() * 2 ** 48); // question; all views of a widget hear all answers
const asking = new Map<number, Asker>();
const pictures = new Map<string, Promise<string>>(); // photograph -> until its address is here
const addresses = new Map<string, string>(); // of photographs

export function connect(model: Comm): () => void { // returns what ends it
  comm = model;
  comm.on("msg:custom", hear);
  comm.on("comm_live_update", lose); // of ipywidgets, for a lost kernel
  return () => { comm.off("msg:custom", hear); comm.off("comm_live_update", lose); };
}

function hear({ answer, status }: Answer, [view]: DataView[]): void {
  const asker = asking.get(answer);
  if (!asker) return; // another view asked
  asking.delete(answer);
  lost = false;
  if ([LATE, LOST].includes(find(".alert").textContent ?? "")) say("");
  const body = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) as ArrayBuffer;
  if (status < 400) asker.done(body);
  else asker.failed(new Error(jsonOf(body).error));
}

function lose(): void {
  lost = true;
  say(LOST);
  for (const asker of asking.values()) asker.failed(new Error(LOST));
  asking.clear();
}

function jsonOf(body: ArrayBuffer): any {
  return JSON.parse(new TextDecoder().decode(body));
}

async function answered(address: string, { method, body }: Request = {}): Promise<ArrayBuffer> {
  const sent = await body?.arrayBuffer() ?? new ArrayBuffer(0);
  if (lost) throw new Error(LOST);
  const ask = ++last;
  const answer = new Promise<ArrayBuffer>((done, failed) => asking.set(ask, { done, failed }));
  setTimeout(() => { if (asking.has(ask)) say(LATE); }, PATIENCE);
  for (let start = 0; start + PART < sent.byteLength; start += PART) {
    comm.send({ ask }, undefined, [sent.slice(start, start + PART)]);
  }
  const rest = Math.max(0, Math.ceil(sent.byteLength / PART) - 1) * PART;
  comm.send({ ask, address, method }, undefined, [sent.slice(rest)]);
  return answer;
}

// JSON, as of server.ts: facts, or a new photograph; their pictures are here too then.
export async function asked(address: string, request?: Request): Promise<any> {
  const answer = jsonOf(await answered(address, request));
  const photos: Photo[] = answer.photos ?? [answer];
  await Promise.all(photos.map(({ id }) => picture(id)));
  return answer;
}

export async function numbersAt(address: string): Promise<Float32Array> {
  return halves(await answered(address));
}

function picture(id: string): Promise<string> {
  const known = pictures.get(id) ?? answered(`photos/${id}`).then(asData);
  pictures.set(id, known);
  known.then((data) => addresses.set(id, data), () => pictures.delete(id));
  return known;
}

function asData(body: ArrayBuffer): Promise<string> { // allowed in more notebooks than other addresses
  return new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result as string);
    reader.readAsDataURL(new Blob([body], { type: "image/png" }));
  });
}

export function photoAddress(id: string): string {
  return addresses.get(id) ?? "";
}
