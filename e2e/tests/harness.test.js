// The harness's own tests: they need Chromium and node, no Rust. What they hold up is what all scenarios stand on.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { WebSocket } from "ws";
import { useBrowser } from "../support/browser.js";
import { bundle } from "../support/bundle.js";
import { cable, delivers, forwarded, isConfirm, isDelivery, isSubscribe, isUnsubscribe, isWelcome } from "../support/cable.js";
import { chromiumPath } from "../support/chromium.js";
import { onEnd } from "../support/cleanup.js";
import { eventually, within } from "../support/deadline.js";
import { proxyFor } from "../support/fault_proxy.js";
import { appliedActions, countLoads, recordActions, rows, waitForConnected, waitForRows } from "../support/page.js";
import { Server } from "../support/server.js";
import { WsFrameReader } from "../support/ws_frames.js";
import { harnessServerFor } from "./harness_server.js";

const browser = useBrowser();
before(() => bundle());

const ROOM = `<!doctype html><title>Room</title><link rel="icon" href="data:,">
  <script type="module" src="/assets/stock.js"></script>
  <turbo-cable-stream-source channel="Turbo::StreamsChannel" signed-stream-name="room" data-cursor="e.1"></turbo-cable-stream-source>
  <ul id="messages"></ul>`;

const append = (n) =>
  `<turbo-stream action="append" target="messages"><template><li id="message_${n}">message ${n}</li></template></turbo-stream>`;

/** A raw subscriber, for the tests that need no browser. */
async function subscriber(t, proxy) {
  const socket = new WebSocket(`${proxy.url.replace("http", "ws")}/cable`, "actioncable-v1-json", { perMessageDeflate: false });
  const events = { texts: [], closed: new Promise((resolve) => socket.once("close", resolve)), socket };
  socket.on("message", (data) => events.texts.push(String(data)));
  socket.on("error", () => {});
  onEnd(t, () => socket.terminate());
  await within("the socket to open", new Promise((resolve) => socket.once("open", resolve)));
  socket.send(JSON.stringify({ command: "subscribe", identifier: '{"channel":"C"}' }));
  return events;
}

test("the stock client runs in Chromium, subscribes with its cursor and applies what arrives", async (t) => {
  const server = await harnessServerFor(t, { "/": ROOM });
  const proxy = await proxyFor(t, server);
  const page = await browser.page(t, { baseURL: proxy.url, prepare: recordActions });
  const loads = await countLoads(page);
  await page.goto("/");
  await waitForConnected(page);
  server.broadcast(append(1));
  server.broadcast(append(2));
  await waitForRows(page, ["message 1", "message 2"]);
  assert.deepEqual(await rows(page), [
    { id: "message_1", text: "message 1" },
    { id: "message_2", text: "message 2" },
  ]);
  assert.deepEqual((await appliedActions(page)).map(({ action, text }) => [action, text]), [["append", "message 1"], ["append", "message 2"]]);
  assert.deepEqual(loads, { loads: 1, visits: 0 });
  const [subscribe] = await proxy.messages.waitFor(isSubscribe);
  assert.equal(subscribe.masked, true, "browsers mask what they send");
  assert.equal(JSON.parse(subscribe.json.identifier).cursor, "e.1", "data-cursor is a parameter of the subscription");
});

test("a doubled delivery that Turbo hides in the list shows in the recorded actions", async (t) => {
  const server = await harnessServerFor(t, { "/": ROOM });
  const page = await browser.page(t, { baseURL: server.url, prepare: recordActions });
  await page.goto("/");
  await waitForConnected(page);
  server.broadcast(append(1));
  server.broadcast(append(1));
  await page.waitForFunction(() => window.appliedActions.length === 2);
  await waitForRows(page, ["message 1"]);
});

test("the confirmation and all behind it can be held back from a browser, and come in order", async (t) => {
  const server = await harnessServerFor(t, { "/": ROOM });
  const proxy = await proxyFor(t, server);
  const hold = proxy.holdMessages({ match: cable, from: isConfirm });
  const page = await browser.page(t, { baseURL: proxy.url });
  await page.goto("/");
  await within("the confirmation to be held", hold.reached);
  for (const n of [1, 2, 3]) server.broadcast(append(n));
  await proxy.messages.waitFor(isDelivery, { count: 3 });
  assert.equal(proxy.messages.count(forwarded(isWelcome)), 1);
  assert.equal(proxy.messages.count(forwarded(isConfirm)), 0);
  assert.deepEqual(await rows(page), []);
  hold.release();
  await waitForConnected(page);
  await waitForRows(page, ["message 1", "message 2", "message 3"]);
});

test("errors of the page fail the test, but for those that it expects", async (t) => {
  const server = await harnessServerFor(t, {
    "/throws": `<script>throw new Error("in the page")</script>`,
    "/logs": `<link rel="icon" href="data:,"><script>console.error("in the console")</script>`,
  });
  for (const [path, event, message] of [["/throws", "pageerror", /in the page/], ["/logs", "console", /in the console/]]) {
    const inner = fakeTest();
    const page = await browser.page(inner.t, { baseURL: server.url, allow: [/404/] });
    // The browser tells of it in its own time, which may be after the page has loaded.
    await Promise.all([page.waitForEvent(event), page.goto(path)]);
    await assert.rejects(inner.end(), message);
    const tolerant = fakeTest();
    await (await browser.page(tolerant.t, { baseURL: server.url, allow: [/404/, message] })).goto(path);
    await tolerant.end();
  }
});

test("a hold on the cable's downward bytes leaves other connections alone", async (t) => {
  const server = await harnessServerFor(t, { "/": "hello" });
  const proxy = await proxyFor(t, server);
  const { texts } = await subscriber(t, proxy);
  await proxy.messages.waitFor(forwarded(isConfirm));
  const hold = proxy.hold({ direction: "down", match: cable });
  server.broadcast("one");
  await proxy.messages.waitFor(delivers("one"));
  assert.equal(await (await fetch(proxy.url)).text(), "hello");
  assert.equal(proxy.messages.count(forwarded(delivers("one"))), 0);
  hold.release();
  await proxy.messages.waitFor(forwarded(delivers("one")));
  assert.equal(proxy.accepted(cable), 1);
  assert.ok(proxy.bytes.down > proxy.bytes.up && proxy.bytes.up > 0);
  await eventually("all three", async () => {
    await new Promise(setImmediate);
    return texts.length === 3;
  });
});

test("a hold on the upward bytes delays the subscription", async (t) => {
  const server = await harnessServerFor(t);
  const proxy = await proxyFor(t, server);
  const { socket } = await subscriber(t, proxy);
  await proxy.messages.waitFor(isConfirm);
  const hold = proxy.hold({ direction: "up", match: cable });
  socket.send(JSON.stringify({ command: "unsubscribe", identifier: "x" }));
  await proxy.messages.waitFor(isUnsubscribe);
  assert.deepEqual(server.commands.map(({ command }) => command), ["subscribe"]);
  hold.release();
  const received = new Promise((resolve) => server.sockets[0].once("message", resolve));
  await within("the server to get it", received);
  assert.deepEqual(server.commands.map(({ command }) => command), ["subscribe", "unsubscribe"]);
});

test("backpressure stalls the sender", async (t) => {
  const server = await harnessServerFor(t);
  const proxy = await proxyFor(t, server);
  const { texts } = await subscriber(t, proxy);
  await proxy.messages.waitFor(forwarded(isConfirm));
  const hold = proxy.hold({ direction: "down", match: cable, backpressure: true });
  const big = "x".repeat(1 << 20);
  const count = 32;
  for (let n = 0; n < count; n += 1) server.broadcast(big);
  await proxy.messages.waitFor(isDelivery);
  assert.ok(server.sockets[0].bufferedAmount > 8 << 20, `the server holds ${server.sockets[0].bufferedAmount} bytes itself`);
  assert.ok(proxy.messages.count(isDelivery) < count);
  hold.release();
  await proxy.messages.waitFor(forwarded(isDelivery), { count, what: "large deliveries" });
  assert.ok(texts.length > 0);
});

for (const [reset, name] of [[true, "a reset"], [false, "a close"]]) {
  test(`${name} cuts both sides without a WebSocket close`, async (t) => {
    const server = await harnessServerFor(t);
    const proxy = await proxyFor(t, server);
    const { closed } = await subscriber(t, proxy);
    await proxy.messages.waitFor(forwarded(isConfirm));
    const serverClosed = new Promise((resolve) => server.sockets[0].once("close", resolve));
    assert.equal(proxy.cut({ match: cable, reset }), 1);
    assert.equal(await within("the client to notice", closed), 1006);
    assert.equal(await within("the server to notice", serverClosed), 1006);
    assert.equal(proxy.cut({ match: cable }), 0);
  });
}

test("a black hole tells nobody, and resets what it pierced when it ends", async (t) => {
  const server = await harnessServerFor(t);
  const proxy = await proxyFor(t, server);
  const { closed, socket } = await subscriber(t, proxy);
  await proxy.messages.waitFor(forwarded(isConfirm));
  const hole = proxy.blackhole({ match: cable });
  server.broadcast("lost");
  await proxy.messages.waitFor(delivers("lost"));
  server.sockets[0].terminate();
  const { texts } = await subscriberAfter(() => hole.end(), t, proxy, closed);
  assert.equal(socket.readyState, WebSocket.CLOSED);
  server.broadcast("found");
  await proxy.messages.waitFor(forwarded(delivers("found")));
  assert.equal(proxy.messages.count(forwarded(delivers("lost"))), 0);
  assert.ok(!texts.includes("lost"));
});

async function subscriberAfter(act, t, proxy, closed) {
  const from = proxy.messages.mark();
  act();
  assert.equal(await within("the client to be reset", closed), 1006);
  const next = await subscriber(t, proxy);
  await proxy.messages.waitFor(forwarded(isConfirm), { from });
  return next;
}

test("an outage resets what is open and what connects, until it ends", async (t) => {
  const server = await harnessServerFor(t, { "/": "a page" });
  const proxy = await proxyFor(t, server);
  const { closed } = await subscriber(t, proxy);
  await proxy.messages.waitFor(forwarded(isConfirm));
  const outage = proxy.outage({ match: cable });
  assert.equal(await within("the client to be reset", closed), 1006);
  const vain = new WebSocket(`${proxy.url.replace("http", "ws")}/cable`, { perMessageDeflate: false });
  const refused = await within("the refusal", new Promise((resolve) => vain.once("error", resolve)));
  assert.match(String(refused), /ECONNRESET|socket hang up/);
  assert.equal((await fetch(proxy.url)).status, 200, "others are let through");
  const from = proxy.messages.mark();
  outage.end();
  await subscriber(t, proxy);
  await proxy.messages.waitFor(forwarded(isConfirm), { from });
});

test("messages can be delivered again, as they were, and what reaches the browser can be watched", async (t) => {
  const server = await harnessServerFor(t);
  const proxy = await proxyFor(t, server);
  const { texts } = await subscriber(t, proxy);
  await proxy.messages.waitFor(forwarded(isConfirm));
  const bodies = ["short", "m".repeat(300), "l".repeat(70_000)];
  const seen = [...bodies, "never sent"].map((body) => proxy.watchFor(body));
  for (const body of bodies) server.broadcast(body);
  await proxy.messages.waitFor(forwarded(isDelivery), { count: bodies.length });
  assert.equal(proxy.repeat(isDelivery), bodies.length);
  server.broadcast("the end");
  const received = () => texts.map((text) => JSON.parse(text).message).filter((message) => message !== undefined);
  await eventually("the end", async () => {
    await new Promise(setImmediate);
    return received().at(-1) === "the end";
  });
  assert.deepEqual(received(), [...bodies, ...bodies, "the end"]);
  assert.equal(seen[0](), true);
  assert.equal(seen.at(-1)(), false);
});

test("after a restart new connections go to the new server", async (t) => {
  const [first, second] = [await harnessServerFor(t, { "/": "first" }), await harnessServerFor(t, { "/": "second" })];
  const proxy = await proxyFor(t, first);
  const get = async () => (await fetch(proxy.url, { headers: { connection: "close" } })).text();
  assert.equal(await get(), "first");
  proxy.retarget(second.url);
  assert.equal(await get(), "second");
});

test("the frame reader reads both kinds at every cut of the stream", () => {
  const mask = [1, 2, 3, 4];
  const masked = Buffer.from([0x81, 0x82, ...mask, 0x68 ^ 1, 0x69 ^ 2]);
  const medium = Buffer.concat([Buffer.from([0x82, 126, 0x01, 0x00]), Buffer.alloc(256, 7)]);
  const large = Buffer.concat([Buffer.from([0x01, 127, 0, 0, 0, 0, 0, 1, 0, 0]), Buffer.alloc(65_536, 8)]);
  const pong = Buffer.from([0x8a, 0x00]);
  const stream = Buffer.concat([masked, medium, pong, large]);
  for (const cut of [1, 2, 5, 7, 8, 9, 11, 200, 268, 270, 275, stream.length - 1]) {
    const reader = new WsFrameReader();
    const frames = [...reader.push(stream.subarray(0, cut)), ...reader.push(stream.subarray(cut))];
    assert.deepEqual(frames.map((f) => [f.kind, f.masked, f.fin, f.payload.length]), [
      ["text", true, true, 2],
      ["binary", false, true, 256],
      ["pong", false, true, 0],
      ["text", false, false, 65_536],
    ]);
    assert.equal(frames[0].payload.toString(), "hi");
    assert.ok(Buffer.concat(frames.map(({ raw }) => raw)).equals(stream));
    assert.equal(reader.takeRest().length, 0);
  }
});

test("fragments are one message, and a ping between them goes ahead", async (t) => {
  const server = await harnessServerFor(t);
  const proxy = await proxyFor(t, server);
  const { socket } = await subscriber(t, proxy);
  await proxy.messages.waitFor(forwarded(isConfirm));
  socket.send('{"command":"mess', { fin: false });
  socket.ping("between");
  socket.send('age"}', { fin: true });
  await proxy.messages.waitFor((m) => m.forwarded && m.json?.command === "message");
  const kinds = proxy.messages.filter((m) => m.direction === "up").map(({ kind }) => kind);
  assert.deepEqual(kinds, ["text", "ping", "text"]);
});

test("a server is started, its readiness awaited, its log kept, and it is stopped by its pid", async () => {
  const script = `process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 1e6);
    console.error("starting"); console.log("ready http://127.0.0.1:1/")`;
  const server = new Server({ binary: process.execPath, args: ["-e", script] });
  assert.equal(await server.ready(), "http://127.0.0.1:1/");
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.match(server.log, /ready/);
});

test("a server that dies early is an error that shows its log", async () => {
  const server = new Server({ binary: process.execPath, args: ["-e", "console.error('no such option'); process.exit(3)"] });
  await assert.rejects(server.ready(), /"code":3[^]*no such option/);
  await server.stop();
});

test("a frozen server can be stopped", async () => {
  const server = new Server({ binary: process.execPath, args: ["-e", "console.log('ready http://x'); setInterval(() => {}, 1e6)"] });
  await server.ready();
  server.freeze();
  assert.equal((await server.stop()).signal, "SIGTERM");
});

test("a missing Chromium is an error that says how to install it", () => {
  assert.throws(() => chromiumPath({ CHROMIUM: "/no/such/browser" }), /CHROMIUM=\/no\/such\/browser/);
});

test("a wait that ends without its event says what it waited for", async () => {
  await assert.rejects(within("godot", new Promise(() => {}), { ms: 1, detail: () => "a tree" }), /godot\na tree/);
});

/** A stand-in for node:test's context, so that a test can watch another one fail. */
function fakeTest() {
  const hooks = [];
  return {
    t: { after: (hook) => hooks.push(hook), passed: true, diagnostic: () => {} },
    end: async () => {
      for (const hook of hooks) await hook();
    },
  };
}
