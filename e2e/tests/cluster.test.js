// Nodes behind one address that are killed: the demo's buttons, and a short kill loop. `cargo xtask kill` is the long one, on each log.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { ASSETS } from "../support/bundle.js";
import { onEnd } from "../support/cleanup.js";
import { builtBinary, serverFor } from "../support/server.js";

const BINARY = builtBinary("forebay-cluster");
const SCRIPT = resolve(import.meta.dirname, "../cluster/pages.js");
/** Chromium reports every request to a node that is away. */
const AWAY = [/net::ERR_|WebSocket connection to|Failed to load resource/];

/** Logs that are tried, with the number of their nodes. */
const LOGS = [
  ["folder", 1],
  ["redis", 3],
  ["nats", 3],
  ["postgres", 3],
];

const browser = useBrowser();

for (const [log, nodes] of LOGS) {
  test(`the demo's tunnel on ${log}: nodes are killed and restarted by its buttons, and Forebay's pane misses nothing`, async (t) => {
    const args = ["demo", "--log", log, "--nodes", String(nodes), "--port", "0", "--chat", builtBinary("forebay-chat")];
    const server = await serverFor(t, { binary: BINARY, args });
    const page = await browser.page(t, { baseURL: server.url, allow: AWAY });
    await page.goto("/tunnel");
    const pane = () => page.frames().find((frame) => frame.url().endsWith("client=forebay"));
    const isShown = (number) => pane().waitForSelector(`[data-number="${number}"]`, { state: "attached" });
    const isIn = (state, part) => page.waitForSelector(`[data-part="${part}"][data-state="${state}"]`);
    await page.click("[data-start]");
    await isShown(3);
    for (let node = 0; node < nodes; node += 1) {
      await page.click(`[data-act=kill-${node}]`);
      await isIn("dead", node);
    }
    for (let node = 0; node < nodes; node += 1) {
      await page.click(`[data-act=restart-${node}]`);
      await isIn("ready", node);
    }
    await isShown(20);
    const rows = await pane().locator("[data-number]").evaluateAll((rows) => rows.map(({ dataset }) => Number(dataset.number)));
    assert.deepEqual(rows, rows.map((_, index) => index + 1));
  });
}

test("a kill loop: what pages show is what the database has", async (t) => {
  const { code, said } = await killLoop(t, "folder", ["--kills", "4", "--only", "kill-node,stop-node,kill-writer,kill-store"]);
  assert.equal(code, 0, said);
  assert.match(said, /\| 2 stock \| \d+ \| 0 \| 0 \| 0 \| 0 \|/);
});

test("a kill loop fails where a row is not broadcast", async (t) => {
  const { code, said } = await killLoop(t, "folder", ["--only", "kill-writer", "--without-outbox", "--patience", "2"]);
  assert.equal(code, 1, said);
  assert.match(said, /a page does not show what the database has/);
});

/** Its exit code, and what it said. */
async function killLoop(t, log, more) {
  const args = ["kill", "--log", log, "--pages", "2", "--assets", ASSETS, "--script", SCRIPT, ...more];
  const loop = spawn(BINARY, args, { stdio: ["ignore", "pipe", "pipe"] });
  onEnd(t, () => loop.kill());
  let said = "";
  for (const output of [loop.stdout, loop.stderr]) output.on("data", (text) => (said += text));
  const [code] = await once(loop, "close");
  return { code, said };
}
