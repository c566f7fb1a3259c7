// Names for what crosses an Action Cable connection, as predicates for the fault proxy.
// Formats: Action Cable's `actioncable-v1-json` protocol.

/** @typedef {import("./message_log.js").Observed} Observed */

/** Connections whose first request is for this path, whatever the query. @param {string} wanted */
export function path(wanted) {
  return (/** @type {import("./http_head.js").HttpHead} */ head) => head.path.split("?")[0] === wanted;
}

/** The cable endpoint's connections, and those of its known-bad variants. */
export const cable = (/** @type {import("./http_head.js").HttpHead} */ head) => /^\/cable(-\w+)?(\?|$)/.test(head.path);

/** @param {Observed} m */
export const isWelcome = (m) => isDown(m, "welcome");

/** @param {Observed} m */
export const isConfirm = (m) => isDown(m, "confirm_subscription");

/** @param {Observed} m */
export const isReject = (m) => isDown(m, "reject_subscription");

/** @param {Observed} m */
export const isDisconnect = (m) => isDown(m, "disconnect");

/** Action Cable's own ping, a text message; not the control frame. @param {Observed} m */
export const isCablePing = (m) => isDown(m, "ping");

/** A broadcast that was delivered to a subscription. @param {Observed} m */
export const isDelivery = (m) => m.direction === "down" && m.kind === "text" && m.json?.message !== undefined && !m.json.type;

/** A delivery whose HTML contains this text. @param {string} text */
export const delivers = (text) => (/** @type {Observed} */ m) => isDelivery(m) && String(m.json.message).includes(text);

/** @param {Observed} m */
export const isSubscribe = (m) => isCommand(m, "subscribe");

/** @param {Observed} m */
export const isUnsubscribe = (m) => isCommand(m, "unsubscribe");

/** A Pong to one of Forebay's marks: all entries up to this offset, or a later one, have arrived. @param {number} offset */
export const provesOffset = (offset) => (/** @type {Observed} */ m) =>
  m.direction === "up" && m.kind === "pong" && m.payload.length === 12 && m.payload.readBigUInt64BE(0) >= BigInt(offset);

/** The same, once it has reached the other side. @param {(m: Observed) => unknown} predicate */
export const forwarded = (predicate) => (/** @type {Observed} */ m) => m.forwarded && predicate(m);

function isDown(m, type) {
  return m.direction === "down" && m.kind === "text" && m.json?.type === type;
}

function isCommand(m, command) {
  return m.direction === "up" && m.kind === "text" && m.json?.command === command;
}
