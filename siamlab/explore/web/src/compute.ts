// Compute: the scenes of a page from the similarities that it holds, as Python makes them.
// An entry has a function from the state and an event to the next state, and one to its scene.

function fill(template, words) {
  return template.replace(/\{(\w+)\}/g, (_, name) => words[name]);
}

const bytes = new Map(); // of texts that were unpacked: a pointer needs the same ones again

function unpacked(text) {
  if (!bytes.has(text)) bytes.set(text, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
  return bytes.get(text);
}

function heatOf(levels, grid, scale) {
  return { levels: btoa(String.fromCharCode(...levels)), grid, scale };
}

function halfRow(half, row, count) { // of a symmetric matrix of which the lower half is held
  const at = (i, j) => (i < j ? at(j, i) : half[i * (i + 1) / 2 + j]);
  return [...Array(count).keys()].map((column) => at(row, column));
}

export function centreOf([rows, columns], patch) {
  return [(Math.floor(patch / columns) + 0.5) / rows, (patch % columns + 0.5) / columns];
}

export function markAt([y, x], kind, text = "") {
  return { y, x, kind, text };
}

function withValues(controls, values) {
  return controls.map((control) => ({ ...control, value: values[control.name] }));
}

// The panels of both views for a patch of one of them, and the text about it.
function answerOfPair(data, { image, views, layer }, here, patch) {
  const { grid } = data;
  const count = grid[0] * grid[1];
  const there = here === "a" ? "b" : "a";
  const place = data.pairs[`${image} ${views}`];
  const held = place.layers[layer];
  const side = held[here];
  const inside = place[here].inside[patch] === "1";
  const across = unpacked(held.across); // from a, row by row, to b
  const found = here === "a" ? across.slice(patch * count, (patch + 1) * count)
    : across.filter((_, i) => i % count === patch);
  const top = side.top[patch].map((each) => centreOf(grid, each));
  const truth = place[here].true[patch];
  const marks = [markAt(top[0], "match")];
  if (inside) marks.push(markAt(truth, "true"));
  top.slice(1).forEach((each, i) => marks.push(markAt(each, "next", String(i + 2))));
  const own = halfRow(unpacked(side.own), patch, count);
  return {
    place, side, inside, there,
    error: side.error[patch].toFixed(1),
    least: place[here].ceiling[patch].toFixed(1),
    shown: {
      [here]: { heat: heatOf(own, grid, "cosine"), arrows: [],
        marks: [markAt(centreOf(grid, patch), "query")] },
      [there]: { heat: heatOf(found, grid, "cosine"), marks,
        arrows: inside ? [[...top[0], ...truth]] : [] },
    },
  };
}

export function rowAndColumn(grid, patch) {
  return { row: Math.floor(patch / grid[1]) + 1, column: patch % grid[1] + 1 };
}

// The pointer shows the patch below it, until a click pins one; a click on it or Escape releases it.
export const HINTS = { free: "Move over a patch: its answer is shown at once. A click pins it.",
  pinned: "Pinned: a click on another patch moves the pin; a click on this one or Escape releases it." };

export function withPatch(state, panel, { hover, patch, keyed }) {
  if (hover === null || (hover !== undefined && state.pinned)) return state;
  if (hover !== undefined) return { ...state, selected: [panel, hover] };
  const again = state.pinned && String(state.selected) === String([panel, patch]);
  return { ...state, selected: [panel, patch], pinned: Boolean(keyed || !again) };
}

const pairScene = {
  next: (state, event) => ("control" in event
    ? { ...state, values: { ...state.values, [event.control]: event.value } }
    : withPatch(state, event.panel, event)),
  scene: (data, first, { values, pinned, selected: [here, patch] }) => {
    const answer = answerOfPair(data, values, here, patch);
    const { side, place, there } = answer;
    const numbers = { error: answer.error, least: answer.least, shared: place[here].shared,
      mean: side.mean.toFixed(1), mean_least: place[here].least.toFixed(1), there };
    const query = fill(data.text.query, rowAndColumn(data.grid, patch));
    const panels = first.panels.map((panel) => (panel.id === "source"
      ? { ...panel, image: `source-${values.image}`, boxes: place.boxes }
      : { ...panel, image: `${panel.id}-${values.image}-${values.views}`,
        ...answer.shown[panel.id], hovers: !pinned, follows: true }));
    return { ...first, panels,
      text: fill(answer.inside ? data.text.matched : data.text.hidden, { query, ...numbers }),
      controls: withValues(first.controls, values),
      jumps: side.worst.map(([text, worst]) => ({ text, panel: here, patch: worst })),
      jumps_title: fill(data.text.jumps, { here }) };
  },
};

const modelsScene = {
  next: (state, event) => {
    const set = (changes) => ({ ...state, values: { ...state.values, ...changes } });
    if (event.control === data_heads) return set({ head: mean_head, [data_heads]: event.value });
    if ("control" in event) return set({ [event.control]: event.value });
    if (event.panel.startsWith("head ")) return set({ head: event.panel.slice(5) });
    return withPatch(state, "a", event);
  },
  scene: (data, first, { values, pinned, selected: [, patch] }) => {
    const { grid } = data;
    const count = grid[0] * grid[1];
    const key = `${values.image} ${values.views}`;
    const picture = `a-${key.replace(" ", "-")}`;
    const query = markAt(centreOf(grid, patch), "query");
    const attention = (name, head) => { // row 0: the mean over heads, also of a head that is none
      const { levels, heads } = data.models[name].attention[key][values.layer];
      const start = ((head <= heads ? head : 0) * count + patch) * count;
      return heatOf(unpacked(levels).slice(start, start + count), grid, "attention");
    };
    const head = values.head === mean_head ? 0 : Number(values.head);
    const answers = Object.entries(data.models).map(([name, model]) =>
      [name, answerOfPair({ grid, pairs: model.pairs }, values, "a", patch)]);
    const panel = (id) => first.panels.find((each) => each.id === id);
    const query_panel = { image: picture, marks: [query], hovers: !pinned, follows: true };
    const panels = answers.flatMap(([name, { shown }]) => [
      { ...panel(`${name} attention`), ...query_panel, heat: attention(name, head) },
      { ...panel(`${name} similarity`), ...query_panel, heat: shown.a.heat },
      { ...panel(`${name} match`), image: picture.replace("a", "b"), ...shown.b,
        marks: shown.b.marks.filter((mark) => mark.kind !== "next") },
    ]);
    const below = values[data_heads];
    const { heads } = data.models[below].attention[key][values.layer];
    const names = [...Array(heads).keys()].map((i) => String(i + 1));
    const last = first.panels.at(-1);
    for (const name of names) {
      panels.push({ ...last, id: `head ${name}`, title: `${below}: head ${name}`, image: picture,
        heat: attention(below, Number(name)), chosen: values.head === name });
    }
    const [, { inside }] = answers[0];
    const errors = answers.map(([name, { error }]) => `${name} ${error}`).join("; ");
    const words = { errors, ...rowAndColumn(grid, patch) };
    const high = data.highest[`${key} ${values.layer}`];
    const scale = { ...first.scales.attention, high, bound: high };
    return { ...first, panels, scales: { ...first.scales, attention: scale },
      text: fill(inside ? data.text.matched : data.text.hidden, words),
      controls: withValues(first.controls, values).map((control) => (control.name === "head"
        ? { ...control, options: [mean_head, ...names] } : control)) };
  },
};

const [data_heads, mean_head] = ["heads of", "mean"];
export const scenesOf = { pairScene, modelsScene };
