// Our own client with one connection for all tabs of a browser, in a shared worker. Each tab must show what it would show by itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { appends } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { cable } from "../support/cable.js";
import { eventually } from "../support/deadline.js";
import { httpProxyFor } from "../support/http_proxy.js";
import { countLoads, recordActions, rows as rowsOf, texts, waitForConnected, waitForRow, waitForTransport } from "../support/page.js";
import { LAST, roomFor, Viewer } from "../support/room.js";
import { append, confirm, scriptedServerFor, tag } from "../support/scripted_server.js";
import { serverFor } from "../support/server.js";

// A page that is left may come back as it was.
const browser = useBrowser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
const allow = [/net::ERR_|WebSocket connection to|Failed to load resource|the server responded with a status|AbortError/];

/** Tabs of one browser profile, of which `open` opens another. */
function tabsOf(t, room) {
  let context;
  const begin = async ({ share = "somebody", url = room.proxy.url, prepare, script = "forebay", allow: also = [] } = {}) => {
    const page = await browser.page(t, { baseURL: url, allow: [...allow, ...also], context, prepare: recordActions });
    context ??= page.context();
    const loads = await countLoads(page);
    await prepare?.(page);
    const search = new URLSearchParams(share === null ? { script } : { script, share });
    return new Viewer(page, loads, page.goto(`${url}/rooms/${room.id}?${search}`));
  };
  const open = async (options) => {
    const tab = await begin(options);
    await tab.loaded;
    await waitForConnected(tab.page);
    return tab;
  };
  return { begin, open };
}

const isShared = (tab) => tab.page.evaluate(() => window.forebay.isShared);
const transportOf = (tab) => tab.page.evaluate(() => window.forebay.transport);
const connections = async (room) => (await room.fixture.stats()).connections;
const subscribers = (room, stream) => room.broadcast("", stream);

/** Collects what the page says about how it is connected. */
const listen = (page) =>
  page.addInitScript(() => {
    window.said = [];
    document.addEventListener("forebay:error", ({ detail }) => window.said.push(`${detail.kind}: ${detail.detail}`));
  });

async function assertConverged(room, tabs) {
  await room.create(LAST);
  const fresh = await room.render({ script: "none" }, { allow: [/./] });
  const expected = await rowsOf(fresh.page);
  for (const tab of tabs) {
    await tab.shows(LAST);
    assert.deepEqual(await rowsOf(tab.page), expected);
  }
}

test("three tabs have one connection, and each applies each entry once", async (t) => {
  const room = await roomFor(t, browser);
  const { open } = tabsOf(t, room);
  const tabs = [await open(), await open(), await open()];
  for (const tab of tabs) assert.ok(await isShared(tab));
  await waitForTransport(tabs[2].page, "websocket");
  assert.equal(await connections(room), 1);
  await room.create("one", "two");
  await room.assertShown(tabs, { rows: ["one", "two"], applied: appends(["one", "two"]) });
});

test("two tabs show one stream from different cursors: both are exact", async (t) => {
  const room = await roomFor(t, browser);
  const { begin, open } = tabsOf(t, room);
  await room.create("one");
  const early = await open();
  const gate = await room.fixture.closeGate("after_read");
  const late = await begin();
  await gate.reached();
  await room.create("two", "three");
  await early.shows("three");
  await gate.open();
  await late.connected();
  await room.create("four");
  const expected = { rows: ["one", "two", "three", "four"], applied: appends(["two", "three", "four"]) };
  await room.assertShown([early, late], expected);
});

for (const transport of ["websocket", "events", "poll"]) {
  test(`S30 ${transport}: cut while messages are created, each tab applies each once`, async (t) => {
    const room = await roomFor(t, browser);
    const { open } = tabsOf(t, room);
    const prepare = (page) =>
      page.addInitScript((name) => localStorage.setItem("forebay.transport", `${name} ${Date.now()}`), transport);
    const tabs = [await open({ prepare }), await open()];
    for (const { page } of tabs) await waitForTransport(page, transport);
    const expected = [];
    for (let n = 1; n <= 4; n += 1) {
      const bodies = [`${n} live`, `${n} away`];
      await room.create(bodies[0]);
      for (const tab of tabs) await tab.shows(bodies[0]);
      room.proxy.cut({ match: transport === "websocket" ? cable : () => true });
      await room.create(bodies[1]);
      for (const tab of tabs) await tab.shows(bodies[1]);
      expected.push(...bodies);
    }
    await room.assertShown(tabs, { rows: expected, applied: appends(expected) });
  });
}

test("S43 after a restart without history every tab renders itself again, once, and is live", async (t) => {
  const room = await roomFor(t, browser);
  const { open } = tabsOf(t, room);
  const tabs = [await open(), await open()];
  room.moveTo(await serverFor(t));
  await room.create("one", "two");
  room.proxy.cut();
  for (const tab of tabs) {
    await tab.shows("two");
    await waitForConnected(tab.page);
    const { visits, loads } = await tab.state();
    assert.deepEqual({ visits, loads }, { visits: 1, loads: 1 });
  }
  await assertConverged(room, tabs);
});

test("two tabs subscribe to the same channel with the same words: each hears the answers to its own", async (t) => {
  const room = await roomFor(t, browser);
  const { open } = tabsOf(t, room);
  const tabs = [await open(), await open()];
  for (const { page } of tabs) {
    await page.evaluate(
      () =>
        new Promise((connected) => {
          window.heard = [];
          const received = ({ data }) => window.heard.push(data.text);
          window.echo = window.forebay.subscribe({ channel: "EchoChannel" }, { connected, received });
        }),
    );
  }
  const say = ({ page }, text) => page.evaluate((text) => window.echo.perform("say", { text }), text);
  await say(tabs[0], "of the first");
  await say(tabs[1], "of the second");
  await say(tabs[0], "of the first again");
  await tabs[0].page.waitForFunction(() => window.heard.length === 2);
  await tabs[1].page.waitForFunction(() => window.heard.length === 1);
  const heard = await Promise.all(tabs.map(({ page }) => page.evaluate(() => window.heard)));
  assert.deepEqual(heard, [["of the first", "of the first again"], ["of the second"]]);
  assert.equal(await connections(room), 1);
});

for (const how of ["closes", "crashes"]) {
  test(`a tab that ${how} is forgotten by the worker; the others go on`, async (t) => {
    const room = await roomFor(t, browser);
    const { open } = tabsOf(t, room);
    const stays = await open();
    const goes = await open({ allow: [/crashed/] });
    assert.equal(await subscribers(room), 2);
    if (how === "closes") {
      await goes.page.close();
    } else {
      const session = await goes.page.context().newCDPSession(goes.page);
      const crashed = goes.page.waitForEvent("crash");
      session.send("Page.crash").catch(() => {});
      await crashed;
    }
    await eventually("one subscription", async () => (await subscribers(room)) === 1);
    await room.create("one");
    await room.assertShown(stays, { rows: ["one"], applied: appends(["one"]) });
  });
}

test("the first tab, with which the worker began, closes: the others go on", async (t) => {
  const room = await roomFor(t, browser);
  const { open } = tabsOf(t, room);
  const first = await open();
  const second = await open();
  // The context belongs to the first page's test hook; the page alone is closed.
  await first.page.goto("about:blank");
  await first.page.close();
  await room.create("one");
  await room.assertShown(second, { rows: ["one"], applied: appends(["one"]) });
  assert.equal(await connections(room), 1);
});

test("S34 a page that comes back from the back-forward cache goes on where it was", async (t) => {
  const room = await roomFor(t, browser);
  const { open } = tabsOf(t, room);
  const tabs = [await open(), await open()];
  await room.create("one");
  for (const tab of tabs) await tab.shows("one");
  await tabs[1].page.evaluate(() => (window.sameLife = true));
  await tabs[1].page.goto("/blank?script=none");
  await eventually("the worker to forget it", async () => (await subscribers(room)) === 1);
  await room.create("two");
  await tabs[0].shows("two");
  // No `goBack`: a page that was kept does not load.
  await tabs[1].page.evaluate(() => history.back());
  await tabs[1].shows("two");
  assert.ok(await tabs[1].page.evaluate(() => window.sameLife === true), "the browser kept it");
  await room.create("three");
  for (const tab of tabs) {
    await tab.shows("three");
    const { rows, applied } = await tab.state();
    assert.deepEqual([rows, applied], [["one", "two", "three"], appends(["one", "two", "three"])]);
  }
});

test("a tab that takes nothing is left behind, others are not, and it is exact when it is back", async (t) => {
  const room = await roomFor(t, browser);
  const { open } = tabsOf(t, room);
  const [busy, other] = [await open(), await open()];
  const session = await busy.page.context().newCDPSession(busy.page);
  await session.send("Debugger.enable");
  const paused = new Promise((resolve) => session.once("Debugger.paused", resolve));
  busy.page.evaluate("debugger").catch(() => {});
  await paused;
  // Half of what history keeps is more than may be on its way to a page.
  const long = "x".repeat(50_000);
  for (let n = 1; n <= 90; n += 1) await room.create(`${n} ${long}`);
  await other.shows(`90 ${long}`);
  await eventually("the worker to leave it behind", async () => (await subscribers(room)) === 1);
  await session.send("Debugger.resume");
  await session.send("Debugger.disable");
  await assertConverged(room, [busy, other]);
  await eventually("both to be subscribed", async () => (await subscribers(room)) === 2);
  assert.equal(await connections(room), 1);
});

test("a message that is larger than what may be on its way to a tab is shown, once", async (t) => {
  const last = { o: 4, p: 3, m: append("last") };
  const server = await scriptedServerFor(t, {
    body: () => `<meta name="forebay-share" content="somebody">${tag("one", "a.1")}<ul id="list"></ul>`,
    command(command, session, s) {
      if (command.command !== "subscribe") return;
      confirm(session, command, s);
      // What comes before the large one is acknowledged is not sent on: the page asks for it.
      if (command.after === "a.3") session.send({ s, ...last });
    },
  });
  const page = await browser.page(t, { baseURL: server.url, allow });
  await page.goto("/");
  await waitForConnected(page);
  assert.ok(await page.evaluate(() => window.forebay.isShared));
  server.session.send({ s: 1, o: 2, p: 1, m: append("small") });
  server.session.send({ s: 1, o: 3, p: 2, m: append(`large<!-- ${"x".repeat(4_100_000)} -->`) });
  server.session.send({ s: 1, ...last });
  await waitForRow(page, "last", "#list");
  assert.deepEqual(await texts(page, "#list"), ["small", "large", "last"]);
});

test("S37 a frozen tab that thaws goes on where it was", async (t) => {
  const room = await roomFor(t, browser);
  const { open } = tabsOf(t, room);
  const tabs = [await open(), await open()];
  const session = await tabs[0].page.context().newCDPSession(tabs[0].page);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  await room.create("one", "two");
  await tabs[1].shows("two");
  room.proxy.cut({ match: cable });
  await room.create("three");
  await tabs[1].shows("three");
  await session.send("Page.setWebLifecycleState", { state: "active" });
  const rows = ["one", "two", "three"];
  await tabs[0].shows("three");
  await room.assertShown(tabs, { rows, applied: appends(rows) });
});

test("a worker that is ended is replaced, and every tab goes on where it was", async (t) => {
  const room = await roomFor(t, browser);
  const { open } = tabsOf(t, room);
  const tabs = [await open(), await open()];
  await room.create("one");
  for (const tab of tabs) await tab.shows("one");
  const session = await tabs[0].page.context().browser().newBrowserCDPSession();
  const { targetInfos } = await session.send("Target.getTargets");
  const { targetId } = targetInfos.find(({ type }) => type === "shared_worker");
  await session.send("Target.closeTarget", { targetId });
  await eventually("another worker", async () => {
    const now = (await session.send("Target.getTargets")).targetInfos.filter(({ type }) => type === "shared_worker");
    return now.length > 0 && now.every((target) => target.targetId !== targetId);
  });
  await room.create("two");
  await room.assertShown(tabs, { rows: ["one", "two"], applied: appends(["one", "two"]) });
  for (const tab of tabs) assert.ok(await isShared(tab));
});

test("tabs of different visitors have different connections, and a visit that changes whose page it is changes the connection", async (t) => {
  const room = await roomFor(t, browser);
  const { open } = tabsOf(t, room);
  const [alice, bob] = [await open({ share: "alice" }), await open({ share: "bob" })];
  assert.equal(await connections(room), 2);
  const visit = async (share) => {
    const path = `/rooms/1?script=forebay${share}`;
    await bob.page.evaluate((path) => window.Turbo.visit(path), path);
    await bob.page.waitForFunction((path) => location.href.endsWith(path) && !document.documentElement.ariaBusy, path);
    await bob.connected();
  };
  await visit("&share=alice");
  await eventually("one connection", async () => (await connections(room)) === 1);
  await visit("");
  assert.equal(await isShared(bob), false);
  assert.equal(await connections(room), 2);
  await room.create("one");
  for (const tab of [alice, bob]) await tab.shows("one");
});

/** What keeps a page from sharing. */
const HINDRANCES = {
  "the browser has no shared workers": [(page) => page.addInitScript(() => delete window.SharedWorker), /SharedWorker is not defined/],
  "there are no Web Locks": [
    (page) => page.addInitScript(() => Object.defineProperty(Navigator.prototype, "locks", { value: undefined })),
    /no Web Locks here/,
  ],
  "the page's policy forbids workers": [
    (page) =>
      page.route(/\/rooms\//, async (route) => {
        const response = await route.fetch();
        const headers = { ...response.headers(), "content-security-policy": "worker-src 'none'" };
        await route.fulfill({ response, headers });
      }),
    /script can't be run|SecurityError|Content Security Policy/,
  ],
  "the worker's script is missing": [
    (page) =>
      page.addInitScript(() => {
        const Real = window.SharedWorker;
        window.SharedWorker = function (url, options) {
          return new Real(`${url}-missing`, options);
        };
      }),
    // On a busy machine the browser may take longer to find it missing than the page waits for a word.
    /script can't be run|does not answer/,
  ],
  "the worker is of another version": [
    (page) =>
      page.addInitScript(() => {
        const Real = window.SharedWorker;
        window.SharedWorker = function (url, options) {
          const source = 'onconnect = ({ ports: [port] }) => port.postMessage(["hello", 0, "x"])';
          return new Real(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), options);
        };
      }),
    /of another version/,
  ],
};

for (const [what, [prepare, reason]] of Object.entries(HINDRANCES)) {
  test(`where ${what}, the page has its own connection and says so`, async (t) => {
    const room = await roomFor(t, browser);
    const { open } = tabsOf(t, room);
    const tab = await open({ allow: [/Content Security Policy/], prepare: (page) => Promise.all([listen(page), prepare(page)]) });
    assert.equal(await isShared(tab), false);
    const said = await tab.page.evaluate(() => window.said);
    assert.equal(said.length, 1, `${said}`);
    assert.match(said[0], /^unshared: /);
    assert.match(said[0], reason);
    await room.create("one");
    await room.assertShown(tab, { rows: ["one"], applied: appends(["one"]) });
  });
}

for (const share of ["somebody", null]) {
  test(`S75 ten tabs on HTTP/1.1 without WebSockets, ${share ? "shared" : "each by itself"}: all load, and all are live or say how they ask`, async (t) => {
    const room = await roomFor(t, browser);
    const office = await httpProxyFor(t, () => room.url, { websockets: false });
    const { open } = tabsOf(t, room);
    const tabs = [];
    for (let n = 0; n < 10; n += 1) tabs.push(await open({ share, url: office.url, prepare: listen }));
    const transports = await Promise.all(tabs.map(transportOf));
    const said = await Promise.all(tabs.map(({ page }) => page.evaluate(() => window.said)));
    if (share) {
      assert.deepEqual(new Set(transports), new Set(["events"]));
      assert.deepEqual(said.flat(), []);
    } else {
      assert.deepEqual(transports, [...Array(3).fill("events"), ...Array(7).fill("poll")]);
      assert.deepEqual(said.map((lines) => lines.map((line) => line.split(":")[0])), [
        ...Array(3).fill([]),
        ...Array(7).fill(["crowded"]),
      ]);
    }
    await room.create("one", "two");
    await room.assertShown(tabs, { rows: ["one", "two"], applied: appends(["one", "two"]) });
    // There is still room for the page's own requests.
    await tabs[9].page.fill("#new input", "mine");
    await tabs[9].page.click("#new button");
    for (const tab of tabs) await tab.shows("mine");
    if (share) return;
    // A place that becomes free is taken.
    for (const tab of tabs.slice(0, 3)) await tab.page.goto("about:blank");
    await eventually("three of the others to wait for answers", async () => {
      const held = await tabs[9].page.evaluate(async () => (await navigator.locks.query()).held);
      return held.filter(({ name }) => name.startsWith("forebay.http.")).length === 3;
    });
    await room.create("three");
    for (const tab of tabs.slice(3)) await tab.shows("three");
    assert.deepEqual((await texts(tabs[9].page)).at(-1), "three");
  });
}
