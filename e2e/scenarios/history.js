// What a late subscriber is replayed: not only rows that are new, and with whatever happens at the same time
// (S40 to S42).

import { cable, isSubscribe } from "../support/cable.js";
import { within } from "../support/deadline.js";
import { appends, messages, scenario } from "./scenario.js";

/** A viewer whose subscription does not get through to the server until it is released. */
async function heldViewer(room, query) {
  const hold = room.proxy.holdMessages({ match: cable, direction: "up", from: isSubscribe });
  const viewer = await room.render(query);
  await within("the subscribe command", hold.reached);
  return { viewer, hold };
}

export const editsAndRemovals = scenario("S40 edits and removals in the gap are applied, not only insertions", async (room) => {
  await room.create("one", "two", "three", "four");
  const { viewer, hold } = await heldViewer(room);
  await room.fixture.updateMessage(2, "two, edited");
  await room.fixture.deleteMessage(3);
  await room.create("five");
  await room.fixture.updateMessage(5, "five, edited");
  await room.create("six");
  await room.fixture.deleteMessage(6);
  hold.release();
  await viewer.connected();
  await room.assertShown(viewer, {
    rows: ["one", "two, edited", "four", "five, edited"],
    applied: ["replace two, edited", "remove message_3", "append five", "replace five, edited", "append six", "remove message_6"],
  });
});

export const ownInsertion = scenario(
  "S41 what others created before an own insertion during the gap appears, in front of it",
  async (room) => {
    const { viewer, hold } = await heldViewer(room);
    await room.create("theirs");
    await viewer.page.fill("#new input", "mine");
    await viewer.page.click("#new button");
    await viewer.shows("mine");
    await room.create("theirs again");
    hold.release();
    await viewer.connected();
    // "mine" is there from the form's answer, and goes to its place when its broadcast comes.
    const applied = appends(["mine", "theirs", "mine", "theirs again"]);
    await room.assertShown(viewer, { rows: ["theirs", "mine", "theirs again"], applied });
  },
);

export const inTheMiddleOfSubscribing = scenario(
  "S42 a message created in the middle of subscribing, before any history was sent, comes in its place",
  async (room) => {
    const { viewer, hold } = await heldViewer(room, { channel: "GatedChannel" });
    await room.create("8", "9");
    const gate = await room.fixture.closeGate("subscribe");
    hold.release();
    await gate.reached();
    await room.create("10");
    await gate.open();
    await viewer.connected();
    await room.create("11");
    await room.assertShown(viewer, { rows: ["8", "9", "10", "11"], applied: appends(["8", "9", "10", "11"]) });
  },
);

export const whileHistoryIsSent = scenario(
  "S42 300 messages of history and 300 live ones that arrive meanwhile are applied in one order",
  async (room) => {
    const { viewer, hold } = await heldViewer(room);
    await room.fixture.flood(room.id, { count: 300 });
    const flood = room.fixture.flood(room.id, { from: 301, count: 300 });
    hold.release();
    await flood;
    await viewer.connected();
    await room.assertShown(viewer, { rows: messages(600), applied: appends(messages(600)) });
  },
);

