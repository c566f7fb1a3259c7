// Writes the client as one file, which the crate `forebay` serves. `--check` compares instead.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const FILE = new URL("../../crates/forebay/assets/forebay.js", import.meta.url);

/** @returns {Promise<string>} */
export async function bundle() {
  const entry = fileURLToPath(new URL("src/script.js", import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    legalComments: "none",
  });
  return outputFiles[0].text;
}

export const committed = () => readFile(FILE, "utf8");

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(FILE, await bundle());
