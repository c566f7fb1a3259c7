// Who may read what, in the browser, with every client (pitfalls.md 6.6). Without a browser: `crates/forebay/tests/http.rs` has S65 and
// S66 for tags, viewers' tags and revocations over HTTP; `hostile.test.js` has S67; `refusals.test.js` has forged signatures and cursors.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { appends } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { onEnd } from "../support/cleanup.js";
import { eventually } from "../support/deadline.js";
import { proxyFor } from "../support/fault_proxy.js";
import { rows as rowsOf, texts } from "../support/page.js";
import { assertConverged, catchUp, comeBackUntil, openWith, PAGE_CLIENTS, renderWith, visitor, waitForAway } from "../support/page_clients.js";
import { LAST, roomFor } from "../support/room.js";
import { serverFor } from "../support/server.js";
import { movableTime, passUntilAttempt, recordAttempts } from "../support/time.js";

const browser = useBrowser();
const CLIENTS = Object.values(PAGE_CLIENTS);

/** A viewer with a network of their own, so that what reaches them is known. */
async function visitWith(t, room, client, name, options = {}) {
  const proxy = await proxyFor(t, room);
  const viewer = await openWith(room, client, { ...options, prepare: visitor(name, proxy), baseURL: proxy.url });
  return { viewer, proxy, page: viewer.page };
}

/** The pages come back until the server has rejected so many subscriptions. */
async function untilRejected(room, pages, count) {
  await comeBackUntil(pages, `${count} rejections`, async () => (await room.fixture.stats()).counters.rejections >= count);
}

for (const client of CLIENTS) {
  test(`S61 ${client.name}: access is taken back from a page that is live and from one that is cut off: neither is sent a byte more`, async (t) => {
    const room = await roomFor(t, browser);
    const { stream } = await room.fixture.source(room.id);
    const live = await visitWith(t, room, client, "ann");
    const asleep = await visitWith(t, room, client, "ann");
    const other = await visitWith(t, room, client, "bob");
    await room.create("for both");
    for (const { viewer } of [live, asleep, other]) await viewer.shows("for both");
    const outage = asleep.proxy.outage();
    await room.fixture.revoke("ann", stream);
    const seen = [live, asleep, other].map(({ proxy }) => proxy.watchFor("for bob"));
    await room.create("for bob");
    await other.viewer.shows("for bob");
    outage.end();
    await untilRejected(room, [live.page, asleep.page], 2);
    await room.create("for bob, later");
    await other.viewer.shows("for bob, later");
    assert.deepEqual(seen.map((seen) => seen()), [false, false, true]);
    for (const { page } of [live, asleep]) {
      // An event source goes on with the other stream of its address.
      if (client !== PAGE_CLIENTS.source) await waitForAway(client, page);
      assert.deepEqual(await texts(page), ["for both"]);
    }
    await assertConverged(room, client, other.viewer, { bodies: ["for both", "for bob", "for bob, later"] });
  });
}

test("S60 the saved tokens of a member who was removed open nothing, in any way and by any channel's name", async (t) => {
  const room = await roomFor(t, browser);
  const saved = await room.fixture.source(room.id);
  await room.fixture.revoke("ann", saved.stream);
  await room.create("a secret");
  const tryAll = async (name) => {
    const page = await browser.page(t, { baseURL: room.proxy.url, allow: [/403/] });
    await visitor(name, room.proxy)(page);
    await page.goto("/blank?script=actioncable");
    return page.evaluate(everyWay, saved);
  };
  const ann = await tryAll("ann");
  for (const [way, { answers, text }] of Object.entries(ann)) {
    assert.ok(answers.length > 0, way);
    assert.deepEqual(answers.filter((answer) => !/reject|unauthorized|403/.test(answer)), [], way);
    assert.ok(!text.includes("a secret"), way);
  }
  const bob = await tryAll("bob");
  for (const [way, { text }] of Object.entries(bob)) assert.ok(text.includes("a secret"), `bob reads it by ${way}`);
});

/** In the page: subscribes with these tokens in every way there is. Gives what was answered, and all that was read. */
async function everyWay({ stream, signed_stream_name, cursor }) {
  const [epoch] = cursor.split(".");
  const beginning = { streams: { [stream]: { epoch, offset: 0 } }, since: 1 };
  const channels = ["Turbo::StreamsChannel", "GatedChannel", "$pubsub", "NoSuchChannel"];
  const identifiers = channels.map((channel) => ({ channel, signed_stream_name, cursor }));
  const decided = (text) => /confirm_subscription|reject_subscription/.test(text);
  const overSocket = (protocol, extra) =>
    new Promise((resolve) => {
      const socket = new WebSocket(`${location.origin.replace("http", "ws")}/cable`, protocol);
      const texts = [];
      const send = (command) => socket.send(JSON.stringify(command));
      socket.onmessage = ({ data }) => {
        texts.push(data);
        const { type, identifier } = JSON.parse(data);
        if (type === "welcome") {
          for (const params of identifiers) send({ command: "subscribe", identifier: JSON.stringify(params), ...extra });
          send({ command: "subscribe", identifier: JSON.stringify({ channel: "EchoChannel" }) });
        }
        // Commands are carried out in order, and history comes with the confirmation: this is behind all of it.
        if (type === "confirm_subscription" && identifier.includes("EchoChannel")) {
          send({ command: "message", identifier, data: JSON.stringify({ action: "end" }) });
        }
        if (!type && identifier?.includes("EchoChannel")) {
          socket.close();
          const answers = texts.filter((text) => decided(text) && !text.includes("EchoChannel"));
          resolve({ answers, text: texts.join("\n") });
        }
      };
    });
  const headers = { "content-type": "application/json" };
  const post = (path, commands) => fetch(path, { method: "POST", headers, body: JSON.stringify(commands) });
  const commands = identifiers.map((params) => ({ command: "subscribe", identifier: JSON.stringify(params), after: `${epoch}.0` }));
  const byPoll = async () => {
    const text = await (await post("/forebay/poll?wait=0", commands)).text();
    return { answers: JSON.parse(text).map((answer) => JSON.stringify(answer)).filter(decided), text };
  };
  const byStream = async (response) => {
    if (!response.ok) return { answers: [`${response.status}`], text: await response.text() };
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      text += value ?? "";
      const answers = text.split("\n\n").filter(decided);
      const isRefused = answers.length === commands.length && answers.every((answer) => answer.includes("reject"));
      if (done || isRefused || text.includes("a secret")) {
        await reader.cancel();
        return { answers, text };
      }
    }
  };
  const query = new URLSearchParams({ stream: signed_stream_name, cursor });
  return {
    "Action Cable": await overSocket("actioncable-v1-json", {}),
    "AnyCable's history": await overSocket("actioncable-v1-ext-json", { history: beginning }),
    "forebay.js's position": await overSocket("forebay-v1-json", { after: `${epoch}.0` }),
    polls: await byPoll(),
    events: await byStream(await post("/forebay/events", commands)),
    EventSource: await byStream(await fetch(`/forebay/events?${query}`)),
  };
}

for (const client of CLIENTS) {
  test(`S62 ${client.name}: a token for one room with parameters that point to another: only the first is served`, async (t) => {
    const room = await roomFor(t, browser);
    const { viewer, proxy, page } = await visitWith(t, room, client, "ann");
    const foreign = await room.fixture.source(2);
    const seen = proxy.watchFor("in room 2");
    await page.evaluate(({ cursor, stream }) => {
      const tag = document.querySelector("turbo-cable-stream-source, turbo-stream-source");
      const pointing = tag.cloneNode();
      for (const name of ["connected", "data-forebay-at"]) pointing.removeAttribute(name);
      if (tag.hasAttribute("src")) {
        const url = new URL(tag.getAttribute("src"), location.href);
        const params = { room: "2", room_id: "2", stream_name: stream, "streams[]": stream, cursor };
        for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
        pointing.setAttribute("src", url.pathname + url.search);
      } else {
        Object.assign(pointing.dataset, { room: "2", roomId: "2", id: "2", streamName: stream, stream, streams: stream, cursor });
      }
      tag.remove();
      document.body.append(pointing);
    }, foreign);
    await eventually("the new tag alone to be served", async () => {
      return (await room.broadcast("")) === 1 && (await page.evaluate(client.isLive));
    });
    await room.fixture.createMessage(2, "in room 2");
    await room.create("in room 1");
    await viewer.shows("in room 1");
    assert.deepEqual(await texts(page), ["in room 1"]);
    assert.equal(seen(), false);
  });
}

test("S64 all clients: whoever logs out in one tab gets nothing more in any of them, though the others reconnect as nobody", async (t) => {
  const room = await roomFor(t, browser);
  const proxy = await proxyFor(t, room);
  const query = { good_for: "visitor" };
  // EventSource's addresses are good for whoever has them.
  const clients = CLIENTS.filter(({ name }) => name !== "EventSource");
  const tabs = [];
  for (const client of clients) {
    const context = tabs[0]?.page.context();
    const viewer = await openWith(room, client, { query, context, prepare: visitor("ann", proxy), baseURL: proxy.url });
    tabs.push({ client, viewer, page: viewer.page });
  }
  const other = await visitWith(t, room, PAGE_CLIENTS.websocket, "bob", { query });
  await room.create("for both");
  for (const { viewer } of [...tabs, other]) await viewer.shows("for both");
  await tabs[0].page.evaluate(() => fetch("/logout", { method: "POST" }));
  const seen = proxy.watchFor("for bob");
  await room.create("for bob");
  await other.viewer.shows("for bob");
  await untilRejected(room, tabs.map(({ page }) => page), tabs.length);
  for (const { client, page } of tabs) {
    await waitForAway(client, page);
    assert.deepEqual(await texts(page), ["for both"], client.name);
  }
  assert.equal(seen(), false);
  await room.create(LAST);
  await other.viewer.shows(LAST);
  assert.deepEqual((await other.viewer.state()).applied, appends(["for both", "for bob", LAST]));
});

/** Only the first answer has a tag that is too old, or the refreshed page would need another refresh. */
const expiredAtFirst = (page) =>
  page.route("**/rooms/1?*", (route) => route.continue({ url: `${route.request().url()}&cursor=expired` }), { times: 1 });

for (const kind of ["websocket", "events", "poll"]) {
  const client = PAGE_CLIENTS[kind];
  test(`S65 ${client.name}: a tag that has expired is renewed by itself, and nothing is lost`, async (t) => {
    const room = await roomFor(t, browser);
    const gate = await room.fixture.closeGate("flush");
    const rendering = renderWith(room, client, { prepare: expiredAtFirst });
    await gate.reached();
    await room.create("meanwhile");
    await gate.open();
    const viewer = await rendering;
    await viewer.page.waitForFunction(client.isLive);
    await room.create("later", LAST);
    await viewer.shows(LAST);
    const { rows, visits, loads } = await viewer.state();
    assert.deepEqual({ rows, visits, loads }, { rows: ["meanwhile", "later", LAST], visits: 1, loads: 1 });
    assert.equal(await viewer.page.locator("[stale], [rejected]").count(), 0);
  });
}

for (const kind of ["stock", "anycable"]) {
  const client = PAGE_CLIENTS[kind];
  test(`S65 ${client.name}: a tag that has expired is refused, and does not pass for live`, async (t) => {
    const room = await roomFor(t, browser);
    const viewer = await renderWith(room, client, { prepare: expiredAtFirst });
    await untilRejected(room, [], 1);
    assert.equal(await viewer.page.evaluate(client.isLive), false);
  });
}

for (const client of CLIENTS) {
  test(`S66 ${client.name}: keys are rotated: an older page goes on while its key is accepted, and afterwards is refused and doesn't pass for live`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "forebay-e2e-"));
    onEnd(t, () => rm(directory, { recursive: true }));
    const lasting = { FOREBAY_E2E_DATABASE: join(directory, "chat.sqlite"), FOREBAY_E2E_LOG: join(directory, "log") };
    const withSecrets = (...secrets) => ({ env: { ...lasting, FOREBAY_E2E_SECRETS: secrets.join(",") } });
    const [older, newer] = ["the older secret of the tests", "the newer secret of the tests"];
    const room = await roomFor(t, browser, withSecrets(older));
    const viewer = await openWith(room, client);
    await room.create("one");
    await viewer.shows("one");
    const restart = async (how) => {
      await room.server.stop();
      room.moveTo(await serverFor(t, how));
    };
    await restart(withSecrets(newer, older));
    await room.create("two");
    await catchUp(viewer, "two");
    const { applied, visits } = await viewer.state();
    assert.deepEqual(client.once ? applied : [...new Set(applied)], appends(["one", "two"]));
    assert.equal(visits, 0);
    await restart(withSecrets(newer));
    await untilRejected(room, [viewer.page], 1);
    await waitForAway(client, viewer.page);
    await viewer.page.reload();
    await viewer.page.waitForFunction(client.isLive);
    await room.create("three");
    await viewer.shows("three");
    const fresh = await room.render();
    assert.deepEqual(await rowsOf(viewer.page), await rowsOf(fresh.page));
  });
}

for (const client of CLIENTS) {
  const inUrls = client.name === "EventSource";
  const title = inUrls ? "tokens are in its addresses, where proxies log them" : "no token is in any address";
  test(`S68 ${client.name}: ${title}`, async (t) => {
    const room = await roomFor(t, browser);
    const urls = [];
    const prepare = async (page) => {
      page.on("request", (request) => urls.push(request.url()));
      page.on("websocket", (socket) => urls.push(socket.url()));
    };
    const viewer = await openWith(room, client, { prepare });
    await room.create("one");
    await viewer.shows("one");
    room.proxy.cut();
    await room.create("two");
    await catchUp(viewer, "two");
    const tokens = await viewer.page.evaluate(() => {
      const tag = document.querySelector("turbo-cable-stream-source, turbo-stream-source");
      const src = tag.hasAttribute("src") ? new URL(tag.getAttribute("src"), location.href).searchParams : new URLSearchParams();
      return [tag.getAttribute("signed-stream-name") ?? src.get("stream"), tag.dataset.cursor ?? src.get("cursor")];
    });
    assert.ok(urls.length > 2 && tokens.every((token) => token.length > 20));
    const telling = urls.filter((url) => tokens.some((token) => decodeURIComponent(url).includes(token)));
    assert.equal(telling.length > 0, inUrls, telling.join("\n"));
    // AnyCable's names the session that it was, which opens nothing: its subscriptions are decided anew.
    const live = urls.map((url) => new URL(url)).filter(({ pathname }) => pathname === "/cable" || pathname.startsWith("/forebay/"));
    const queries = new Set(live.map(({ searchParams }) => [...searchParams.keys()].join()));
    const expected = { "@anycable/web": ["", "sid"], EventSource: ["cursor,stream,stream"], "forebay.js over poll": ["wait", ""] };
    assert.deepEqual([...queries].sort(), (expected[client.name] ?? [""]).sort());
  });
}

const moved = async (page) => {
  await movableTime(page);
  await recordAttempts(page);
};

for (const client of CLIENTS) {
  test(`S69 ${client.name}: while the hook that lets people in hangs, fails or says no, nobody is let in, and no page passes for live`, async (t) => {
    const room = await roomFor(t, browser);
    const seen = room.proxy.watchFor("a second one");
    const gate = await room.fixture.closeGate("connect");
    const viewer = await renderWith(room, client, { prepare: moved });
    const { page } = viewer;
    await gate.reached();
    await room.create("one");
    assert.equal(await page.evaluate(client.isLive), false, "while it hangs");
    await room.fixture.answerConnects("panic");
    await gate.open();
    if (client.name !== "EventSource") await passUntilAttempt(page, 60_000);
    assert.equal(await page.evaluate(client.isLive), false, "while it fails");
    assert.deepEqual(await texts(page), []);
    await room.fixture.answerConnects("allow");
    await catchUp(viewer, "one");
    await room.fixture.answerConnects("deny");
    room.proxy.cut();
    await waitForAway(client, page);
    await room.create("a second one");
    await comeBackUntil([page], "a refusal", async () => (await room.fixture.stats()).counters.refusals > 0);
    assert.equal(await page.evaluate(client.isLive), false, "when it says no");
    assert.deepEqual(await texts(page), ["one"]);
    assert.equal(seen(), false);
  });
}
