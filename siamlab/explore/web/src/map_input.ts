// Map input: pointers and keys on a map: which point is meant, and lines around points.

import { follow, isDrag, STEPS } from "./input";
import { lassoWord } from "./lasso";
import type { MapView } from "./map";
import { drawMaps, fractionIn, overPoint, placeIn } from "./scatter";
import type { Point, Step } from "./scene";

const REACH = 14; // pixels from the pointer to a point that is under it
const APART = 0.008; // between two corners of a line, a fraction of the map
const GROWS = 0.04; // of the map, by a key

// Among those that are not hidden as no mistakes; -1 for none.
export function pointNear(view: MapView, event: MouseEvent): number {
  const { canvas, points, atlas } = view;
  const [atX, atY] = placeIn(canvas, fractionIn(canvas, event));
  let [best, least] = [-1, REACH];
  points.forEach((point, i) => {
    if (atlas.mistakes && !view.wrong[i]) return;
    const [px, py] = placeIn(canvas, point);
    const distance = Math.hypot(px - atX, py - atY);
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

// In the direction of an arrow key.
function nextPoint(view: MapView, now: number, step: Step): number {
  const { atlas, points } = view;
  const [x, y] = points[now];
  let [best, least] = [now, Infinity];
  points.forEach(([px, py], i) => {
    if (atlas.mistakes && !view.wrong[i]) return;
    const ahead = step[0] * (py - y) + step[1] * (px - x);
    const beside = Math.abs(step[1] * (py - y) + step[0] * (px - x));
    const distance = ahead + 2 * beside;
    if (i !== now && ahead > 0 && distance < least) [best, least] = [i, distance];
  });
  return best;
}

// A line that is drawn; a click, if the pointer hardly moves.
export function drawLasso(view: MapView, event: PointerEvent): void {
  if (event.button !== 0 || !event.isPrimary) return;
  const { canvas, atlas } = view;
  const corners = [fractionIn(canvas, event)];
  let moved = false;
  const moving = (now: PointerEvent) => {
    moved ||= isDrag(event, now);
    const [x, y] = fractionIn(canvas, now);
    const last = corners[corners.length - 1];
    if (!moved || Math.hypot(x - last[0], y - last[1]) < APART) return;
    corners.push([x, y]);
    Object.assign(atlas, { over: -1, drawing: { view, corners } });
    drawMaps(atlas);
  };
  const ended = (_: PointerEvent, cancelled: boolean) => { // a finger that scrolls draws nothing
    atlas.drawing = null;
    if (cancelled) return drawMaps(atlas);
    if (moved) return atlas.act.lasso(corners.length > 2 ? wordOf(view, corners) : "");
    const found = pointNear(view, event);
    if (found >= 0) atlas.act.select(found);
  };
  follow(canvas, event, moving, ended);
}

function wordOf(view: MapView, corners: Point[]): string {
  const { places, views } = view.atlas;
  return lassoWord({ places, map: views.indexOf(view), corners });
}

function growBox(view: MapView, [down, right]: Step): void { // from the point where the keys are
  const { atlas, points } = view;
  const [x, y] = points[Math.max(0, atlas.over, atlas.chosen)];
  const [left, top, oldEnd, oldBottom] = view.box ?? [
    x - GROWS / 2, y - GROWS / 2, x + GROWS / 2, y + GROWS / 2];
  const end = Math.max(left + GROWS, oldEnd + GROWS * right);
  const bottom = Math.max(top + GROWS, oldBottom + GROWS * down);
  view.box = [left, top, end, bottom];
  atlas.act.lasso(wordOf(view, [[left, top], [end, top], [end, bottom], [left, bottom]]));
}

export function keysOnMap(view: MapView, event: KeyboardEvent): void {
  const { atlas } = view;
  const step = STEPS[event.key];
  if (event.key === "Enter" && atlas.over >= 0) atlas.act.select(atlas.over);
  if (!step) return;
  event.preventDefault();
  if (event.shiftKey) return growBox(view, step);
  view.box = null;
  const now = atlas.over >= 0 ? atlas.over : Math.max(0, atlas.chosen);
  overPoint(atlas, nextPoint(view, now, step));
}
