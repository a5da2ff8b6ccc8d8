// Bundles the scripts: node build.mjs [FOLDER] makes those of built/, node build.mjs --tests their tests.

import { readdirSync } from "node:fs";
import { build } from "esbuild";

const common = {
  bundle: true, format: "esm", target: "es2022", charset: "utf8", logLevel: "warning",
  loader: { ".css": "text", ".html": "text" }, external: ["./features.js", "./onnxruntime/*"],
};
const view = "src/view_page.ts"; // starts the page
const source = (name) => ({ source: `./src/${name}.ts` }); // where a page has photographs and numbers from
const cell = { // a function, so that each view of a widget has modules of its own
  format: "iife", globalName: "cell",
  banner: { js: "// Built from siamlab/explore/web/src by `make web`.\nfunction fresh() {" },
  footer: { js: "return cell; }\nexport default { render: (context) => fresh().render(context) };" },
};

async function buildScripts(outdir) {
  const banner = { js: "// Built from siamlab/explore/web/src by `make web`." };
  const entries = ["widget", "page", "sheet", "features"].map((name) => `src/${name}.ts`);
  await build({ ...common, outdir, banner, entryPoints: entries });
  await build({ ...common, outdir, banner, entryPoints: { view }, alias: source("server") });
  await build({ ...common, outdir, banner, entryPoints: { demo: view }, alias: source("local") });
  await build({ ...common, outdir, banner, entryPoints: { viewer: "src/viewer.ts" }, alias: source("server") });
  await build({ ...common, ...cell, outdir, entryPoints: { cell: "src/view_cell.ts" }, alias: source("cell") });
}

async function buildTests() {
  const files = readdirSync("test").filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`);
  await build({ ...common, platform: "node", outdir: "node_modules/.tests", outExtension: { ".js": ".mjs" },
    entryPoints: files, alias: source("server") });
}

const [, , word] = process.argv;
await (word === "--tests" ? buildTests() : buildScripts(word ?? "built"));
