// All addresses of a page follow from one (the cable's), wherever the server is: nested in an app, below a path that a proxy takes
// away, at another origin. With every client, behind a real nginx.

import assert from "node:assert/strict";
import { test } from "node:test";
import { appends } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { freePort, nginxFor } from "../support/nginx.js";
import { catchUp, EXPECTED_ERRORS, openWith, PAGE_CLIENTS } from "../support/page_clients.js";
import { roomFor } from "../support/room.js";

const browser = useBrowser();
const CLIENTS = Object.values(PAGE_CLIENTS);
const at = (port) => `http://127.0.0.1:${port}`;

/** Everything that the page asks for while it is live, but for its own files. @param {import("playwright-core").Page} page */
const watchLive = (page) => {
  const urls = [];
  const watch = (url) => /\/(cable|events|poll)(\?|$)/.test(url) && urls.push(url.replace(/\?.*/, "").replace(/^ws/, "http"));
  page.on("request", (request) => watch(request.url()));
  page.on("websocket", (socket) => watch(socket.url()));
  return urls;
};

/** What the client's connections are called, below the place that the cable is at. */
const routeOf = ({ name }) => {
  if (name === "EventSource" || name.endsWith("events")) return "/forebay/events";
  return name.endsWith("poll") ? "/forebay/poll" : "/cable";
};

/**
 * The page is live, is cut, catches up, and all that it asked for is below `live`.
 *
 * @param {import("../support/room.js").Room} room @param {import("../support/page_clients.js").PageClient} client
 * @param {{baseURL: string, live: string, query?: Record<string, string>}} where
 */
async function goesOn(room, client, { baseURL, live, query }) {
  let urls = [];
  // What nginx says by itself of a server that was cut off has no headers of the server's.
  const allow = [...EXPECTED_ERRORS, /blocked by CORS policy/];
  const viewer = await openWith(room, client, { baseURL, query, allow, prepare: async (page) => void (urls = watchLive(page)) });
  await room.create("one");
  await viewer.shows("one");
  room.proxy.cut();
  await room.create("two");
  await catchUp(viewer, "two");
  const { rows, applied, loads, visits } = await viewer.state();
  assert.deepEqual({ rows, loads, visits }, { rows: ["one", "two"], loads: 1, visits: 0 });
  assert.deepEqual(client.once ? applied : [...new Set(applied)], appends(["one", "two"]));
  assert.deepEqual([...new Set(urls)], [live + routeOf(client)]);
}

/** Where the app's router is, and where browsers find it. `strips`: the proxy takes its own path away. */
const PLACES = [
  { what: "nested under a path, which a proxy passes on", nest: "/shop", base: "/shop" },
  { what: "below a path that a proxy takes away", base: "/shop", strips: true },
  { what: "nested, below a path that a proxy takes away", nest: "/app", base: "/shop/app", strips: true },
];

for (const { what, nest, base, strips } of PLACES) {
  for (const client of CLIENTS) {
    test(`${client.name}: an app ${what}`, async (t) => {
      const env = { FOREBAY_E2E_BASE: base, ...(nest && { FOREBAY_E2E_NEST: nest }), ...(strips && { FOREBAY_E2E_PUBLIC_URL: base }) };
      const room = await roomFor(t, browser, { env });
      const port = await freePort();
      await nginxFor(t, port, [{ path: "/shop/", to: room.proxy.url + (strips ? "/" : "") }]);
      await goesOn(room, client, { baseURL: `${at(port)}${base}/`, live: at(port) + base });
    });
  }
}

/** `*` lets every origin in, and a page of one may bring its visitor's cookies, whatever carries its entries. */
for (const origins of ["the page's", "*"]) {
  for (const client of CLIENTS) {
    test(`${client.name}: a page of another origin than its server's, which lets ${origins} in`, async (t) => {
      const [pages, live] = [await freePort(), await freePort()];
      const env = {
        FOREBAY_E2E_BASE: "/shop",
        FOREBAY_E2E_PUBLIC_URL: `${at(live)}/live`,
        FOREBAY_E2E_ORIGINS: origins === "*" ? origins : at(pages),
      };
      const room = await roomFor(t, browser, { env });
      await nginxFor(t, pages, [
        { path: "~ ^/shop/(cable|forebay/(events|poll))", to: "http://127.0.0.1:9" },
        { path: "/shop/", to: `${room.proxy.url}/` },
      ]);
      await nginxFor(t, live, [{ path: "/live/", to: `${room.proxy.url}/` }]);
      const query = { cable: `ws://127.0.0.1:${live}/live/cable` };
      await goesOn(room, client, { baseURL: `${at(pages)}/shop/`, live: `${at(live)}/live`, query });
    });
  }
}
