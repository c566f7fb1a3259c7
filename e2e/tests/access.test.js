// Who may read what, in the browser, with every client (S60 to S64). Without a browser: `crates/forebay/tests/http.rs`; and
// `hostile.test.js` for other origins (S67), `refusals.test.js` for forged signatures and cursors.

import assert from "node:assert/strict";
import { test } from "node:test";
import { appends } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { isCablePing } from "../support/cable.js";
import { eventually } from "../support/deadline.js";
import { proxyFor } from "../support/fault_proxy.js";
import { texts } from "../support/page.js";
import { assertConverged, openWith, PAGE_CLIENTS, visitor, waitForAway } from "../support/page_clients.js";
import { untilRejected } from "../support/rejections.js";
import { LAST, roomFor } from "../support/room.js";

const browser = useBrowser();
const CLIENTS = Object.values(PAGE_CLIENTS);

/** A viewer with a network of their own, so that what reaches them is known. */
async function visitWith(t, room, client, name, options = {}) {
  const proxy = await proxyFor(t, room);
  const viewer = await openWith(room, client, { ...options, prepare: visitor(name, proxy), baseURL: proxy.url });
  return { viewer, proxy, page: viewer.page };
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
    await page.evaluate(({ stream }) => {
      const tag = document.querySelector("turbo-cable-stream-source, turbo-stream-source");
      const pointing = tag.cloneNode();
      for (const name of ["connected", "data-forebay-at"]) pointing.removeAttribute(name);
      if (tag.hasAttribute("src")) {
        const url = new URL(tag.getAttribute("src"), location.href);
        const params = { room: "2", room_id: "2", stream_name: stream, "streams[]": stream };
        for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
        pointing.setAttribute("src", url.pathname + url.search);
      } else {
        Object.assign(pointing.dataset, { room: "2", roomId: "2", id: "2", streamName: stream, stream, streams: stream });
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

for (const client of CLIENTS) {
  test(`S63 ${client.name}: two tenants: what happens in one's room neither reaches the other's page nor wakes its connection`, async (t) => {
    const room = await roomFor(t, browser);
    const active = await visitWith(t, room, client, "ann");
    const quiet = await visitWith(t, room, client, "bob", { id: 2 });
    await room.fixture.createMessage(2, "for bob");
    await quiet.viewer.shows("for bob");
    const seen = quiet.proxy.watchFor("for ann");
    const from = quiet.proxy.messages.mark();
    const bodies = Array.from({ length: 20 }, (_, n) => `for ann ${n}`);
    await room.create(...bodies);
    const html = '<turbo-stream action="append" target="messages"><template><li>for ann, woken</li></template></turbo-stream>';
    // None, where a poll of hers has just been answered.
    assert.ok((await room.broadcast(html)) <= 1, "no more than one subscription is woken");
    await active.viewer.shows("for ann, woken");
    const sent = quiet.proxy.messages.all.slice(from).filter((m) => m.direction === "down" && m.kind === "text" && !isCablePing(m));
    assert.deepEqual(sent.map(String), []);
    await room.fixture.createMessage(2, "for bob again");
    await quiet.viewer.shows("for bob again");
    assert.deepEqual((await quiet.viewer.state()).applied, appends(["for bob", "for bob again"]));
    assert.equal(seen(), false);
  });
}

for (const client of CLIENTS.filter(({ name }) => name !== "EventSource")) {
  test(`S63 ${client.name}: a tag that was made for a visitor of one tenant opens nothing to another tenant's`, async (t) => {
    const room = await roomFor(t, browser);
    const query = { good_for: "visitor" };
    const active = await visitWith(t, room, client, "ann", { query });
    const other = await visitWith(t, room, client, "bob", { query, id: 2 });
    const name = await active.page.locator("turbo-cable-stream-source").getAttribute("signed-stream-name");
    const seen = other.proxy.watchFor("for ann");
    await other.page.evaluate((name) => {
      const stolen = document.createElement("turbo-cable-stream-source");
      stolen.setAttribute("channel", "Turbo::StreamsChannel");
      stolen.setAttribute("signed-stream-name", name);
      document.body.append(stolen);
    }, name);
    await untilRejected(room, [other.page], 1);
    await room.create("for ann");
    await active.viewer.shows("for ann");
    await room.fixture.createMessage(2, "for bob");
    await other.viewer.shows("for bob");
    assert.deepEqual(await texts(other.page), ["for bob"]);
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
