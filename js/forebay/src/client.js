import { Connection } from "./connection.js";
import { isBefore, parse } from "./position.js";
import { Queue } from "./queue.js";
import { Subscription } from "./subscription.js";

/**
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

/** Everything that one page is subscribed to. */
export class Client {
  /** @type {Set<Subscription>} */
  #subscriptions = new Set();
  #queue = new Queue();
  #isShowing = false;
  /** Counts connections: what came over one that is gone comes again. */
  #generation = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #holding;

  /**
   * @param {import("./transports.js").Addresses} addresses
   * @param {Shows} page shows what has come, in this order
   * @param {(subscription: Subscription, overflow: boolean) => void} heal the page lacks something: it renders itself again
   * @param {(kind: string, subscription: Subscription | null, detail: string, offset?: number) => void} trouble
   */
  constructor(addresses, page, heal, trouble) {
    this.page = page;
    this.heal = heal;
    this.trouble = trouble;
    this.connection = new Connection(
      {
        subscriptions: () => [...this.#subscriptions],
        receive: (message, numbered) => this.#receive(message, numbered),
        opened: () => this.#waitForAnswers(),
        closed: () => this.#closed(),
      },
      addresses,
    );
  }

  /**
   * @param {string} identifier
   * @param {import("./position.js").Position | null} position
   * @param {Receiver} receiver
   */
  add(identifier, position, receiver) {
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
    const command = { command: "message", identifier: subscription.identifier, data: JSON.stringify({ ...data, action }) };
    return this.connection.send([command], subscription);
  }

  /** @param {Message} message @param {Map<number, Subscription>} numbered */
  #receive(message, numbered) {
    if ("o" in message) return this.#entry(numbered.get(message.s), message);
    const named = [...this.#subscriptions].find(({ identifier }) => identifier === message.identifier);
    const subscription = named ?? numbered.get(message.s);
    if (!subscription || !this.#subscriptions.has(subscription)) return;
    switch (message.type) {
      case "confirm_subscription":
        numbered.set(message.s, subscription);
        subscription.state = "confirmed";
        subscription.rewind(parse(message.at));
        subscription.receiver.connected?.();
        if (message.resync) this.#lost(subscription);
        return this.#answered();
      case "reject_subscription":
        subscription.state = "rejected";
        this.#subscriptions.delete(subscription);
        this.#queue.forget(subscription);
        this.trouble("rejected", subscription, message.reason);
        subscription.receiver.rejected?.(message.reason);
        return this.#answered();
      case "resync":
        subscription.rewind(parse(message.at));
        return this.#lost(subscription);
      case "rewind":
        subscription.received = parse(message.at);
        return;
      case undefined:
        this.#queue.takeAside(subscription, message.message);
        return this.#showAll();
    }
  }

  /** History does not reach back to what the page shows. @param {Subscription} subscription */
  #lost(subscription) {
    this.#queue.forget(subscription);
    subscription.receiver.resync?.();
    this.heal(subscription, false);
  }

  /** @param {Subscription | undefined} subscription @param {Message} entry */
  #entry(subscription, entry) {
    if (!subscription || !this.#subscriptions.has(subscription)) return;
    const outcome = this.#queue.take(subscription, /** @type {any} */ (entry));
    if (outcome === "taken") return this.#showAll();
    if (outcome === "dropped") return;
    this.trouble(outcome === "gap" ? "gap" : "error", subscription, `${outcome} at ${entry.p}`, entry.o);
    if (outcome === "overflow") {
      for (const each of this.#subscriptions) {
        this.#queue.forget(each);
        each.shown = each.received;
      }
      return this.heal(subscription, true);
    }
    this.connection.reset();
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
    const rendering = [];
    for (let item; rendering.length < BURST && (item = this.#queue.next()); ) {
      const { subscription, offset, message } = item;
      const generation = this.#generation;
      const isCurrent = () => this.#subscriptions.has(subscription) && !(offset !== null && offset <= subscription.rendered);
      if (message !== undefined) await this.page.prepare(item);
      if (generation !== this.#generation || !isCurrent()) continue;
      if (offset !== null && subscription.shown) subscription.shown = { ...subscription.shown, offset };
      if (message === undefined) continue;
      rendering.push(this.page.show(item, isCurrent).then(() => this.page.shown(subscription)));
    }
    return rendering;
  }

  /** Until all subscriptions are answered, entries wait: what they are replayed belongs in one order. */
  #waitForAnswers() {
    if (!this.connection?.isOpen || !this.#isWaiting()) return;
    this.#queue.hold();
    clearTimeout(this.#holding);
    this.#holding = setTimeout(() => this.#release(), HOLD_MS);
  }

  #answered() {
    if (!this.#isWaiting()) this.#release();
  }

  #isWaiting() {
    return [...this.#subscriptions].some(({ state }) => state === "waiting");
  }

  #release() {
    clearTimeout(this.#holding);
    this.#queue.release();
    this.#showAll();
  }

  #closed() {
    clearTimeout(this.#holding);
    this.#generation += 1;
    this.#queue.clear();
    for (const subscription of this.#subscriptions) {
      subscription.state = "waiting";
      subscription.received = subscription.shown;
      subscription.receiver.disconnected?.();
    }
  }
}
