// A real nginx in front of a server, as it stands in front of most apps.

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onEnd } from "./cleanup.js";
import { within } from "./deadline.js";

/** What nginx says once it listens. */
const LISTENS = "event method";

/** What every way to a server needs so that WebSockets pass and origins are compared rightly; see docs/serve.md. */
const PASSED_ON = `
  proxy_http_version 1.1;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  proxy_set_header Host $http_host;`;

/** A port that nobody has at this moment. @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/**
 * Where a path leads.
 *
 * @typedef {object} Way
 * @property {string} path as nginx has it behind `location`
 * @property {string} to the address of a server; with a path, that takes the place of the location's
 */

/**
 * nginx at this port, for as long as the test.
 *
 * @param {import("node:test").TestContext} t @param {number} port @param {Way[]} ways
 */
export async function nginxFor(t, port, ways) {
  const folder = await mkdtemp(join(tmpdir(), "forebay-nginx-"));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`);
  const locations = ways.map(({ path, to }) => `location ${path} { proxy_pass ${to}; ${PASSED_ON} }`);
  const file = join(folder, "nginx.conf");
  await writeFile(
    file,
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr notice;
    events {}
    http {
      access_log off;
      ${temporary.join("\n")}
      map $http_upgrade $connection_upgrade { default upgrade; "" close; }
      server { listen 127.0.0.1:${port}; ${locations.join("\n")} }
    }`,
  );
  const child = spawn("nginx", ["-p", folder, "-c", file, "-e", "stderr"], { stdio: ["ignore", "ignore", "pipe"] });
  const lines = [];
  const ended = new Promise((resolve) => child.once("close", resolve).once("error", resolve));
  const listens = new Promise((resolve) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      lines.push(line);
      if (line.includes(LISTENS)) resolve(undefined);
    });
  });
  onEnd(t, async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true });
    if (!t.passed) t.diagnostic(`log of nginx:\n${lines.join("\n")}`);
  });
  const failed = ended.then((why) => Promise.reject(new Error(`nginx ended: ${why}\n${lines.join("\n")}`)));
  failed.catch(() => {}); // that it ends at the end is no failure
  await within("nginx to listen", Promise.race([listens, failed]), { detail: () => lines.join("\n") });
}
