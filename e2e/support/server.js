// Runs a Rust server for a test: starts the binary, waits for its `ready URL` line, stops it by its own pid.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onEnd } from "./cleanup.js";
import { within } from "./deadline.js";

const REPOSITORY = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const ASSETS = resolve(dirname(fileURLToPath(import.meta.url)), "../dist");
const READY = /^ready (https?:\/\/\S+)/;
// About a minute of debug logs; older lines are dropped, and the drop is shown.
const LOG_LINES_MAX = 2000;

/**
 * @typedef {object} ServerOptions
 * @property {string} [binary] default: the fixture app, see {@link fixtureBinary}
 * @property {string[]} [args]
 * @property {Record<string, string>} [env] on top of this process's environment
 */

/** The fixture app: `FOREBAY_E2E_APP`, else `debug/forebay-e2e-app` in cargo's target directory. */
export function fixtureBinary(env = process.env) {
  if (env.FOREBAY_E2E_APP) return resolve(env.FOREBAY_E2E_APP);
  return builtBinary("forebay-e2e-app", env);
}

/** A debug binary of this workspace. @param {string} name */
export function builtBinary(name, env = process.env) {
  return resolve(REPOSITORY, env.CARGO_TARGET_DIR ?? "target", "debug", name);
}

/**
 * Starts a server that lives as long as the test; prints its log if the test fails.
 *
 * @param {import("node:test").TestContext} t
 * @param {ServerOptions} [options]
 * @returns {Promise<Server>}
 */
export async function serverFor(t, options) {
  const server = new Server(options);
  onEnd(t, async () => {
    await server.stop();
    if (!t.passed) t.diagnostic(`log of ${server.binary}:\n${server.log}`);
  });
  await server.ready();
  return server;
}

/** One process of the server under test. */
export class Server {
  /** @type {string} set once {@link ready} has resolved */
  url;
  /** @type {string} */
  binary;
  #child;
  #exited;
  #ready;
  #lines = [];
  #linesDropped = 0;

  /** Starts the process at once. @param {ServerOptions} [options] */
  constructor({ binary = fixtureBinary(), args = [], env = {} } = {}) {
    if (!existsSync(binary)) {
      throw new Error(`no server at ${binary}; build it with cargo, or set FOREBAY_E2E_APP`);
    }
    this.binary = binary;
    this.#child = spawn(binary, args, {
      env: { ...process.env, FOREBAY_E2E_ASSETS: ASSETS, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => resolve({ code, signal }));
      this.#child.once("error", (error) => resolve({ error }));
    });
    this.#ready = this.#watchOutput();
  }

  get pid() {
    return this.#child.pid;
  }

  /** What it has written so far, stdout and stderr mixed as they came. */
  get log() {
    const dropped = this.#linesDropped > 0 ? [`(${this.#linesDropped} earlier lines dropped)`] : [];
    return [...dropped, ...this.#lines].join("\n");
  }

  /** Resolves with the base URL when the process has announced it. @returns {Promise<string>} */
  async ready() {
    const died = this.#exited.then((exit) => {
      throw new Error(`the server ended before it was ready: ${JSON.stringify(exit)}\n${this.log}`);
    });
    this.url = await within("the server's ready line", Promise.race([this.#ready, died]), { detail: () => this.log });
    return this.url;
  }

  /** Asks it to end and waits until it has. @returns {Promise<{code: number | null, signal: string | null}>} */
  async stop(signal = "SIGTERM") {
    if (this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
      process.kill(this.#child.pid, signal);
      this.thaw(); // a frozen process gets its signal only then
    }
    try {
      return await within(`the server to end after ${signal}`, this.#exited, { detail: () => this.log });
    } catch (error) {
      this.#child.kill("SIGKILL");
      await this.#exited;
      throw error;
    }
  }

  /** Ends it without a chance to say goodbye. */
  kill() {
    return this.stop("SIGKILL");
  }

  /** Stops it from running while its sockets stay open: the peer that is alive and silent. */
  freeze() {
    process.kill(this.pid, "SIGSTOP");
  }

  thaw() {
    process.kill(this.pid, "SIGCONT");
  }

  #watchOutput() {
    return new Promise((resolve) => {
      for (const stream of [this.#child.stdout, this.#child.stderr]) {
        createInterface({ input: stream }).on("line", (line) => {
          this.#keep(line);
          const ready = READY.exec(line);
          if (ready && stream === this.#child.stdout) resolve(ready[1]);
        });
      }
    });
  }

  #keep(line) {
    this.#lines.push(line);
    if (this.#lines.length > LOG_LINES_MAX) {
      this.#lines.shift();
      this.#linesDropped += 1;
    }
  }
}
