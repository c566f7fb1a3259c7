// A room as `roomFor` makes it, served by Rails: the fixture app of e2e/rails, `forebay serve`, and nginx in front of both.

import { fileURLToPath } from "node:url";
import { proxyFor } from "./fault_proxy.js";
import { freePort, nginxFor } from "./nginx.js";
import { Room } from "./room.js";
import { builtBinary, serverFor } from "./server.js";

const APP = fileURLToPath(new URL("../rails/app.rb", import.meta.url));
const RUBY = process.env.RUBY ?? "/usr/bin/ruby";
const SECRET_KEY_BASE = "0123456789abcdef0123456789abcdef";

/** `forebay serve` takes our variables for options that it does not have. */
const OURS = ["FOREBAY_E2E_ASSETS", ...Object.keys(process.env).filter((name) => name.startsWith("FOREBAY_"))];
const WITHOUT_OURS = Object.fromEntries(OURS.map((name) => [name, undefined]));

/**
 * @param {import("node:test").TestContext} t @param {ReturnType<typeof import("./browser.js").useBrowser>} browser
 * @param {{env?: Record<string, string>, query?: import("./room.js").Query}} [options]
 */
export async function railsRoomFor(t, browser, { env = {}, query = {} } = {}) {
  // Debian's Rails is older than 7.0, so its keys are derived with SHA-1.
  const secret = ["--secret-key-base", SECRET_KEY_BASE, "--secret-key-base-digest", "sha1"];
  const forebay = await serverFor(t, { binary: builtBinary("forebay"), args: ["serve", "--port", "0", ...secret], env: WITHOUT_OURS });
  const rails = await serverFor(t, { binary: RUBY, args: [APP], env: { RAILS_ENV: "production", SECRET_KEY_BASE, FOREBAY_URL: forebay.url, ...env } });
  const port = await freePort();
  await nginxFor(t, port, [
    { path: "~ ^/(cable|forebay/)", to: forebay.url },
    { path: "/", to: rails.url },
  ]);
  const front = { url: `http://127.0.0.1:${port}` };
  return new Room(t, browser, { server: front, proxy: await proxyFor(t, front), query });
}
