// Plane: results of studies as points, in scenes that the server makes; what a scene shows is chosen
// by `study`, `points` and `probe`, and by `runs`, the numbers of the chosen points.

import { asked } from "source";

export const POINTS = ["configurations", "runs"];
export const NUMBERS = /^\d+(\.\d+)*$/;

export function planeAddress(state) {
  const words = { study: state.study, points: state.points, probe: state.probe, chosen: state.runs };
  return `plane?${new URLSearchParams(Object.entries(words).filter(([, word]) => word))}`;
}

export function planeEvent(state, event) { // the points of another study are others
  if (!("control" in event)) return { ...state, runs: (event.parts || [event.patch]).join(".") };
  const changed = { ...state, [event.control]: event.value };
  return event.control === "probe" ? changed : { ...changed, runs: "" };
}

export async function fetchPlane(address) {
  return { scene: await asked(address), data: new Uint8Array(0) };
}
