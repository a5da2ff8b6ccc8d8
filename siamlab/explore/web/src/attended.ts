// Attended: what a page shows of attention, from the matrices of all tokens that a network forms.

import { START } from "./choices";
import type { ModelFacts } from "./facts";

type Numbers = Float32Array;
type Facts = Pick<ModelFacts, "grid" | "heads" | "prefix" | "start">;

// Of each head the row of the class token (or of the mean patch), then that of each patch, to the
// patches; rows sum to 1.
export function attentionRows(facts: Facts, matrix: Numbers): Numbers {
  const { count, prefix, tokens } = sizesOf(facts);
  const rows = new Float32Array(facts.heads * (count + 1) * count);
  for (let head = 0; head < facts.heads; head++) {
    const from = (token: number) => matrix.subarray((head * tokens + token) * tokens + prefix).subarray(0, count);
    const into = (i: number) => rows.subarray((head * (count + 1) + i) * count).subarray(0, count);
    for (let i = 0; i < count; i++) into(i + 1).set(from(prefix + i));
    for (const token of startTokens(facts)) from(token).forEach((value, j) => { into(0)[j] += value; });
    for (let i = 0; i <= count; i++) normalise(into(i));
  }
  return rows;
}

// The share of each patch in the flow through all layers, as `probe.rollout`: each of them is half its
// mean over heads, and half itself.
export function rollout(facts: Facts, matrices: Numbers[]): Numbers {
  const { count, prefix, tokens } = sizesOf(facts);
  let flow: Numbers = new Float32Array(tokens);
  for (const token of startTokens(facts)) flow[token] = 1;
  for (const matrix of [...matrices].reverse()) flow = below(flow, matrix, facts.heads);
  return normalise(flow.slice(prefix, prefix + count));
}

// What flows out of the tokens below a layer.
function below(flow: Numbers, matrix: Numbers, heads: number): Numbers {
  const tokens = flow.length;
  const next = new Float32Array(tokens);
  for (let i = 0; i < tokens; i++) {
    if (flow[i] === 0) continue;
    const row = new Float32Array(tokens);
    for (let head = 0; head < heads; head++) {
      const start = (head * tokens + i) * tokens;
      for (let j = 0; j < tokens; j++) row[j] += matrix[start + j] / heads;
    }
    row[i] += 1;
    normalise(row);
    for (let j = 0; j < tokens; j++) next[j] += flow[i] * row[j];
  }
  return next;
}

function sizesOf({ grid, prefix = 0 }: Facts) {
  const count = grid[0] * grid[1];
  return { count, prefix, tokens: prefix + count };
}

function startTokens(facts: Facts): number[] { // the class token, or all patches
  const { count, prefix } = sizesOf(facts);
  return facts.start === START ? [0] : [...Array(count).keys()].map((i) => prefix + i);
}

function normalise(row: Numbers): Numbers { // in place
  const sum = row.reduce((a, b) => a + b, 0);
  return sum > 0 ? row.map((value, j) => (row[j] = value / sum)) : row;
}
