import { isBefore, parse } from "./position.js";
import { Queue } from "./queue.js";
import { Subscription } from "./subscription.js";

/**
 * @typedef {import("./connection.js").Connection | import("./shared.js").SharedConnection} Way
 * @typedef {import("./subscription.js").Receiver} Receiver
 * @typedef {import("./queue.js").Item} Item
 * @typedef {import("./transports.js").Message} Message
 */

/**
 * @typedef {object} Shows
 * @property {(item: Item) => Promise<void>} prepare waits until it may be shown
 * @property {(item: Item, isCurrent: () => boolean) => Promise<void>} show begins at once, and ends when it is shown
 * @property {(subscription: Subscription) => void} shown
 */

/** Entries that are rendered together, in one frame and in their order. */
const BURST = 200;

/** How long entries are held for a subscription that is not answered. */
const HOLD_MS = 3_000;

/** How long the server has after that before it is asked again: at first, and at the most. */
const PATIENCE_MIN_MS = 10_000;
const PATIENCE_MAX_MS = 60_000;

/** Everything that one page is subscribed to. */
export class Client {
  /** @type {Set<Subscription>} */
  #subscriptions = new Set();
  #queue = new Queue();
  #isShowing = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #holding;
  #patience = PATIENCE_MIN_MS;

  /**
   * @param {(owner: import("./connection.js").Owner, current?: Way) => Way} connect gives the connection that is right now
   * @param {Shows} page shows what has come, in this order
   * @param {(subscription: Subscription) => void} heal the page lacks something: it renders itself again
   * @param {(kind: string, subscription: Subscription | null, detail: string, offset?: number) => void} trouble
   * @param {(kind: string, detail: string) => void} warn
   */
  constructor(connect, page, heal, trouble, warn) {
    this.page = page;
    this.heal = heal;
    this.trouble = trouble;
    const owner = {
      subscriptions: () => [...this.#subscriptions],
      receive: (/** @type {Message} */ message, /** @type {Subscription} */ subscription) => this.#receive(message, subscription),
      opened: () => this.#waitForAnswers(),
      closed: () => this.#closed(),
      warn,
    };
    this.connect = (/** @type {Way | undefined} */ current) => connect(owner, current);
    this.connection = this.connect(undefined);
  }

  /**
   * Two may be subscribed to the same; to the server these are two. Blanks change nothing in JSON.
   * @param {string} identifier
   * @param {import("./position.js").Position | null} position
   * @param {Receiver} receiver
   */
  add(identifier, position, receiver) {
    while ([...this.#subscriptions].some((other) => other.identifier === identifier)) identifier += " ";
    const subscription = new Subscription(identifier, position, receiver);
    this.#subscriptions.add(subscription);
    this.#waitForAnswers();
    return subscription;
  }

  /** @param {Subscription} subscription */
  remove(subscription) {
    this.#subscriptions.delete(subscription);
    this.#queue.forget(subscription);
    this.#answered();
  }

  /** To be called after some were added or removed: all changes of a turn travel together. */
  changed() {
    this.connection = this.connect(this.connection);
    this.connection.changed();
  }

  /**
   * The page shows something else than it did: everything up to `position`, and nothing behind it.
   * Gives false if the subscription has to be made anew for that.
   * @param {Subscription} subscription
   * @param {import("./position.js").Position} position
   */
  moveTo(subscription, position) {
    const { shown, received } = subscription;
    if (!shown || !received || shown.epoch !== position.epoch || isBefore(position, shown)) return false;
    this.#queue.skip(subscription, position.offset);
    subscription.shown = position;
    subscription.rendered = position.offset;
    if (isBefore(received, position)) subscription.received = position;
    return true;
  }

  /** @param {Subscription} subscription @param {string} action @param {object} data */
  perform(subscription, action, data) {
    if (!this.#subscriptions.has(subscription) || subscription.state !== "confirmed") return false;
    const command = { command: "message", identifier: subscription.identifier, data: JSON.stringify({ ...data, action }) };
    return this.connection.send([command], subscription);
  }

  /** @param {Message} message @param {Subscription} subscription */
  #receive(message, subscription) {
    if (!this.#subscriptions.has(subscription)) return;
    if ("o" in message) return this.#entry(subscription, message);
    switch (message.type) {
      case "confirm_subscription":
        this.#confirmed(subscription, message);
        return this.#answered();
      case "reject_subscription":
        subscription.state = "rejected";
        this.#subscriptions.delete(subscription);
        this.#queue.forget(subscription);
        this.trouble("rejected", subscription, message.reason);
        this.#tell(subscription, "rejected", message.reason);
        return this.#answered();
      case "resync":
        subscription.rewind(parse(message.at));
        return this.#lost(subscription, message);
      case "unhealed":
        return this.trouble("error", subscription, "unhealed");
      case "rewind":
        subscription.received = parse(message.at);
        return;
      case undefined:
        if (this.#queue.takeAside(subscription, message.message)) return this.#showAll();
        return this.trouble("error", subscription, "overflow");
    }
  }

  /** @param {Subscription} subscription @param {Message} message */
  #confirmed(subscription, message) {
    const at = parse(message.at);
    const { received, state } = subscription;
    const isFirst = state !== "confirmed";
    // Usually it goes on behind what has been received, of which some may still wait to be shown. Said again, it is late.
    if (message.resync || (isFirst && (at?.epoch !== received?.epoch || at?.offset !== received?.offset))) subscription.rewind(at);
    subscription.state = "confirmed";
    if (isFirst) this.#tell(subscription, "connected");
    if (message.resync) this.#lost(subscription, message);
  }

  /**
   * History does not reach back to what the page shows. Where many pages lack something at once, each is told how long to wait.
   * @param {Subscription} subscription @param {Message} [message]
   */
  #lost(subscription, message) {
    this.#queue.forget(subscription);
    this.#tell(subscription, "resync");
    setTimeout(() => this.#subscriptions.has(subscription) && this.heal(subscription), message?.wait);
  }

  /** @param {Subscription} subscription @param {Message} entry */
  #entry(subscription, entry) {
    const outcome = this.#queue.take(subscription, /** @type {any} */ (entry));
    if (outcome === "taken") return this.#showAll();
    if (outcome === "dropped") return;
    this.trouble(outcome === "gap" ? "gap" : "error", subscription, `${outcome} at ${entry.p}`, entry.o);
    if (outcome === "overflow") {
      for (const each of this.#subscriptions) {
        this.#queue.forget(each);
        each.shown = each.received;
        this.#tell(each, "resync");
      }
      return this.heal(subscription);
    }
    // A second time, a new connection does not help: what is behind this entry goes on from it.
    const { received } = subscription;
    if (subscription.gap === received?.offset) {
      subscription.rewind(received && { ...received, offset: entry.o });
      subscription.gap = undefined;
      return this.#lost(subscription);
    }
    subscription.gap = received?.offset;
    this.connection.reset();
  }

  /**
   * The application's mistakes stay its own.
   * @param {Subscription} subscription @param {"connected" | "disconnected" | "rejected" | "resync"} what @param {any} [detail]
   */
  #tell(subscription, what, detail) {
    try {
      subscription.receiver[what]?.(detail);
    } catch (error) {
      this.trouble("error", subscription, String(error));
    }
  }

  async #showAll() {
    if (this.#isShowing) return;
    this.#isShowing = true;
    try {
      // More may come while a burst ends.
      while (this.#queue.isReady) await Promise.all(await this.#showBurst());
    } finally {
      this.#isShowing = false;
    }
  }

  /** Begins to show what has come. @returns {Promise<Promise<void>[]>} */
  async #showBurst() {
    /** @type {Promise<void>[]} */
    const rendering = [];
    for (let item; rendering.length < BURST && (item = this.#queue.next()); ) {
      const { subscription, offset, life, message } = /** @type {Item} */ (item);
      const isCurrent = () =>
        this.#subscriptions.has(subscription) && life === subscription.life && (offset === null || offset > subscription.rendered);
      if (message !== undefined) await this.page.prepare(item);
      if (!isCurrent()) continue;
      // What is not for this page only moves the position. No entry moves it ahead of one that is still being shown.
      const showing = message === undefined || this.page.show(item, isCurrent);
      const shown = () => {
        if (isCurrent()) this.#shown(subscription, offset);
      };
      rendering.push(Promise.all([rendering.at(-1), showing]).then(shown));
    }
    return rendering;
  }

  /** @param {Subscription} subscription @param {number | null} offset */
  #shown(subscription, offset) {
    if (offset !== null && subscription.shown) subscription.shown = { ...subscription.shown, offset };
    this.page.shown(subscription);
  }

  /** Until all subscriptions are answered, entries wait: what they are replayed belongs in one order. */
  #waitForAnswers() {
    if (!this.connection?.isOpen || !this.#isWaiting()) return;
    this.#queue.hold();
    clearTimeout(this.#holding);
    this.#holding = setTimeout(() => {
      this.#release();
      // A server that lives and does not answer is asked again, less and less often.
      this.#holding = setTimeout(() => this.connection.isOpen && this.connection.reset(), this.#patience);
      this.#patience = Math.min(2 * this.#patience, PATIENCE_MAX_MS);
    }, HOLD_MS);
  }

  #answered() {
    if (this.#isWaiting()) return;
    this.#patience = PATIENCE_MIN_MS;
    this.#release();
  }

  #isWaiting() {
    return [...this.#subscriptions].some(({ state }) => state === "waiting");
  }

  #release() {
    clearTimeout(this.#holding);
    this.#queue.release();
    this.#showAll();
  }

  /** What has been received stays: the next connection goes on behind it. */
  #closed() {
    for (const subscription of this.#subscriptions) {
      subscription.state = "waiting";
      this.#tell(subscription, "disconnected");
    }
  }
}
