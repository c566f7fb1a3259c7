// A Redis server of a test's own: the log that several servers share.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onEnd } from "./cleanup.js";
import { within } from "./deadline.js";
import { freePort } from "./nginx.js";

const LISTENS = /Ready to accept connections/;

/** Its URL. It lives as long as the test. @param {import("node:test").TestContext} t @returns {Promise<string>} */
export async function redisFor(t) {
  const folder = await mkdtemp(join(tmpdir(), "forebay-redis-"));
  const port = await freePort();
  // What a server has acknowledged is to be there after a crash of its own, or it says that its log is not safe.
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes"];
  const redis = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve, reject) => redis.once("close", resolve).once("error", reject));
  onEnd(t, async () => {
    redis.kill("SIGKILL");
    await ended;
    await rm(folder, { recursive: true });
  });
  const listens = new Promise((resolve) => createInterface({ input: redis.stdout }).on("line", (line) => LISTENS.test(line) && resolve()));
  await within("Redis to listen", Promise.race([listens, ended.then((code) => Promise.reject(new Error(`redis-server ended with ${code}`)))]));
  return `redis://127.0.0.1:${port}`;
}
