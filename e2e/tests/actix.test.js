// The app of examples/actix: another web framework in front of the same core (forebay-core). Its pages have the stock client, and the
// promises are the same.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { useBrowser } from "../support/browser.js";
import { cable, forwarded, provesOffset } from "../support/cable.js";
import { proxyFor } from "../support/fault_proxy.js";
import { comeBack, waitForConnected, waitForDisconnected } from "../support/page.js";
import { builtBinary, serverFor } from "../support/server.js";

const TURBO = fileURLToPath(new URL("../node_modules/@hotwired/turbo-rails/app/assets/javascripts/turbo.js", import.meta.url));
const { version } = JSON.parse(readFileSync(new URL("../node_modules/@hotwired/turbo-rails/package.json", import.meta.url), "utf8"));
/** Where the page loads it from. Nothing leaves this machine: the file above is the answer. */
const TURBO_URL = `https://cdn.jsdelivr.net/npm/@hotwired/turbo-rails@${version}/app/assets/javascripts/turbo.js`;

const browser = useBrowser();

async function roomFor(t) {
  const env = { SECRET_KEY_BASE: "a secret for the test", PORT: "0" };
  const server = await serverFor(t, { binary: builtBinary("forebay-actix"), env });
  const proxy = await proxyFor(t, server);
  /** Writes a message, as another visitor does who has no page. */
  const post = async (body) => {
    const answer = await fetch(`${server.url}/messages`, { method: "POST", body: new URLSearchParams({ body }), redirect: "manual" });
    assert.equal(answer.status, 303);
  };
  return { server, proxy, post };
}

async function open(t, proxy) {
  const prepare = (page) => page.route(TURBO_URL, (route) => route.fulfill({ path: TURBO, contentType: "text/javascript" }));
  const page = await browser.page(t, { baseURL: proxy.url, prepare });
  await page.goto("/");
  await waitForConnected(page);
  return page;
}

/** Waits until the page shows these messages and no others. */
async function shows(page, expected) {
  await page.waitForFunction(
    (expected) => JSON.stringify([...document.querySelectorAll("#messages p")].map((p) => p.textContent)) === expected,
    JSON.stringify(expected),
  );
}

test("actix: the page shows what is there, and what comes", async (t) => {
  const { proxy, post } = await roomFor(t);
  await post("before the page");
  const [ada, grace] = [await open(t, proxy), await open(t, proxy)];
  await shows(ada, ["before the page"]);

  await ada.getByLabel("Message").fill("hello & <b>welcome</b>");
  await ada.getByLabel("Message").press("Enter");
  for (const page of [ada, grace]) await shows(page, ["before the page", "hello & <b>welcome</b>"]);
});

test("actix: a page whose socket dies is replayed what it missed, once and in order", async (t) => {
  const { proxy, post } = await roomFor(t);
  const page = await open(t, proxy);
  await post("one");
  await shows(page, ["one"]);
  await proxy.messages.waitFor(forwarded(provesOffset(1)));
  proxy.cut({ match: cable, reset: true });
  await waitForDisconnected(page);
  await post("two");
  await post("three");
  await comeBack(page);
  await waitForConnected(page);
  await post("four");
  await shows(page, ["one", "two", "three", "four"]);
});

test("actix: events and polls are answered, and strangers are refused", async (t) => {
  const { server } = await roomFor(t);
  const poll = (init) => fetch(`${server.url}/forebay/poll?wait=0`, { method: "POST", body: "[]", ...init });
  const json = { "content-type": "application/json" };
  assert.equal((await poll({ headers: json })).status, 200);
  assert.equal((await poll({ headers: { ...json, origin: "https://evil.example" } })).status, 403);
  assert.equal((await fetch(`${server.url}/cable`)).status, 426);
  const script = await fetch(`${server.url}/forebay/forebay.js`);
  assert.match(script.headers.get("content-type"), /javascript/);

  const page = await (await fetch(server.url)).text();
  const [, name] = /signed-stream-name="([^"]+)"/.exec(page);
  const events = new AbortController();
  const [signed, cursor] = name.split(/\.(?=[^.]*$)/);
  const query = new URLSearchParams({ stream: signed, cursor });
  const source = await fetch(`${server.url}/forebay/events?${query}`, { headers: { accept: "text/event-stream" }, signal: events.signal });
  assert.equal(source.status, 200);
  assert.match(source.headers.get("content-type"), /event-stream/);
  events.abort();
});

test("actix: what joins Forebay to another framework is one file of 150 lines", () => {
  const edge = readFileSync(new URL("../../examples/actix/src/edge.rs", import.meta.url), "utf8");
  const code = edge.split("\n").filter((line) => line.trim() && !line.trim().startsWith("//"));
  assert.ok(code.length <= 150, `${code.length} lines`);
});
