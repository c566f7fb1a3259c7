// What a server must still do after somebody has tried something, and what it must have noticed.

import assert from "node:assert/strict";
import { Fixture } from "./fixture.js";
import { confirms, welcomed } from "./raw_client.js";
import { serverFor } from "./server.js";

/** A server with no browser and no proxy in front of it. @param {import("node:test").TestContext} t */
export async function fixtureFor(t) {
  return new Fixture(await serverFor(t));
}

/** The identifier of a stream tag, from {@link Fixture.source}. */
export const turbo = ({ signed_stream_name, cursor }) => ({ channel: "Turbo::StreamsChannel", signed_stream_name, cursor });

/** The server still does what it is for, for somebody who comes now. */
export async function assertServes(t, fixture) {
  const client = await welcomed(t, fixture);
  const source = await fixture.source(1);
  client.subscribe(turbo(source));
  await client.until("confirmation", confirms);
  await fixture.publish(source.stream, { still: "serving" });
  const [{ message }] = await client.until("message", ({ message }) => message?.still);
  assert.deepEqual(message, { still: "serving" });
}

/** Of the counters, only these have moved. */
export async function assertCounted(fixture, expected) {
  const { counters } = await fixture.stats();
  const bad = ["refusals", "rejections", "violations", "cursors_refused"];
  const moved = Object.entries(counters).filter(([name, count]) => count > 0 && (bad.includes(name) || name.startsWith("resyncs")));
  assert.deepEqual(Object.fromEntries(moved), expected);
}
