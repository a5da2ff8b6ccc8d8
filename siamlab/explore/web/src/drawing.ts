// Drawing: what lies on the picture of a panel, anew.

import { drawPanel } from "./marks";
import type { Grid, Panel, View } from "./scene";
import { UNIT } from "./shapes";

export function clickable(panel: Panel): panel is Panel & { grid: Grid } {
  return Boolean(panel.grid && !panel.still);
}

export function draw(view: View): void {
  const { svg, panel, ratio } = view;
  if (!ratio) return; // its picture is not here yet
  svg.setAttribute("viewBox", `0 0 ${UNIT} ${UNIT * ratio}`);
  svg.replaceChildren();
  view.focused = document.activeElement === svg && clickable(panel);
  drawPanel(view);
}
