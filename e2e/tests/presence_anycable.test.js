// @anycable/core's channel.presence and @anycable/turbo-stream's <turbo-cable-presence-source>, as npm has them: who is there is
// right on every page after joins, second tabs, cuts, outages and restarts.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { cable, forwarded, isConfirm } from "../support/cable.js";
import { onEnd } from "../support/cleanup.js";
import { eventually } from "../support/deadline.js";
import { roomFor } from "../support/room.js";
import { serverFor } from "../support/server.js";

const browser = useBrowser();
const allow = [/net::ERR_|WebSocket connection to|Failed to load resource/];
const STREAM = "public/lobby";

const isInfo = (m) => m.direction === "down" && m.json?.type === "presence" && m.json.message.type === "info";
const isRequest = (m) => m.direction === "up" && m.json?.command === "presence";
const isJoin = (m) => m.direction === "up" && (m.json?.command === "join" || m.json?.presence);

const lobbyFor = (t, env = {}) => roomFor(t, browser, { env: { FOREBAY_E2E_ANYCABLE: "1", ...env } });

/** A page with AnyCable's client, which has nothing of ours. */
async function blank(t, lobby, baseURL = lobby.proxy.url) {
  const page = await browser.page(t, { baseURL, allow });
  await page.goto("/blank?script=anycable_presence");
  await page.waitForFunction(() => window.cable);
  return page;
}

/** A page that is subscribed to the lobby, knows who is there, and is there itself if it has an id. */
async function visitor(t, lobby, id, baseURL) {
  const page = await blank(t, lobby, baseURL);
  await page.evaluate(async ([stream, id]) => {
    const channel = window.cable.streamFrom(stream);
    window.channel = channel;
    window.events = [];
    channel.on("presence", (event) => window.events.push(event.id ? `${event.type} ${event.id}` : event.type));
    await channel.ensureSubscribed();
    if (id) channel.presence.join(id, { name: id });
    await channel.presence.info();
  }, [STREAM, id]);
  return page;
}

const present = (page) => page.evaluate(async () => Object.keys(await window.channel.presence.info()).sort());
const known = (page) => page.evaluate(() => Object.keys(window.channel.presence._state ?? {}).sort());
const events = (page) => page.evaluate(() => window.events.filter((event) => /^(join|leave)/.test(event)));
const knows = (page, ids) =>
  eventually(`the page knows ${ids}`, async () => JSON.stringify(await known(page)) === JSON.stringify(ids));
const isBack = (page) => page.waitForFunction(() => window.channel.state === "connected");

test("who comes and leaves is told to all, a second tab is not seen, and a closed page is gone after its grace", async (t) => {
  const lobby = await lobbyFor(t);
  const ann = await visitor(t, lobby, "ann");
  const bob = await visitor(t, lobby, "bob");
  await knows(ann, ["ann", "bob"]);
  assert.deepEqual(await present(bob), ["ann", "bob"]);
  const tab = await visitor(t, lobby, "bob");
  await knows(tab, ["ann", "bob"]);
  await bob.close();
  await ann.evaluate(() => window.channel.presence.leave());
  await knows(ann, ["bob"]);
  await knows(tab, ["bob"]);
  await tab.close();
  await knows(ann, []);
  assert.deepEqual(await events(ann), ["join ann", "join bob", "leave ann", "leave bob"]);
});

test("a cut while others come and leave: the page that was away knows who is there without asking, and nobody else sees it leave", async (t) => {
  const lobby = await lobbyFor(t);
  // These do not pass the proxy.
  const [watcher, eve] = [await visitor(t, lobby, undefined, lobby.url), await visitor(t, lobby, "eve", lobby.url)];
  const ann = await visitor(t, lobby, "ann");
  for (const page of [watcher, ann]) await knows(page, ["ann", "eve"]);
  const from = lobby.proxy.messages.mark();
  const outage = lobby.proxy.outage({ match: cable });
  await ann.waitForFunction(() => window.channel.state !== "connected");
  await eve.evaluate(() => window.channel.presence.leave());
  const dan = await visitor(t, lobby, "dan", lobby.url);
  await knows(watcher, ["ann", "dan"]);
  outage.end();
  await isBack(ann);
  await lobby.proxy.messages.waitFor(forwarded(isInfo), { from });
  for (const page of [watcher, ann, dan]) await knows(page, ["ann", "dan"]);
  assert.deepEqual(await events(watcher), ["join eve", "join ann", "leave eve", "join dan"]);
  assert.deepEqual(await events(ann), ["join ann", "leave eve", "join dan"], "what it missed, in order");
  assert.deepEqual(lobby.proxy.messages.all.slice(from).filter(isRequest), [], "it has not asked");
});

test("a server that is ended and comes back with its log: nobody has left", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "forebay-e2e-"));
  onEnd(t, () => rm(folder, { recursive: true }));
  const env = { FOREBAY_E2E_ANYCABLE: "1", FOREBAY_E2E_LOG: join(folder, "log") };
  const lobby = await lobbyFor(t, env);
  const ann = await visitor(t, lobby, "ann");
  const bob = await visitor(t, lobby, "bob");
  await knows(ann, ["ann", "bob"]);
  await lobby.server.stop("SIGTERM");
  lobby.moveTo(await serverFor(t, { env }));
  for (const page of [ann, bob]) await isBack(page);
  for (const page of [ann, bob]) await knows(page, ["ann", "bob"]);
  await visitor(t, lobby, "eve");
  await knows(ann, ["ann", "bob", "eve"]);
  assert.deepEqual((await events(ann)).filter((event) => event.startsWith("leave")), []);
});

test("a server that has lost its log: all are there again, and each page is told so without asking", async (t) => {
  const lobby = await lobbyFor(t);
  const ann = await visitor(t, lobby, "ann");
  const bob = await visitor(t, lobby, "bob");
  await knows(ann, ["ann", "bob"]);
  const from = lobby.proxy.messages.mark();
  lobby.moveTo(await serverFor(t, { env: { FOREBAY_E2E_ANYCABLE: "1" } }));
  lobby.proxy.cut();
  for (const page of [ann, bob]) await isBack(page);
  await lobby.proxy.messages.waitFor(forwarded(isConfirm), { from, count: 2 });
  for (const page of [ann, bob]) await knows(page, ["ann", "bob"]);
  assert.ok(lobby.proxy.messages.all.slice(from).filter(isJoin).length >= 2);
  assert.deepEqual(lobby.proxy.messages.all.slice(from).filter(isRequest), []);
});

/** As Rails' MessageVerifier signs a name of `$pubsub`. */
function signed(name) {
  const data = Buffer.from(JSON.stringify(name)).toString("base64");
  const mac = createHmac("sha256", "a secret of the browser tests only").update(data).digest("hex");
  return `${data}--${mac}`;
}

/** A page with AnyCable's element, which shows everybody who is there by the HTML that they bring along. */
async function withElement(t, lobby, id) {
  const page = await blank(t, lobby);
  await page.evaluate(([id, name]) => {
    const shown = `<turbo-stream action="append" target="here"><template><li id="${id}">${id}</li></template></turbo-stream>`;
    const source =
      `<turbo-cable-presence-source signed-stream-name="${name}" presence-id="${id}">` +
      `<span data-presence-counter></span><template>${shown}</template></turbo-cable-presence-source>`;
    const place = document.createElement("div");
    place.innerHTML = `<ul id="here"></ul>${source}`;
    document.body.append(place);
  }, [id, signed("lobby")]);
  return page;
}

const shown = (page) => page.evaluate(() => [...document.querySelectorAll("#here li")].map((li) => li.id).sort());
const shows = (page, ids) =>
  eventually(`the page shows ${ids}`, async () => JSON.stringify(await shown(page)) === JSON.stringify(ids));
const counter = (page) => page.evaluate(() => document.querySelector("[data-presence-counter]").textContent);

test("AnyCable's element shows who is there, where an option passes the HTML of browsers on", async (t) => {
  const lobby = await lobbyFor(t, { FOREBAY_E2E_ANYCABLE: "html" });
  const ann = await withElement(t, lobby, "ann");
  const bob = await withElement(t, lobby, "bob");
  for (const page of [ann, bob]) {
    await shows(page, ["ann", "bob"]);
    await eventually("the counter", async () => (await counter(page)) === "2");
  }
  await ann.evaluate(() => document.querySelector("turbo-cable-presence-source").remove());
  await shows(bob, ["bob"]);
});

test("without the option nothing of a browser's HTML is in the pages of others, and the element counts all the same", async (t) => {
  const lobby = await lobbyFor(t);
  const ann = await withElement(t, lobby, "ann");
  const bob = await withElement(t, lobby, "bob");
  for (const page of [ann, bob]) await eventually("the counter", async () => (await counter(page)) === "2");
  assert.deepEqual(await shown(ann), []);
  assert.ok(!lobby.proxy.messages.all.some((m) => m.direction === "down" && m.json?.type === "presence" && JSON.stringify(m.json).includes("turbo-stream")));
});
