// Plane: results of studies as points, in scenes that the server makes; what a scene shows is chosen
// by `study`, `points` and `probe`, and by `runs`, the numbers of the chosen points.

import type { State } from "./facts";
import type { PanelEvent } from "./scene";

const MATCHES = "matches"; // in the place of a panel, as studies.py has it
export const NUMBERS = /^\d+(\.\d+)*$/;

type Chosen = Pick<State, "study" | "points" | "probe" | "runs">;

export function planeAddress(state: Chosen, below = ""): string {
  const words = { study: state.study, points: state.points, probe: state.probe, chosen: state.runs };
  return `plane${below}?${new URLSearchParams(Object.entries(words).filter(([, word]) => word))}`;
}

// What a click on a comparison with the first point asks for: the names of both encoders.
export function verdictAddress(state: Chosen, event: PanelEvent): string | null {
  return "patch" in event && event.panel === MATCHES ? planeAddress(state, `/${MATCHES}/${event.patch}`) : null;
}

export function planeEvent<S extends Chosen>(state: S, event: PanelEvent): S {
  if ("parts" in event) return { ...state, runs: event.parts.join(".") };
  if ("patch" in event) return { ...state, runs: String(event.patch) };
  if (!("control" in event)) return state;
  const changed = { ...state, [event.control]: event.value };
  return event.control === "probe" ? changed : { ...changed, runs: "" }; // other points of another study
}
