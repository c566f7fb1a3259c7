// What npm users get: packed, unpacked, and used by a program in TypeScript.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const TSC = join(PACKAGE, "node_modules/.bin/tsc");

const PROGRAM = `
import { start } from "forebay";
const forebay = start({ share: "user-42" });
const chat = forebay.subscribe({ channel: "ChatChannel", room: 1 }, { received: (message: unknown) => console.log(message) });
const sent: boolean = chat.perform("speak", { text: "hello" });
const transport: string | null = forebay.transport;
console.log(sent, transport, forebay.isShared, forebay.hasTags);
// @ts-expect-error there is no such option
start({ sharing: true });
`;

test("the package has its sources, types and licences, and a program in TypeScript compiles against it", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "forebay-"));
  t.after(() => rm(folder, { recursive: true }));
  const [{ filename, files }] = JSON.parse(
    execFileSync("npm", ["pack", "--json", "--loglevel=silent", "--pack-destination", folder], { cwd: PACKAGE, encoding: "utf8" }).replace(/^[^[]*/, ""),
  );
  const names = files.map(({ path }) => path);
  const sources = (await readdir(join(PACKAGE, "src"))).filter((name) => name.endsWith(".js"));
  const types = sources.map((name) => `types/${name.replace(/\.js$/, ".d.ts")}`);
  const others = ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "package.json"];
  assert.deepEqual(names.sort(), [...others, ...sources.map((name) => `src/${name}`), ...types].sort());

  const installed = join(folder, "node_modules/forebay");
  await mkdir(installed, { recursive: true });
  execFileSync("tar", ["-xf", join(folder, filename), "-C", installed, "--strip-components=1"]);
  await writeFile(join(folder, "program.mts"), PROGRAM);
  const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--types", ""];
  try {
    execFileSync(TSC, [...flags, "program.mts"], { cwd: folder, encoding: "utf8" });
  } catch (error) {
    assert.fail(error.stdout);
  }
});

test("it can be imported where there is no page: on a server that renders", async () => {
  const { start } = await import("../src/index.js");
  assert.equal(typeof start, "function");
});
