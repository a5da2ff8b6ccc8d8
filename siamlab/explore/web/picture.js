// Picture: panels as they are on the page, drawn on a canvas.

const SHARP = 2; // pixels of the picture for one of the page
const EDGE = 16; // pixels around the panels
const SVG_STYLE = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-size", "text-anchor",
  "font-family", "paint-order", "vector-effect", "opacity"];

async function picture(panels, atlas) { // with the atlas of a map, its neighbours and classes too
  const area = panels.getBoundingClientRect();
  if (atlas) area.height = atlas.legend.getBoundingClientRect().bottom - area.top;
  const canvas = document.createElement("canvas");
  canvas.width = SHARP * (area.width + 2 * EDGE);
  canvas.height = SHARP * (area.height + 2 * EDGE);
  const pen = canvas.getContext("2d");
  pen.fillStyle = getComputedStyle(document.body).backgroundColor;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.setTransform(SHARP, 0, 0, SHARP, SHARP * (EDGE - area.left), SHARP * (EDGE - area.top));
  for (const figure of panels.querySelectorAll("figure")) {
    writeOn(pen, figure.querySelector("figcaption"));
    const stage = figure.querySelector(".stage");
    if (!stage) drawAsIs(pen, figure.querySelector("canvas"));
    else await drawStage(pen, stage);
    drawScale(pen, figure.querySelector(".scale"));
  }
  if (atlas) await drawAtlas(pen, atlas);
  return canvas;
}

function writeOn(pen, element) {
  const [area, style] = [element.getBoundingClientRect(), getComputedStyle(element)];
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  pen.fillStyle = style.color;
  pen.textBaseline = "middle";
  pen.fillText(element.textContent, area.left, area.top + area.height / 2, Math.max(1, area.width));
}

function drawAsIs(pen, canvas) { // a scatter of the map
  const { left, top, width, height } = canvas.getBoundingClientRect();
  pen.drawImage(canvas, left, top, width, height);
}

async function drawAtlas(pen, { about, sheet, views, legend }) {
  for (const tile of views.flatMap((view) => [...view.near.querySelectorAll(".tile")])) {
    const { left, top, width, height } = tile.getBoundingClientRect();
    const [x, y] = tile.style.backgroundPosition.match(/-?\d+/g).map((word) => Math.abs(word));
    pen.fillStyle = tile.style.borderColor;
    pen.fillRect(left, top, width, height);
    pen.drawImage(sheet, x, y, about.tile, about.tile, left + 3, top + 3, about.tile, about.tile);
    writeOn(pen, tile.nextElementSibling);
  }
  for (const button of legend.querySelectorAll("button")) {
    const svg = button.querySelector("svg");
    const { left, top, width, height } = svg.getBoundingClientRect();
    pen.drawImage(await drawn(svg, width, height), left, top, width, height);
    writeOn(pen, button.querySelector("span"));
  }
}

async function drawStage(pen, stage) {
  const [image, heat, svg] = ["img", "canvas", "svg"].map((name) => stage.querySelector(name));
  const { left, top, width, height } = stage.getBoundingClientRect();
  const grey = stage.classList.contains("heated");
  pen.drawImage(grey ? greyed(image) : image, left, top, width, height);
  pen.imageSmoothingEnabled = false;
  pen.globalAlpha = Number(getComputedStyle(heat).opacity);
  if (!heat.hidden) pen.drawImage(heat, left, top, width, height);
  pen.globalAlpha = 1;
  pen.imageSmoothingEnabled = true;
  pen.drawImage(await drawn(svg, width, height), left, top, width, height);
}

function greyed(image) { // as the style sheet does it
  const size = { width: image.naturalWidth, height: image.naturalHeight };
  const canvas = Object.assign(document.createElement("canvas"), size);
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0);
  const pixels = pen.getImageData(0, 0, size.width, size.height);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const [r, g, b] = pixels.data.subarray(i, i + 3);
    pixels.data.fill(0.857 * (0.2126 * r + 0.7152 * g + 0.0722 * b) + 36.5, i, i + 3);
  }
  pen.putImageData(pixels, 0, 0);
  return canvas;
}

async function drawn(svg, width, height) { // a copy that needs no style sheet
  const copy = svg.cloneNode(true);
  const [own, copied] = [svg, copy].map((each) => each.querySelectorAll("*"));
  own.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of SVG_STYLE) copied[i].style.setProperty(name, style.getPropertyValue(name));
  });
  Object.entries({ xmlns: SVG, width, height }).forEach((pair) => copy.setAttribute(...pair));
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  return image;
}

function drawScale(pen, scale) {
  if (!scale || scale.hidden) return;
  for (const element of scale.children) {
    if (!element.classList.contains("bar")) writeOn(pen, element);
    else drawBar(pen, element);
  }
}

function drawBar(pen, bar) { // the colours of its background, from left to right
  const { left, top, width, height } = bar.getBoundingClientRect();
  const colours = bar.style.backgroundImage.match(/rgba?\([^)]*\)/g);
  const fill = pen.createLinearGradient(left, 0, left + width, 0);
  colours.forEach((colour, i) => fill.addColorStop(i / (colours.length - 1), colour));
  pen.fillStyle = "#fff";
  pen.fillRect(left, top, width, height);
  pen.fillStyle = fill;
  pen.fillRect(left, top, width, height);
}
