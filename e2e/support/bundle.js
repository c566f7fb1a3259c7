// Bundles the stock clients from npm, unchanged, into e2e/dist for the server under test to serve under /assets.
// Run as a program (`npm run bundle`, which `npm test` does first) or by a test file that wants to be run alone.

import { mkdir, rename, writeFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Where the bundles go; the Rust app gets it as `FOREBAY_E2E_ASSETS`. */
export const ASSETS = resolve(ROOT, "dist");

/** File names under {@link ASSETS}: each is one self-contained ES module. */
export const BUNDLES = ["stock.js", "forebay.js", "actioncable.js", "anycable.js", "anycable_ext.js", "anycable_presence.js"];

/** Writes all bundles. @returns {Promise<string>} the directory */
export async function bundle() {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: BUNDLES.map((name) => `entries/${name}`),
    outdir: ASSETS,
    bundle: true,
    external: ["../forebay/*"],
    format: "esm",
    target: "es2022",
    logLevel: "warning",
    write: false,
  });
  await mkdir(ASSETS, { recursive: true });
  await Promise.all(outputFiles.map(({ path, contents }) => replaceFile(path, contents)));
  return ASSETS;
}

/** By renaming: test files run in parallel processes, and a server must not read half a bundle. */
async function replaceFile(path, contents) {
  const partial = resolve(dirname(path), `.${basename(path)}.${process.pid}`);
  await writeFile(partial, contents);
  await rename(partial, path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(await bundle());
}
