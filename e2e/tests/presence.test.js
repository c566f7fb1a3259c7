// Who is there: pages with a presence tag, in Chromium with the clients as they are. A member is there while one of their pages is;
// what tabs, reloads, caches and networks do to pages is nobody's coming or going.

import assert from "node:assert/strict";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { cable, isReject } from "../support/cable.js";
import { eventually } from "../support/deadline.js";
import { comeBack, waitForConnected } from "../support/page.js";
import { PAGE_CLIENTS } from "../support/page_clients.js";
import { NEVER, assertTold, pathOf, placeFor, shows, told } from "../support/place.js";
import { freeze } from "../support/tab.js";

const browser = useBrowser();

const SHORT = 500;
/** Longer than the time between two of the server's pings, so that a page which lives is never taken for gone. */
const PINGED = 6_000;

test("whoever opens a page comes to all pages, itself included, and a page shows who was there before", async (t) => {
  const place = await placeFor(t, browser);
  const ann = await place.open("ann");
  await shows(ann, ["ann"]);
  assert.deepEqual(await told(ann), ["append ann"]);
  const bob = await place.open("bob");
  await shows(bob, ["ann", "bob"]);
  await shows(ann, ["ann", "bob"]);
  // Ann was in the page.
  assert.deepEqual(await told(bob), ["append bob"]);
});

test("S54 a tab that is closed is gone after the short grace, and nobody is told twice", async (t) => {
  const place = await placeFor(t, browser, { grace: SHORT });
  const watcher = await place.watch();
  const ann = await place.open("ann");
  await shows(watcher, ["ann"]);
  await ann.close();
  await shows(watcher, []);
  assert.deepEqual(await told(watcher), ["append ann", "remove visitor_ann"]);
});

test("a page misses nobody who comes behind its list, while it is rendered or on its way", async (t) => {
  const place = await placeFor(t, browser);
  const gate = (what) => fetch(`${place.server.url}/test/gates/after_members/${what}`, { method: what === "reached" ? "GET" : "POST" });
  const hold = place.proxy.hold({ match: cable, direction: "up" });
  const bob = await place.render("bob");
  await gate("close");
  const rendering = place.render("ann", { baseURL: place.server.url });
  await gate("reached");
  hold.release();
  await shows(bob, ["bob"]);
  await gate("open");
  const ann = await rendering;
  await shows(ann, ["bob", "ann"]);
  assert.deepEqual(await told(ann), ["append bob", "append ann"]);

  const again = place.proxy.hold({ match: cable, direction: "up" });
  const late = await place.render("late");
  const cleo = await place.open("cleo", { baseURL: place.server.url });
  await shows(cleo, ["bob", "ann", "cleo"]);
  again.release();
  await shows(late, ["bob", "ann", "cleo", "late"]);
  assert.deepEqual(await told(late), ["append cleo", "append late"]);
});

test("S50 twenty reloads in a row are nobody's coming or going", async (t) => {
  const place = await placeFor(t, browser);
  const watcher = await place.watch();
  const ann = await place.open("ann");
  await shows(watcher, ["ann"]);
  for (let time = 0; time < 20; time += 1) {
    await ann.reload();
    if (time % 5 === 4) await waitForConnected(ann);
  }
  await waitForConnected(ann);
  await shows(ann, ["ann"]);
  await assertTold(place, watcher, ["append ann"]);
});

test("S50 five tabs that are opened and closed are one member", async (t) => {
  const place = await placeFor(t, browser, { grace: SHORT });
  const watcher = await place.watch();
  const ann = await place.open("ann");
  const tabs = [];
  for (let count = 0; count < 5; count += 1) tabs.push(await place.open("ann", { context: ann.context() }));
  for (const tab of tabs) {
    await shows(tab, ["ann"]);
    await tab.close();
  }
  // Bob's short grace is over after those of the tabs.
  const bob = await place.open("bob");
  await shows(watcher, ["ann", "bob"]);
  await bob.close();
  await shows(watcher, ["ann"]);
  await assertTold(place, watcher, ["append ann", "append bob", "remove visitor_bob"]);
});

test("S50 Turbo's visits, Back and Forward leave their member where they are, and the list right", async (t) => {
  const place = await placeFor(t, browser);
  const watcher = await place.watch();
  const ann = await place.open("ann");
  const other = pathOf("ann", { n: "2" });
  for (let time = 0; time < 3; time += 1) {
    await ann.evaluate((path) => window.Turbo.visit(path), other);
    await ann.waitForURL(`**${other}`);
    await ann.goBack();
    await ann.goForward();
  }
  await waitForConnected(ann);
  const bob = await place.open("bob");
  await shows(ann, ["ann", "bob"]);
  await bob.close();
  await assertTold(place, watcher, ["append ann", "append bob"], { others: ["ann", "bob"] });
});

test("S51 a page that comes back from the browser's cache has its member there, and shows who came meanwhile", async (t) => {
  const place = await placeFor(t, browser);
  const watcher = await place.watch();
  const ann = await place.open("ann");
  await ann.goto("/blank");
  const bob = await place.open("bob");
  await ann.goBack();
  await waitForConnected(ann);
  await shows(ann, ["ann", "bob"]);
  await shows(bob, ["ann", "bob"]);
  await assertTold(place, watcher, ["append ann", "append bob"], { others: ["ann", "bob"] });
});

test("a morph leaves its member where they are, and the list right", async (t) => {
  const place = await placeFor(t, browser, { grace: SHORT });
  const watcher = await place.watch();
  const ann = await place.open("ann", { query: { refresh: "morph" } });
  for (let time = 0; time < 3; time += 1) {
    const rendered = ann.waitForResponse((response) => response.url().includes("/here/1?"));
    await fetch(`${place.server.url}/here/1/refresh`, { method: "POST" });
    await rendered;
  }
  const bob = await place.open("bob");
  await shows(ann, ["ann", "bob"]);
  await bob.close();
  await shows(ann, ["ann"]);
  await assertTold(place, watcher, ["append ann", "append bob", "remove visitor_bob"]);
});

test("S52 a page that is frozen stays: its browser answers for it", async (t) => {
  const place = await placeFor(t, browser, { ttl: PINGED, grace: SHORT });
  const watcher = await place.watch();
  const ann = await place.open("ann");
  await shows(watcher, ["ann"]);
  const { thaw } = await freeze(ann);
  let from = place.proxy.messages.mark();
  const isPong = (m) => m.direction === "up" && m.kind === "pong";
  // Three intervals of pings are longer than what a silent page is given.
  for (let count = 0; count < 4; count += 1) {
    await place.proxy.messages.waitFor(isPong, { from, what: "a frozen page's pong" });
    from = place.proxy.messages.mark();
  }
  await thaw();
  await shows(ann, ["ann"]);
  await assertTold(place, watcher, ["append ann"]);
});

test("S53 a network that is cut and comes back is nobody's coming or going", async (t) => {
  const place = await placeFor(t, browser, { grace: SHORT });
  const watcher = await place.watch();
  const ann = await place.open("ann");
  const bob = await place.open("bob", { baseURL: place.server.url });
  await shows(watcher, ["ann", "bob"]);
  const outage = place.proxy.outage();
  // It lasts longer than the short grace.
  await bob.close();
  await shows(watcher, ["ann"]);
  outage.end();
  await comeBack(ann);
  await waitForConnected(ann);
  await shows(ann, ["ann"]);
  await assertTold(place, watcher, ["append ann", "append bob", "remove visitor_bob"]);
});

test("S55 a pulled cable: its member is gone after the time to live, and is back with the network", async (t) => {
  const place = await placeFor(t, browser, { ttl: PINGED, grace: NEVER });
  const watcher = await place.watch();
  const ann = await place.open("ann");
  await shows(watcher, ["ann"]);
  const hole = place.proxy.blackhole({ match: cable });
  await shows(watcher, []);
  hole.end();
  await eventually("the page to be live again", async () => {
    await comeBack(ann);
    return ann.evaluate(() => document.querySelector("turbo-cable-stream-source").hasAttribute("connected"));
  });
  await shows(watcher, ["ann"]);
  await shows(ann, ["ann"]);
});

test("what the app says of a member is on every page, and a page of before does not undo it", async (t) => {
  const place = await placeFor(t, browser);
  const watcher = await place.watch();
  const ann = await place.open("ann");
  await place.typing("ann", "true");
  await shows(watcher, ["ann is typing"]);
  place.proxy.cut({ match: cable });
  await comeBack(ann);
  await waitForConnected(ann);
  await ann.reload();
  await waitForConnected(ann);
  await shows(ann, ["ann is typing"]);
  await place.typing("ann", "false");
  await shows(ann, ["ann"]);
  await assertTold(place, watcher, ["append ann", "replace ann is typing", "replace ann"]);
});

for (const member of ["other", "forged"]) {
  test(`a member's tag that is ${member === "other" ? "another stream's" : "forged"} is refused, answered and counted`, async (t) => {
    const place = await placeFor(t, browser);
    const watcher = await place.watch();
    await place.render("ann", { query: { member } });
    const [{ json }] = await place.proxy.messages.waitFor(isReject);
    assert.match(json.identifier, /PresenceChannel/);
    assert.equal((await place.stats()).counters.presence_refused, 1);
    assert.match(place.server.log, /subscription rejected|rejected/);
    await assertTold(place, watcher, [], { others: [] });
  });
}

for (const client of [PAGE_CLIENTS.anycable, PAGE_CLIENTS.websocket, PAGE_CLIENTS.events, PAGE_CLIENTS.poll, PAGE_CLIENTS.source]) {
  test(`${client.name}: comes, is told of others, stays while it is open, and goes`, async (t) => {
    const place = await placeFor(t, browser, { ttl: PINGED, grace: PINGED });
    const watcher = await place.watch();
    const ann = await place.render("ann", { query: client.query, prepare: client.prepare });
    await shows(watcher, ["ann"]);
    const bob = await place.open("bob");
    await shows(ann, ["ann", "bob"]);
    await bob.close();
    await shows(ann, ["ann"]);
    await shows(watcher, ["ann"]);
    await ann.close();
    await shows(watcher, []);
    assert.deepEqual(await told(watcher), ["append ann", "append bob", "remove visitor_bob", "remove visitor_ann"]);
  });
}
