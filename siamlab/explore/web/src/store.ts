// Store: what the page is about, its state, the numbers that were fetched, and results from them.

import type { About, Fetched, Got, State } from "./facts";
import { needed } from "./view";
import { asked, numbersAt } from "source";

const MOST_FETCHED = 3e8; // bytes of features that the page keeps
const MOST_DERIVED = 80; // results from them

export let about: About;
export let state: State;
const fetched = new Map<string, Fetched>(); // by address
const asking = new Map<string, Promise<void>>(); // address -> until its numbers are here
const derived = new Map<string, unknown>(); // by kind and addresses

export function open(facts: About, first: (about: About) => State): void {
  about = facts;
  state = first(facts);
}

export function enter(next: State): void {
  state = next;
}

export function missing(): string[] { // what the state needs and is not here
  return needed(about, state).filter((address) => !fetched.has(address));
}

export const got: Got = (kind, addresses, make) => {
  const key = `${kind} ${addresses}`;
  if (!derived.has(key)) {
    derived.set(key, make(fetched.get(String(addresses)) as never)); // of the kind that `make` takes
    if (derived.size > MOST_DERIVED) derived.delete(derived.keys().next().value as string);
  }
  return derived.get(key) as never;
};

export function once(address: string): Promise<void> { // a pointer that moves on asks only once
  const known = asking.get(address);
  if (known) return known;
  const promise = fetchNumbers(address).finally(() => asking.delete(address));
  asking.set(address, promise);
  return promise;
}

async function fetchNumbers(address: string): Promise<void> {
  keep(address, await answerAt(address));
}

export function give(address: string, data: Float32Array): void { // numbers that were not asked for
  keep(address, numbersOf(address, data));
}

function keep(address: string, answer: Fetched): void {
  fetched.set(address, answer);
  let size = [...fetched.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  for (const [old, { data }] of fetched) {
    if (size <= MOST_FETCHED || needed(about, state).includes(old)) break;
    size -= data.byteLength;
    fetched.delete(old);
  }
}

async function answerAt(address: string): Promise<Fetched> {
  const [kind, , part] = address.split("?")[0].split("/");
  const none = new Uint8Array(0);
  if (kind === "plane") return { scene: await asked(address), data: none };
  if (kind === "matches") return { ...await asked(address), data: none };
  if (part === "votes") {
    const { label, share } = await asked(address);
    return { ...rowsOf(Int32Array.from(label), 1), share };
  }
  return numbersOf(address, await numbersAt(address));
}

function numbersOf(address: string, data: Float32Array): Fetched {
  const [kind, index, part] = address.split("?")[0].split("/");
  const { width, grid } = about.models[Number(index)];
  const lengths: Record<string, number> = { attention: grid[0] * grid[1], map: part ? 2 : width };
  return rowsOf(data, lengths[kind] || width);
}

function rowsOf<Kind extends Float32Array | Int32Array>(data: Kind, width: number) {
  return { data, width, count: data.length / width };
}
