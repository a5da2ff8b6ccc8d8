// Plane: results of studies as points, in scenes that the server makes; what a scene shows is chosen
// by `study`, `points` and `probe`, and by `runs`, the numbers of the chosen points.

import type { State } from "./facts";
import type { PanelEvent } from "./scene";

export const NUMBERS = /^\d+(\.\d+)*$/;

type Chosen = Pick<State, "study" | "points" | "probe" | "runs">;

export function planeAddress(state: Chosen): string {
  const words = { study: state.study, points: state.points, probe: state.probe, chosen: state.runs };
  return `plane?${new URLSearchParams(Object.entries(words).filter(([, word]) => word))}`;
}

export function planeEvent<S extends Chosen>(state: S, event: PanelEvent): S {
  if ("parts" in event) return { ...state, runs: event.parts.join(".") };
  if ("patch" in event) return { ...state, runs: String(event.patch) };
  if (!("control" in event)) return state;
  const changed = { ...state, [event.control]: event.value };
  return event.control === "probe" ? changed : { ...changed, runs: "" }; // other points of another study
}
