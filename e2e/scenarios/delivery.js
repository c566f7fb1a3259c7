// Changes between the moment at which a handler reads its data and the moment at which its page is subscribed.
// Each is to be shown once, in order, without a reload (S01 to S13).

import { cable, forwarded, isConfirm, isSubscribe } from "../support/cable.js";
import { within } from "../support/deadline.js";
import { appends, messages, scenario } from "./scenario.js";

/** Stops the handler at a gate, changes something meanwhile, lets it go on. */
async function whileStoppedAt(room, gateName, change) {
  const gate = await room.fixture.closeGate(gateName);
  const viewer = await room.begin();
  await gate.reached();
  await change();
  await gate.open();
  await viewer.loaded;
  await viewer.connected();
  return viewer;
}

const editStoppedAt = (gateName) => async (room) => {
  await room.create("version 1");
  const viewer = await whileStoppedAt(room, gateName, () => room.fixture.updateMessage(1, "version 2"));
  await room.assertShown(viewer, { rows: ["version 2"], applied: ["replace version 2"] });
};

const createStoppedAt = (gateName) => async (room) => {
  await room.create("one");
  const viewer = await whileStoppedAt(room, gateName, () => room.create("two", "three"));
  await room.assertShown(viewer, { rows: ["one", "two", "three"], applied: appends(["two", "three"]) });
};

export const nothingInTheGap = scenario("messages that are created when the page is live are shown once, in order", async (room) => {
  const viewer = await room.open();
  await room.create("one", "two");
  await room.assertShown(viewer, { rows: ["one", "two"], applied: appends(["one", "two"]) });
});

export const changedBeforeTheFlush = scenario(
  "S01 a change committed between the handler's read and the flush appears",
  editStoppedAt("flush"),
);

export const changedBeforeTheTag = scenario(
  "S02 a change committed between the handler's read and the evaluation of the stream tag appears",
  editStoppedAt("before_tag"),
);

export const changedInTheLayout = scenario("S03 a change committed while a slow layout is rendered appears", editStoppedAt("layout"));

export const createdAfterTheRead = scenario(
  "S02 messages created between the handler's read and the rendering of the rows appear",
  createStoppedAt("after_read"),
);

export const createdBeforeTheTag = scenario(
  "S02 messages created between the handler's read and the rendering of the tag appear",
  createStoppedAt("before_tag"),
);

export const createdBeforeTheRead = scenario(
  "S01 a message created between the beginning of the request and the handler's read is replayed over itself and shown once",
  async (room) => {
    const viewer = await whileStoppedAt(room, "before_read", () => room.create("one"));
    await room.assertShown(viewer, { rows: ["one"], applied: ["append one"] });
  },
);

export const createdBeforeTheConnection = scenario(
  "S01 messages created after rendering and before the socket is open appear",
  async (room) => {
    const hold = room.proxy.hold({ match: cable });
    const viewer = await room.render();
    await within("the handshake", hold.reached);
    await room.create("one", "two");
    hold.release();
    await viewer.connected();
    await room.assertShown(viewer, { rows: ["one", "two"], applied: appends(["one", "two"]) });
  },
);

export const createdBeforeTheSubscribe = scenario(
  "S01 messages created after rendering and before the server gets the subscribe command appear",
  async (room) => {
    const hold = room.proxy.holdMessages({ match: cable, direction: "up", from: isSubscribe });
    const viewer = await room.render();
    await within("the subscribe command", hold.reached);
    await room.create("one", "two");
    hold.release();
    await viewer.connected();
    await room.assertShown(viewer, { rows: ["one", "two"], applied: appends(["one", "two"]) });
  },
);

export const confirmationHeldOnTheWay = scenario(
  "S04 50 messages created while the confirmation is on its way, so long that the client asks again, are applied once each, in order",
  async (room) => {
    const hold = room.proxy.holdMessages({ match: cable, from: isConfirm });
    const viewer = await room.render();
    await within("the confirmation", hold.reached);
    await room.create(...messages(50));
    await room.proxy.messages.waitFor(isConfirm, { count: 2 });
    hold.release();
    await viewer.connected();
    await room.assertShown(viewer, { rows: messages(50), applied: appends(messages(50)) });
  },
);

export const confirmationHeldByTheServer = scenario(
  "S04 50 messages created while the server is still deciding are applied once each, in order",
  async (room) => {
    const gate = await room.fixture.closeGate("subscribe");
    const viewer = await room.render({ channel: "GatedChannel" });
    await gate.reached();
    await room.create(...messages(50));
    await gate.open();
    await viewer.connected();
    await room.assertShown(viewer, { rows: messages(50), applied: appends(messages(50)) });
  },
);

export const subscribedAgainAndAgain = scenario(
  "S04 the same, and the client has lost patience twice and subscribed again: nothing is applied twice",
  async (room) => {
    const gate = await room.fixture.closeGate("subscribe");
    const viewer = await room.render({ channel: "GatedChannel" });
    await gate.reached();
    await room.create(...messages(25));
    await room.proxy.messages.waitFor(forwarded(isSubscribe), { count: 3 });
    await room.create(...messages(25, 26));
    await gate.open();
    await viewer.connected();
    await room.assertShown(viewer, { rows: messages(50), applied: appends(messages(50)) });
  },
);

export const emptyList = scenario(
  "S05 on an empty list, a first row created before the confirmation and one created after it appear once each",
  async (room) => {
    const gate = await room.fixture.closeGate("subscribe");
    const viewer = await room.render({ channel: "GatedChannel" });
    await gate.reached();
    await room.create("first");
    await gate.open();
    await viewer.connected();
    await room.create("second");
    await room.assertShown(viewer, { rows: ["first", "second"], applied: appends(["first", "second"]) });
  },
);

export const missingTarget = scenario(
  "S13 an action without a target on the page keeps no other from being applied, in its own broadcast or the next",
  async (room) => {
    const viewer = await room.open();
    const lost = `<turbo-stream action="replace" target="nowhere"><template>lost</template></turbo-stream>`;
    await room.broadcast(`${lost}<turbo-stream action="append" target="messages"><template><li>one</li></template></turbo-stream>`);
    await room.broadcast(lost);
    await room.create("two");
    const applied = ["replace lost", "append one", "replace lost", "append two"];
    await room.assertShown(viewer, { rows: ["one", "two"], applied });
  },
);

export const transactions = scenario(
  "S09 nothing of a rolled back transaction or savepoint is sent, and nothing of a committed one before its commit",
  async (room) => {
    const viewer = await room.open();
    const gate = await room.fixture.closeGate("before_commit");
    const done = room.fixture.rollback(room.id);
    await gate.reached();
    await room.broadcast(`<turbo-stream action="append" target="messages"><template><li>before</li></template></turbo-stream>`);
    await viewer.shows("before");
    await gate.open();
    await done;
    const rows = ["before", "savepoint kept"];
    await room.assertShown(viewer, { rows, applied: appends(rows) });
  },
);
