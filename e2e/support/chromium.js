// Where Chromium is and how it is started: the system's own, headless, silent on the network.
// Nothing is downloaded: a test tool's private browser would not be the one that users of this machine have.

import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { chromium } from "playwright-core";

const CANDIDATES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "google-chrome", "google-chrome-stable", "chromium"];

// Without the last four, Chromium looks up its vendor's hosts at every start, which a closed network refuses noisily.
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * The browser's path: `CHROMIUM` if set, else the first candidate that exists.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string}
 */
export function chromiumPath(env = process.env) {
  if (env.CHROMIUM) {
    const chosen = resolveExecutable(env.CHROMIUM, env);
    if (!chosen) throw new Error(`CHROMIUM=${env.CHROMIUM} is not an executable file`);
    return chosen;
  }
  for (const candidate of CANDIDATES) {
    const found = resolveExecutable(candidate, env);
    if (found) return found;
  }
  throw new Error(
    "no Chromium found; install it with `apt-get install chromium`, or set CHROMIUM to the path of one " +
      `(looked for ${CANDIDATES.join(", ")})`,
  );
}

/**
 * @param {import("playwright-core").LaunchOptions} [options] e.g. `{ignoreDefaultArgs: ["--disable-back-forward-cache"]}`
 * @returns {Promise<import("playwright-core").Browser>} in a new, empty profile
 */
export function launchChromium(options = {}) {
  return chromium.launch({ executablePath: chromiumPath(), headless: true, ...options, args: [...FLAGS, ...(options.args ?? [])] });
}

function resolveExecutable(name, env) {
  const paths = isAbsolute(name) ? [name] : (env.PATH ?? "").split(delimiter).map((dir) => join(dir, name));
  return paths.find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
