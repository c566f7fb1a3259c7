// The suite would notice: known-bad designs run through the same scenarios, and fail them, by what the page shows.
// A design that a scenario cannot tell from the right one passes it, which shows that nothing else about it is broken.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as delivery from "../scenarios/delivery.js";
import * as history from "../scenarios/history.js";
import * as morph from "../scenarios/morph.js";
import { useBrowser } from "../support/browser.js";
import { roomFor } from "../support/room.js";

const browser = useBrowser();

/** See e2e/app/src/sabotage.rs. */
const NO_CURSOR = { name: "no cursor, as plain Action Cable", query: { cursor: "none" } };
const LATE_CURSOR = { name: "a cursor taken when the tag is rendered", query: { cursor: "late" } };
const DETACHED = { name: "history read before following, not atomically", query: { cable: "/cable-detached" } };

const UNOBSERVED = { name: "a cursor in an attribute that nobody observes", query: { cursor: "unobserved" } };

const PASSES = [
  [NO_CURSOR, delivery.nothingInTheGap],
  [LATE_CURSOR, delivery.nothingInTheGap],
  [LATE_CURSOR, delivery.changedBeforeTheFlush],
  [LATE_CURSOR, delivery.createdBeforeTheSubscribe],
  [DETACHED, delivery.nothingInTheGap],
  [DETACHED, delivery.createdBeforeTheSubscribe],
  [UNOBSERVED, delivery.createdAfterTheRead],
  [UNOBSERVED, delivery.createdBeforeTheSubscribe],
];

const CAUGHT = [
  [NO_CURSOR, delivery.changedBeforeTheFlush],
  [NO_CURSOR, delivery.changedBeforeTheTag],
  [NO_CURSOR, delivery.changedInTheLayout],
  [NO_CURSOR, delivery.createdAfterTheRead],
  [NO_CURSOR, delivery.createdBeforeTheConnection],
  [NO_CURSOR, delivery.createdBeforeTheSubscribe],
  [NO_CURSOR, delivery.confirmationHeldByTheServer],
  [NO_CURSOR, delivery.subscribedAgainAndAgain],
  [NO_CURSOR, delivery.emptyList],
  [NO_CURSOR, history.editsAndRemovals],
  [NO_CURSOR, history.ownInsertion],
  [NO_CURSOR, history.inTheMiddleOfSubscribing],
  [LATE_CURSOR, delivery.changedBeforeTheTag],
  [LATE_CURSOR, delivery.createdAfterTheRead],
  [LATE_CURSOR, delivery.createdBeforeTheTag],
  [DETACHED, history.inTheMiddleOfSubscribing],
  [UNOBSERVED, morph.afterTheRead],
  [UNOBSERVED, morph.beforeTheTag],
  [UNOBSERVED, morph.inTheLayout],
  [UNOBSERVED, morph.beforeTheFlush],
];

for (const [variant, { name, run }] of PASSES) {
  test(`${variant.name} passes: ${name}`, async (t) => run(await roomFor(t, browser, variant)));
}

for (const [variant, { name, run }] of CAUGHT) {
  test(`${variant.name} is caught by: ${name}`, async (t) => assertCaught(run(await roomFor(t, browser, variant))));
}

/**
 * The scenario fails, because the page has missed something, and not for want of time or for another reason.
 * That needs no waiting: the scenario's last message tells it that nothing more will come.
 *
 * @param {Promise<void>} scenario
 */
async function assertCaught(scenario) {
  const error = await scenario.then(
    () => assert.fail("the scenario passed"),
    (error) => error,
  );
  assert.equal(error.code, "ERR_ASSERTION", error.stack);
  const { actual, expected } = error;
  assert.ok(Array.isArray(actual?.applied), error.stack);
  const missed = (/** @type {"applied" | "rows"} */ what) => expected[what].filter((each) => !actual[what].includes(each));
  assert.ok(missed("applied").length + missed("rows").length > 0, `nothing was missed: ${error.message}`);
}
