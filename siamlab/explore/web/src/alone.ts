// Alone: an explorer that answers without Python: what it was given holds the answers ready-made, or
// what they are computed from.

import { EXACT, HINTS, modelsScene, pairScene, type PageScene, type PageState, type Selected } from "./compute";
import { add } from "./elements";
import { pageModel } from "./model";
import { mount } from "./panels";
import { eyeScene, nearestBox } from "./eye";
import { linkedScene } from "./linked";
import { pathScene } from "./path";
import { reconstructionScene } from "./reconstruction";
import { studyScene } from "./study";
import type { Boxed, Counted, PanelEvent, Scene, Shown } from "./scene";

interface Move { // what an event changes
  values: Record<string, any>;
  selected: Selected | null;
}

interface Released { // by Escape
  release: true;
  count: number;
}

export interface Answers { // as page.py makes them
  first: Scene;
  state: PageState;
  moves: Record<string, Move>;
  scenes: Record<string, Partial<Scene>>;
  images: Record<string, string>;
  refusal: string;
  held: { scene: string; data: any } | null;
}

const scenesOf: Record<string, PageScene<any>> = { pairScene, modelsScene, pathScene,
  reconstructionScene, studyScene, eyeScene, linkedScene };

// Shows the explorer in an element, and returns what it shows; `keys` hears Escape.
export function mountAlone(answers: Answers, el: Element, keys: EventTarget): Shown {
  const { first, moves, scenes, images, refusal, held } = answers;
  const state: PageState = { ...answers.state };
  const { shown, model, tell } = pageModel({ scene: first, images: { ...images } }, answer);
  const hint = held ? add(el, "p", { class: "siamlab-hint" }) : null;

  function answer(event: Counted | Released) {
    const before = shown.scene;
    shown.answered = event.count;
    if (held) shown.scene = computed(held, event);
    else if (!("release" in event)) shown.scene = stored(event);
    if (shown.scene === before) return; // a drawing that is replaced loses what is below the pointer
    tell();
    showHint();
  }

  function computed(from: NonNullable<Answers["held"]>, event: Counted | Released) {
    const { next, scene, refusal: own } = scenesOf[from.scene];
    const changed = "release" in event ? { pinned: false } : next(state, event, from.data);
    if (changed === state) return shown.scene;
    if (changed === null) return refused(own ?? refusal);
    Object.assign(state, changed);
    return scene(from.data, first, state, shown.images);
  }

  function stored(event: PanelEvent): Scene {
    const name = eventName(event);
    const move = name === undefined ? undefined : moves[name];
    const values = { ...state.values, ...move?.values };
    const selected = move?.selected || state.selected;
    const words = Object.keys(values).sort().map((key) => key + "=" + values[key]);
    const found = move && scenes[[...words, ...selected].join(" ")]; // where it differs from the first
    if (found) Object.assign(state, { values, selected });
    return found ? { ...first, ...found } : refused(refusal);
  }

  function refused(text: string): Scene {
    const now = shown.scene as Scene;
    return now.text === text ? now : { ...now, text };
  }

  function eventName(event: PanelEvent): string | undefined {
    if ("control" in event) return event.control + "=" + event.value;
    if ("parts" in event) return event.panel + " " + event.parts;
    if ("patch" in event) return event.panel + " " + event.patch;
    return "box" in event ? boxName(event) : undefined;
  }

  function boxName(event: Boxed): string | undefined {
    const names = Object.keys(moves).filter((name) => name.startsWith("box "));
    const found = nearestBox(names.map((name) => moves[name].values.box), state.values.box, event);
    return found < 0 ? undefined : names[found];
  }

  function showHint() {
    if (!held || !hint) return;
    const hints = scenesOf[held.scene].hints ?? HINTS;
    const exact = (shown.scene as Scene).panels.some((panel) => panel.heat) ? EXACT : "";
    hint.textContent = hints[state.pinned ? "pinned" : "free"] + exact;
  }

  if (held) { // where a pointer is followed at once
    const { begin, scene } = scenesOf[held.scene];
    Object.assign(state, begin?.(held.data, state), { pinned: false });
    shown.scene = scene(held.data, first, state, shown.images);
    keys.addEventListener("keydown", (event) => {
      if ((event as KeyboardEvent).key === "Escape") answer({ release: true, count: shown.answered });
    });
  }
  showHint();
  mount(model, el);
  return shown;
}
