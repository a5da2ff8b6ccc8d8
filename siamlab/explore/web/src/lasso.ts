// Lasso: a line around points of one map, drawn by a pointer or, as a box, by Shift and the arrows.
// A link holds it as a word: the kind of places, the map's number, and x.y in thousandths.

import { CLICK, follow, STEPS } from "./input";
import { drawMaps } from "./map";
import { fractionIn, nextPoint, overPoint, placeIn, pointNear } from "./scatter";

const APART = 0.008; // between two corners of a line, a fraction of the map
const CORNERS = 60; // at most: a link must not become too long
const GROWS = 0.04; // of the map, by a key
const WORD = /^(components|tsne) (\d+)((?: -?\d+\.-?\d+){3,64})$/;

function lassoWord(places, map, corners) {
  const every = Math.max(1, Math.ceil(corners.length / CORNERS));
  const kept = corners.filter((_, i) => i % every === 0);
  const words = kept.map((corner) => corner.map((value) => Math.round(1000 * value)).join("."));
  return [places, map, ...words].join(" ");
}

export function lassoOf(word) { // null for a word that is none
  const found = word.match(WORD);
  if (!found) return null;
  const corners = found[3].trim().split(" ").map((pair) => pair.split(".").map((v) => v / 1000));
  return { places: found[1], map: Number(found[2]), corners };
}

function isInside([x, y], corners) { // by the even-odd rule
  let inside = false;
  corners.forEach(([x1, y1], i) => {
    const [x2, y2] = corners[(i + 1) % corners.length];
    if ((y1 > y) !== (y2 > y) && x < x1 + (y - y1) / (y2 - y1) * (x2 - x1)) inside = !inside;
  });
  return inside;
}

export function pointsInside(points, corners) {
  return new Set([...points.keys()].filter((i) => isInside(points[i], corners)));
}

export function drawLasso(view, event) { // a click, if the pointer hardly moves
  if (event.button !== 0 || !event.isPrimary) return;
  const { canvas, atlas } = view;
  const corners = [fractionIn(canvas, event)];
  let moved = false;
  const moving = (now) => {
    moved = moved || Math.hypot(now.clientX - event.clientX, now.clientY - event.clientY) > CLICK;
    const [[x, y], last] = [fractionIn(canvas, now), corners.at(-1)];
    if (!moved || Math.hypot(x - last[0], y - last[1]) < APART) return;
    corners.push([x, y]);
    Object.assign(atlas, { over: -1, drawing: { view, corners } });
    drawMaps(atlas);
  };
  const ended = (last, cancelled) => { // a finger that scrolls draws nothing
    atlas.drawing = null;
    if (cancelled) return drawMaps(atlas);
    if (moved) return atlas.act.lasso(corners.length > 2 ? wordOf(view, corners) : "");
    const found = pointNear(view, event);
    return found >= 0 ? atlas.act.select(found) : undefined;
  };
  follow({ svg: canvas }, event, moving, ended);
}

function wordOf(view, corners) {
  return lassoWord(view.atlas.places, view.atlas.views.indexOf(view), corners);
}

function growBox(view, [down, right]) { // from the point where the keys are
  const { atlas, points } = view;
  if (!view.box) {
    const [x, y] = points[Math.max(0, atlas.over, atlas.chosen)];
    view.box = [x - GROWS / 2, y - GROWS / 2, x + GROWS / 2, y + GROWS / 2];
  }
  const [left, top, , ] = view.box;
  view.box[2] = Math.max(left + GROWS, view.box[2] + GROWS * right);
  view.box[3] = Math.max(top + GROWS, view.box[3] + GROWS * down);
  const [, , end, bottom] = view.box;
  atlas.act.lasso(wordOf(view, [[left, top], [end, top], [end, bottom], [left, bottom]]));
}

export function keysOnMap(view, event) {
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

export function lineOf(view, atlas, ink) { // on the map on which it was drawn
  const { lasso, drawing } = atlas;
  const own = lasso && lasso.places === atlas.places && atlas.views[lasso.map] === view;
  const corners = drawing ? drawing.view === view && drawing.corners : own && lasso.corners;
  if (!corners) return [];
  const places = corners.map((corner) => placeIn(view.canvas, corner).join(" "));
  return [{ d: `M${places.join("L")}z`, fill: ink, shade: 0.08, stroke: ink, width: 1.5, dash: [5, 4] }];
}
