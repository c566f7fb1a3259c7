// What a stranger can send: each bad thing gets a clear answer, is counted, and leaves the server as it was for everybody else.

import assert from "node:assert/strict";
import { request } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { within } from "../support/deadline.js";
import { visitor } from "../support/page_clients.js";
import { confirms, PROTOCOL, RawClient, welcomed } from "../support/raw_client.js";
import { assertCounted, assertServes, fixtureFor } from "../support/unharmed.js";

const browser = useBrowser();

const VIOLATIONS = {
  "a message past the limit": { code: 1009, act: ({ socket }) => socket.send("x".repeat((64 << 10) + 1)) },
  "a message past the limit, in small fragments": {
    code: 1009,
    act: ({ socket }) => {
      for (let n = 0; n < 65; n += 1) socket.send("x".repeat(1024), { fin: n === 64 });
    },
  },
  "a binary message": { code: 1003, act: ({ socket }) => socket.send(Buffer.from('{"command":"subscribe"}'), { binary: true }) },
  "bad UTF-8": { code: 1007, act: ({ socket }) => socket.send(Buffer.from([0x22, 0xff, 0xfe, 0x22]), { binary: false }) },
  "bad JSON": { code: 1007, act: ({ socket }) => socket.send("{") },
  "an empty message": { code: 1007, act: ({ socket }) => socket.send("") },
  "JSON that is no command": { code: 1007, act: ({ socket }) => socket.send("[]") },
  "a command without an identifier": { code: 1007, act: ({ socket }) => socket.send('{"command":"subscribe"}') },
  "an unknown command": { code: 1008, act: ({ socket }) => socket.send('{"command":"reboot","identifier":"{}"}') },
  "an unmasked ws frame": { code: 1002, act: ({ socket }) => socket.send("{}", { mask: false }) },
  "a reserved bit": { code: 1002, act: ({ socket }) => socket._socket.write(Buffer.from([0xc1, 0x80, 0, 0, 0, 0])) },
  "a fragmented control frame": { code: 1002, act: ({ socket }) => socket._socket.write(Buffer.from([0x09, 0x80, 0, 0, 0, 0])) },
  "a continuation of nothing": { code: 1002, act: ({ socket }) => socket._socket.write(Buffer.from([0x80, 0x80, 0, 0, 0, 0])) },
  "an unknown opcode": { code: 1002, act: ({ socket }) => socket._socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0])) },
};

for (const [what, { code, act }] of Object.entries(VIOLATIONS)) {
  test(`${what} is told why and closed with ${code}, and nobody else is`, async (t) => {
    const fixture = await fixtureFor(t);
    const bystander = await welcomed(t, fixture);
    bystander.subscribe({ channel: "EchoChannel" });
    await bystander.until("confirmation", confirms);
    const client = await welcomed(t, fixture);
    act(client);
    const { code: actual, reason } = await within("the close", client.closed);
    assert.equal(actual, code, reason);
    assert.notEqual(reason, "");
    assert.deepEqual(client.texts.slice(1), [{ type: "disconnect", reason: "invalid_request", reconnect: false }]);
    await assertServes(t, fixture);
    assert.equal(bystander.socket.readyState, bystander.socket.OPEN);
    await assertCounted(fixture, { violations: 1 });
  });
}

test("what comes behind a violation in the same packet is not carried out", async (t) => {
  const fixture = await fixtureFor(t);
  const client = await welcomed(t, fixture);
  client.socket._socket.cork();
  client.send("{");
  client.subscribe({ channel: "EchoChannel" });
  client.socket._socket.uncork();
  assert.equal((await within("the close", client.closed)).code, 1007);
  assert.deepEqual(client.texts.filter(confirms), []);
  assert.equal((await fixture.stats()).counters.subscriptions, 0);
});

test("S67 a page of another origin is refused with 403", async (t) => {
  const fixture = await fixtureFor(t);
  const origins = ["https://evil.example", "null", fixture.url.replace("127.0.0.1", "127.0.0.1.evil.example"), "http://127.0.0.1:1", "ä"];
  for (const origin of origins) {
    assert.equal(await within("the refusal", new RawClient(t, fixture, { headers: { origin } }).refused), 403, origin);
  }
  await welcomed(t, fixture, { headers: { origin: fixture.url } });
  await assertCounted(fixture, { refusals: origins.length });
  await assertServes(t, fixture);
});

test("S67 a page of another origin that comes with the visitor's cookies is refused in Chromium", async (t) => {
  const [fixture, evil] = [await fixtureFor(t), await fixtureFor(t)];
  const page = await browser.page(t, { baseURL: evil.url, allow: [/WebSocket connection.*403/] });
  await visitor("ann", fixture)(page); // cookies do not tell ports apart
  await page.goto("/blank?script=actioncable");
  const connect = ([url, protocol]) =>
    new Promise((resolve) => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/cable`, protocol);
      socket.addEventListener("message", () => resolve("welcomed"));
      socket.addEventListener("close", ({ code }) => resolve(code));
    });
  const connected = ({ url }) => within("the outcome of connecting", page.evaluate(connect, [url, PROTOCOL]));
  assert.equal(await connected(fixture), 1006);
  assert.equal(await connected(evil), "welcomed");
  await assertCounted(fixture, { refusals: 1 });
});

test("an unknown subprotocol is refused with 400, and one of several that is known is chosen", async (t) => {
  const fixture = await fixtureFor(t);
  assert.equal(await within("the refusal", new RawClient(t, fixture, { protocols: ["graphql-ws"] }).refused), 400);
  const chosen = await welcomed(t, fixture, { protocols: ["graphql-ws", PROTOCOL, "actioncable-unsupported"] });
  assert.equal(chosen.socket.protocol, PROTOCOL);
  const none = await welcomed(t, fixture, { protocols: [] });
  assert.equal(none.socket.protocol, "");
  await assertCounted(fixture, { refusals: 1 });
});

/** The status of one HTTP request. */
function ask(fixture, { headers = {}, ...options } = {}) {
  const answer = new Promise((resolve, reject) => {
    const asked = request(`${fixture.url}/cable`, { headers, ...options }, (response) => {
      response.resume();
      response.once("end", () => resolve({ status: response.statusCode, headers: response.headers }));
    });
    asked.once("error", reject);
    asked.end();
  });
  return within("the answer", answer);
}

test("an ordinary request to the cable is answered 426, and says what is wanted instead", async (t) => {
  const fixture = await fixtureFor(t);
  for (const method of ["GET", "POST", "DELETE"]) {
    const { status, headers } = await ask(fixture, { method });
    assert.deepEqual([method, status, headers.upgrade], [method, 426, "websocket"]);
  }
  const upgrade = { connection: "upgrade", upgrade: "websocket" };
  const key = { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" };
  assert.equal((await ask(fixture, { headers: { ...upgrade, ...key, "sec-websocket-version": "8" } })).status, 426);
  assert.equal((await ask(fixture, { headers: { ...upgrade, "sec-websocket-version": "13" } })).status, 400);
  await assertServes(t, fixture);
});

test("connections that begin and never go on, or end in the middle of a ws frame, leave nothing behind", async (t) => {
  const fixture = await fixtureFor(t);
  const { hostname, port } = new URL(fixture.url);
  for (const bytes of ["", "GET /cable HT", "\x16\x03\x01\x02\x00\x01\x00", "\0".repeat(4096)]) {
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    await within("the connection", new Promise((resolve) => socket.once("connect", resolve)));
    await new Promise((resolve) => socket.write(bytes, resolve));
    socket.destroy();
  }
  const client = await welcomed(t, fixture);
  await new Promise((resolve) => client.socket._socket.write(Buffer.from([0x81, 0xfe, 0x10]), resolve));
  client.socket.terminate();
  await assertServes(t, fixture);
});
