// Who is there, with the times that servers have by default: what others see, and how soon. Minutes of waiting, so only
// `cargo xtask browser --long` runs this.

import assert from "node:assert/strict";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { cable, isConfirm } from "../support/cable.js";
import { proxyFor } from "../support/fault_proxy.js";
import { comeBack, waitForConnected } from "../support/page.js";
import { PAGE_CLIENTS } from "../support/page_clients.js";
import { assertTold, pathOf, placeWith, Place, shows, told } from "../support/place.js";
import { redisFor } from "../support/redis.js";
import { serverFor } from "../support/server.js";
import { freeze } from "../support/tab.js";
import { movableTime } from "../support/time.js";

/** Pages may go into the back-forward cache, as in every browser that no test drives. */
const browser = useBrowser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });

const GRACE = 5_000;
const TTL = 15_000;
/** Others are told so much later at the most: of many who leave at once, in the next second. */
const TOLD = 1_000;
/** Each of these waits is longer than what is waited for, so that a test says how late it was. */
const PATIENCE = 60_000;
const PING = 3_000;

const CLIENTS = [PAGE_CLIENTS.stock, PAGE_CLIENTS.websocket];

/** Whose page is alive, with this client. */
async function openWith(place, client, name, { prepare, ...more } = {}) {
  const both = async (page) => {
    await client.prepare?.(page);
    await prepare?.(page);
  };
  const page = await place.render(name, { query: client.query, prepare: both, ...more });
  await page.waitForFunction(client.isLive);
  return page;
}

/** How long it takes until the page shows these. */
async function timeUntil(page, expected) {
  const began = performance.now();
  await shows(page, expected, PATIENCE);
  return performance.now() - began;
}

/** Somebody is lost, and has left when their time to live is over: whoever was lost before has left by then, too. */
async function assertNobodyElse(t, place, watcher, expected, others) {
  const way = await proxyFor(t, place.server);
  await place.open("lost", { baseURL: way.url });
  await shows(watcher, [...others, "lost"]);
  way.blackhole();
  await shows(watcher, others, PATIENCE);
  await assertTold(place, watcher, [...expected, "append lost", "remove visitor_lost"], { others });
}

for (const client of CLIENTS) {
  test(`S50 ${client.name}: reloads, tabs, Back and Forward are nobody's coming or going`, async (t) => {
    const place = await placeWith(t, browser);
    const watcher = await place.watch();
    const ann = await openWith(place, client, "ann");
    await shows(watcher, ["ann"]);
    for (let time = 0; time < 20; time += 1) await ann.reload();
    await ann.waitForFunction(client.isLive);
    for (let count = 0; count < 5; count += 1) {
      const tab = await openWith(place, client, "ann", { context: ann.context(), baseURL: place.proxy.url });
      await tab.close();
    }
    const other = `${place.proxy.url}${pathOf("ann", { ...client.query, n: "2" })}`;
    await ann.goto(other);
    for (let time = 0; time < 3; time += 1) {
      // A page from the back-forward cache is not loaded.
      await ann.goBack({ waitUntil: "commit" });
      await ann.goForward({ waitUntil: "commit" });
    }
    await ann.waitForFunction(client.isLive);
    await shows(ann, ["ann"]);
    await assertNobodyElse(t, place, watcher, ["append ann"], ["ann"]);
  });

  test(`S51 ${client.name}: a page that the browser keeps in its back-forward cache is nobody's coming or going`, async (t) => {
    const place = await placeWith(t, browser);
    const watcher = await place.watch();
    const ann = await openWith(place, client, "ann");
    await ann.evaluate(() => addEventListener("pageshow", ({ persisted }) => (window.persisted = persisted)));
    await ann.goto(`${place.proxy.url}/blank?script=none`);
    const bob = await openWith(place, client, "bob");
    await ann.goBack({ waitUntil: "commit" });
    await ann.waitForFunction(client.isLive);
    await shows(ann, ["ann", "bob"]);
    assert.ok(await ann.evaluate(() => window.persisted === true), "the browser has kept the page");
    await assertNobodyElse(t, place, watcher, ["append ann", "append bob"], ["ann", "bob"]);
    await bob.close();
  });

  test(`S52 ${client.name}: a page that is frozen for longer than its time to live, and an hour by its clock, stays`, async (t) => {
    const place = await placeWith(t, browser);
    const watcher = await place.watch();
    const ann = await openWith(place, client, "ann", { prepare: movableTime });
    await shows(watcher, ["ann"]);
    const frozen = await freeze(ann);
    const isPong = (m) => m.direction === "up" && m.kind === "pong";
    for (let pings = 0; pings * PING < 2 * TTL; pings += 1) {
      const from = place.proxy.messages.mark();
      await place.proxy.messages.waitFor(isPong, { from, what: "a frozen page's pong" });
    }
    await frozen.thaw();
    await ann.clock.fastForward(3_600_000);
    await comeBack(ann);
    await ann.waitForFunction(client.isLive);
    await shows(ann, ["ann"]);
    await assertNobodyElse(t, place, watcher, ["append ann"], ["ann"]);
  });

  test(`S53 ${client.name}: a network that says nothing for ten seconds is nobody's coming or going`, async (t) => {
    const place = await placeWith(t, browser);
    const watcher = await place.watch();
    const ann = await openWith(place, client, "ann");
    await shows(watcher, ["ann"]);
    const hold = place.proxy.hold();
    const comings = await tenSeconds(place, watcher);
    hold.release();
    await comeBack(ann);
    await ann.waitForFunction(client.isLive);
    await shows(ann, ["ann"]);
    await assertNobodyElse(t, place, watcher, ["append ann", ...comings], ["ann"]);
  });

  test(`S53 ${client.name}: connections that are cut and refused for ten seconds are nobody's coming or going`, async (t) => {
    const place = await placeWith(t, browser);
    const watcher = await place.watch();
    const ann = await openWith(place, client, "ann");
    await shows(watcher, ["ann"]);
    const outage = place.proxy.outage();
    const comings = await tenSeconds(place, watcher);
    outage.end();
    // The stock client hears of no network that is back. It looks when its tab is looked at, or after up to 18 s.
    const from = place.proxy.messages.mark();
    await comeBack(ann);
    await place.proxy.messages.waitFor(isConfirm, { from });
    await shows(ann, ["ann"]);
    await assertNobodyElse(t, place, watcher, ["append ann", ...comings], ["ann"]);
  });

  test(`S54 ${client.name}: a tab that is closed is gone within six seconds`, async (t) => {
    const place = await placeWith(t, browser);
    const watcher = await place.watch();
    const ann = await openWith(place, client, "ann");
    await shows(watcher, ["ann"]);
    await ann.close();
    const took = await timeUntil(watcher, []);
    assert.ok(took <= GRACE + TOLD, `it took ${took} ms`);
    t.diagnostic(`${Math.round(took)} ms`);
  });

  test(`S55 ${client.name}: a pulled cable: gone within presence_ttl and a second, and back with the network`, async (t) => {
    const place = await placeWith(t, browser);
    const watcher = await place.watch();
    const ann = await openWith(place, client, "ann");
    await shows(watcher, ["ann"]);
    const hole = place.proxy.blackhole({ match: cable });
    const took = await timeUntil(watcher, []);
    assert.ok(took <= TTL + TOLD, `it took ${took} ms`);
    t.diagnostic(`${Math.round(took)} ms`);
    hole.end();
    const from = place.proxy.messages.mark();
    await comeBack(ann);
    await place.proxy.messages.waitFor(isConfirm, { from });
    await shows(watcher, ["ann"]);
    assert.deepEqual(await told(watcher), ["append ann", "remove visitor_ann", "append ann"]);
  });

  test(`S56 ${client.name}: a killed node: its members, and nobody else, are gone within presence_ttl and a second`, async (t) => {
    const env = { FOREBAY_E2E_LOG: await redisFor(t) };
    const [killed, other] = [await serverFor(t, { env }), await serverFor(t, { env })];
    const place = new Place(t, browser, other, await proxyFor(t, other));
    const watcher = await place.watch();
    const at = (server, name) => openWith(place, client, name, { baseURL: server.url });
    await at(killed, "ann");
    await shows(watcher, ["ann"]);
    await at(other, "bob");
    await shows(watcher, ["ann", "bob"]);
    // Who has a page at both is at neither alone.
    await at(killed, "dan");
    await at(other, "dan");
    await shows(watcher, ["ann", "bob", "dan"]);
    await killed.kill();
    const took = await timeUntil(watcher, ["bob", "dan"]);
    assert.ok(took <= TTL + TOLD, `it took ${took} ms`);
    t.diagnostic(`${Math.round(took)} ms`);
    const comings = ["append ann", "append bob", "append dan", "remove visitor_ann"];
    await assertNobodyElse(t, place, watcher, comings, ["bob", "dan"]);
  });
}

/** Two who come and close their tabs, one after the other. Gives what pages are told of them. */
async function tenSeconds(place, watcher) {
  const told = [];
  for (const name of ["one", "two"]) {
    const page = await place.open(name, { baseURL: place.server.url });
    await shows(watcher, ["ann", name]);
    await page.close();
    await shows(watcher, ["ann"]);
    told.push(`append ${name}`, `remove visitor_${name}`);
  }
  return told;
}
