// Writes what the crate `forebay` serves: the client, the shared worker, and the scripts of pages that are inspected and of the inspector, each as one file.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const SOURCES = new URL("src/", import.meta.url);
const ASSETS = new URL("../../crates/forebay-core/assets/", import.meta.url);

/** By the names under which they are served. @type {Record<string, string>} */
export const BUNDLES = { "forebay.js": "script.js", "worker.js": "worker.js", "inspect.js": "inspect/script.js", "inspector.js": "inspector/script.js" };

/** @param {string} name @returns {Promise<string>} */
export async function bundle(name) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(BUNDLES[name], SOURCES))],
    bundle: true,
    // It is served beside.
    external: ["./forebay.js"],
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    legalComments: "none",
  });
  return outputFiles[0].text;
}

/** @param {string} name */
export const committed = (name) => readFile(new URL(name, ASSETS), "utf8");

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of Object.keys(BUNDLES)) await writeFile(new URL(name, ASSETS), await bundle(name));
}
