/**
 * @typedef {import("./subscription.js").Subscription} Subscription
 * @typedef {{ subscription: Subscription, offset: number | null, life: number, message: unknown }} Item
 */

/** Past this, what waits is thrown away and the page renders itself again. */
const ITEMS_MAX = 10_000;

/**
 * What has arrived and is not shown yet, in the order of the log.
 *
 * An entry is taken once: one that is not past its subscription's position has been taken before.
 * One that begins past it proves that something is missing.
 */
export class Queue {
  /** @type {Item[]} */
  #items = [];
  #held = false;

  /** While held, entries are collected, so that what several subscriptions are replayed comes in one order. */
  hold() {
    this.#held = true;
  }

  release() {
    if (!this.#held) return;
    this.#held = false;
    // Stable: what has no offset stays behind what came before it.
    let last = 0;
    const keyed = this.#items.map((item) => ({ item, key: (last = item.offset ?? last) }));
    this.#items = keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
  }

  /**
   * @param {Subscription} subscription
   * @param {{ o: number, p: number, m?: unknown }} entry
   * @returns {"taken" | "dropped" | "gap" | "overflow"}
   */
  take(subscription, { o, p, m }) {
    const { received } = subscription;
    if (!received) return "gap";
    if (o <= received.offset) return "dropped";
    if (p > received.offset) return "gap";
    subscription.received = { epoch: received.epoch, offset: o };
    if (this.#items.length >= ITEMS_MAX) return "overflow";
    this.#items.push({ subscription, offset: o, life: subscription.life, message: m });
    return "taken";
  }

  /**
   * A message without a place in the log. False if there is no room for it.
   * @param {Subscription} subscription
   * @param {unknown} message
   */
  takeAside(subscription, message) {
    if (this.#items.length >= ITEMS_MAX) return false;
    this.#items.push({ subscription, offset: null, life: subscription.life, message });
    return true;
  }

  /** Whether there is something that can be shown. */
  get isReady() {
    return !this.#held && this.#items.length > 0;
  }

  /** The next that can be shown. @returns {Item | undefined} */
  next() {
    return this.#held ? undefined : this.#items.shift();
  }

  /** @param {Subscription} subscription */
  forget(subscription) {
    this.#items = this.#items.filter((item) => item.subscription !== subscription);
  }

  /**
   * The page shows everything up to here by other means.
   * @param {Subscription} subscription
   * @param {number} offset
   */
  skip(subscription, offset) {
    const isShown = (/** @type {Item} */ item) =>
      item.subscription === subscription && item.offset !== null && item.offset <= offset;
    this.#items = this.#items.filter((item) => !isShown(item));
  }
}
