// The faults a test can inject, as rules that every lane of the proxy asks before it passes something on.
// A rule is in force from its making until `release()` (or `end()`), also for connections that come later.

/** @typedef {import("./message_log.js").Direction} Direction */
/** @typedef {import("./message_log.js").Observed} Observed */
/** @typedef {import("./http_head.js").HttpHead} HttpHead */
/** @typedef {(head: HttpHead) => boolean} HeadPredicate */

/**
 * @typedef {object} Scope which connections and directions a fault concerns
 * @property {Direction | "both"} [direction]
 * @property {HeadPredicate} [match] on the connection's FIRST request; default: all connections
 */

/** What the lane does with the next thing in its queue. @typedef {"pass" | "hold" | "drop"} Verdict */

class Fault {
  active = true;
  #direction;
  #match;
  #changed;

  /** @param {Scope} scope @param {() => void} changed tells the proxy to look again */
  constructor({ direction = "both", match = () => true }, changed) {
    this.#direction = direction;
    this.#match = match;
    this.#changed = changed;
  }

  /** @param {import("./lane.js").Lane} lane */
  concerns(lane) {
    const directed = this.#direction === "both" || this.#direction === lane.direction;
    return this.active && directed && lane.head !== undefined && this.#match(lane.head);
  }

  finish() {
    if (!this.active) return;
    this.active = false;
    this.#changed();
  }
}

/** Nothing passes; everything waits in order, in the proxy or (with backpressure) in the sender's own buffers. */
export class Hold extends Fault {
  #resolveReached;
  /** Resolves when something was held for the first time. @type {Promise<void>} */
  reached = new Promise((resolve) => (this.#resolveReached = resolve));

  /** @param {Scope & {backpressure?: boolean}} scope @param {() => void} changed */
  constructor(scope, changed) {
    super(scope, changed);
    this.backpressure = scope.backpressure ?? false;
  }

  /** @returns {Verdict} */
  judge() {
    this.#resolveReached();
    return "hold";
  }

  /** Lets everything through that was held. */
  release() {
    this.finish();
  }
}

/** Everything passes until a message matches; that one and all behind it wait, in order, per connection. */
export class MessageHold extends Fault {
  /** @type {Set<import("./lane.js").Lane>} */
  #closed = new Set();
  #from;
  #resolveReached;
  /** Resolves with the first message that was held. @type {Promise<Observed>} */
  reached = new Promise((resolve) => (this.#resolveReached = resolve));

  /** @param {Scope & {from: (message: Observed) => unknown}} scope @param {() => void} changed */
  constructor(scope, changed) {
    super(scope, changed);
    this.#from = scope.from;
  }

  /** @param {import("./lane.js").Lane} lane @param {Observed | undefined} message @returns {Verdict} */
  judge(lane, message) {
    if (this.#closed.has(lane)) return "hold";
    if (!message || !this.#from(message)) return "pass";
    this.#closed.add(lane);
    this.#resolveReached(message);
    return "hold";
  }

  /** Lets everything through that was held. */
  release() {
    this.finish();
  }
}

/** Bytes vanish, ends of connections too: neither peer is told anything. */
export class Blackhole extends Fault {
  /** @type {Set<import("./lane.js").Lane>} */
  #pierced = new Set();

  /** @param {import("./lane.js").Lane} lane @returns {Verdict} */
  judge(lane) {
    this.#pierced.add(lane);
    return "drop";
  }

  /** The network is back. Connections that lost bytes cannot go on with a hole in them: they are reset. */
  end() {
    this.finish();
    for (const lane of this.#pierced) lane.connection.cut({ reset: true });
  }
}

/** No network: what is open is reset, and so is whatever connects, until `end()`. */
export class Outage extends Fault {
  /** @param {import("./lane.js").Lane} lane @returns {Verdict} */
  judge(lane) {
    lane.connection.cut({ reset: true });
    return "drop";
  }

  /** The network is back. */
  end() {
    this.finish();
  }
}
