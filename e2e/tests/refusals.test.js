// Subscriptions that a stranger asks for and does not get: nothing leaks, the answer is clear, the connection lives on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { confirms, rejects, welcomed } from "../support/raw_client.js";
import { assertCounted, assertServes, fixtureFor, turbo } from "../support/unharmed.js";

test("S60 forged, truncated and foreign signatures are rejected, and the connection lives on", async (t) => {
  const fixture = await fixtureFor(t);
  const source = await fixture.source(1);
  const other = await fixture.source(2);
  const [data, digest] = source.signed_stream_name.split("--");
  const bad = [
    "",
    "--",
    data,
    digest,
    `${data}--`,
    `--${digest}`,
    `${data}--${digest.slice(0, -1)}`,
    `${data}--${digest}0`,
    `${data}--${digest.replace(/^./, (c) => (c === "0" ? "1" : "0"))}`,
    `${data}--${other.signed_stream_name.split("--")[1]}`,
    `${data}--${"0".repeat(64)}`,
    `${Buffer.from('"public/news"').toString("base64")}--${digest}`,
    "x".repeat(3000),
    7,
    null,
    ["a"],
    { a: 1 },
  ];
  const client = await welcomed(t, fixture);
  for (const signed_stream_name of bad) client.subscribe({ channel: "Turbo::StreamsChannel", signed_stream_name });
  client.subscribe({ channel: "Turbo::StreamsChannel" });
  client.subscribe({ channel: "NoSuchChannel", signed_stream_name: source.signed_stream_name });
  client.subscribe({ channel: "$pubsub", stream_name: "private/news" });
  client.subscribe({ channel: "$pubsub", signed_stream_name: source.signed_stream_name, stream_name: "public/news" });
  const count = bad.length + 4;
  await client.until("rejections", rejects, count);
  await fixture.publish(source.stream, { for: "nobody here" });
  client.subscribe(turbo(source));
  await client.until("confirmation", confirms);
  // The entry behind the cursor comes, once, to the one subscription that was confirmed.
  await client.until("message", ({ message }) => message !== undefined && message !== null && typeof message === "object");
  await fixture.publish(source.stream, { last: true });
  await client.until("the last message", ({ message }) => message?.last);
  const messages = client.texts.filter(({ message, type }) => message !== undefined && type !== "ping");
  assert.deepEqual(messages.map(({ message }) => message), [{ for: "nobody here" }, { last: true }]);
  assert.equal(client.texts.filter(confirms).length, 1);
  await assertCounted(fixture, { rejections: count });
});

test("S62 cursors that are not ours are a resync and never an access", async (t) => {
  const fixture = await fixtureFor(t);
  const source = await fixture.source(1);
  const [epoch, offset, page, mac] = source.cursor.split(".");
  await fixture.publish(source.stream, { before: "the subscription" });
  const bad = [
    "",
    "x",
    `${epoch}.${offset}.${page}`,
    `${epoch}.0.${page}.AAAAAAAAAAAAAAAA`,
    `${epoch}.1.${page}.${mac}`,
    `${epoch}.99999999999999999999999.${page}.${mac}`,
    `0.${offset}.${page}.${mac}`,
    `${source.cursor}x`,
    "x".repeat(2000),
    7,
    null,
    { offset: 0 },
  ];
  // A page each: a connection's page is told five times a minute at the most.
  const pages = [];
  for (const cursor of bad) {
    const page = await welcomed(t, fixture);
    pages.push(page);
    page.subscribe(turbo({ ...source, cursor }));
    await page.until("a refresh", ({ message }) => String(message).includes('action="refresh"'));
  }
  const client = await welcomed(t, fixture);
  client.subscribe({ channel: "Turbo::StreamsChannel", signed_stream_name: `${source.signed_stream_name}0`, cursor: source.cursor });
  await client.until("rejection", rejects);
  await fixture.publish(source.stream, { live: true });
  for (const page of pages) {
    await page.until("the live message", ({ message }) => message?.live);
    assert.deepEqual(page.texts.filter(({ message }) => message?.before), []);
  }
  await assertCounted(fixture, { cursors_refused: bad.length, rejections: 1 });
});

test("a cursor of another epoch is a resync", async (t) => {
  const [fixture, other] = [await fixtureFor(t), await fixtureFor(t)];
  const client = await welcomed(t, fixture);
  client.subscribe(turbo(await other.source(1))); // the same secret, another life of the log
  await client.until("refresh", ({ message }) => String(message).includes('action="refresh"'));
  await assertCounted(fixture, { resyncs_other_epoch: 1 });
  await assertServes(t, fixture);
});

test("twelve hundred subscriptions: a thousand are confirmed, the rest are rejected, and others are served", async (t) => {
  const fixture = await fixtureFor(t);
  const client = await welcomed(t, fixture);
  for (let n = 0; n < 1_200; n += 1) client.subscribe({ channel: "EchoChannel", n });
  await client.until("answers", (text) => confirms(text) || rejects(text), 1_200);
  assert.equal(client.texts.filter(confirms).length, 1_000);
  assert.equal(client.texts.filter(rejects).length, 200);
  await assertServes(t, fixture);
  client.send({ command: "unsubscribe", identifier: JSON.stringify({ channel: "EchoChannel", n: 0 }) });
  client.subscribe({ channel: "EchoChannel", n: "another" });
  await client.until("one more confirmation", confirms, 1_001);
});

test("one stream under 150 names: a hundred are confirmed, the rest are rejected", async (t) => {
  const fixture = await fixtureFor(t);
  const client = await welcomed(t, fixture);
  const { signed_stream_name } = await fixture.source(1);
  for (let n = 0; n < 150; n += 1) client.subscribe({ channel: "Turbo::StreamsChannel", signed_stream_name, n });
  await client.until("answers", (text) => confirms(text) || rejects(text), 150);
  assert.equal(client.texts.filter(confirms).length, 100);
  await assertServes(t, fixture);
});

test("an identifier past its limit, or that is not a channel's, is rejected", async (t) => {
  const fixture = await fixtureFor(t);
  const client = await welcomed(t, fixture);
  const identifiers = ["", "x", "[]", "{}", '{"channel":7}', `{"channel":"EchoChannel","x":"${"x".repeat(5000)}"}`];
  for (const identifier of identifiers) client.send({ command: "subscribe", identifier });
  const rejected = await client.until("rejections", rejects, identifiers.length);
  assert.deepEqual(rejected.map(({ identifier }) => identifier), identifiers);
  await assertServes(t, fixture);
});

test("an action on what is not subscribed is answered by a rejection, and nothing is performed", async (t) => {
  const fixture = await fixtureFor(t);
  const client = await welcomed(t, fixture);
  const identifier = JSON.stringify({ channel: "EchoChannel" });
  client.send({ command: "message", identifier, data: '{"action":"speak"}' });
  const [{ identifier: rejected }] = await client.until("rejection", rejects);
  assert.equal(rejected, identifier);
  client.send({ command: "subscribe", identifier });
  client.send({ command: "message", identifier, data: '{"action":"speak","text":"now"}' });
  const [{ message }] = await client.until("echo", ({ message, type }) => message && !type);
  assert.deepEqual(message, { action: "speak", data: { action: "speak", text: "now" } });
});

test("what the session rejects by itself is counted as a rejection", async (t) => {
  const fixture = await fixtureFor(t);
  const client = await welcomed(t, fixture);
  client.send({ command: "subscribe", identifier: "x" });
  client.send({ command: "message", identifier: "y", data: "{}" });
  await client.until("rejections", rejects, 2);
  await assertCounted(fixture, { rejections: 2 });
});
