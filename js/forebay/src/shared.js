import { remember, remembered } from "./connection.js";

/**
 * @typedef {import("./transports.js").Addresses} Addresses
 * @typedef {import("./transports.js").Message} Message
 * @typedef {import("./subscription.js").Subscription} Subscription
 * @typedef {import("./connection.js").Owner} Owner
 */

/** Of what page and worker say to each other. A worker that is older than the page's script is not used. */
export const VERSION = 1;

/** For the worker's first word. */
const HELLO_MS = 5_000;

/** A worker that ends more often than this is not trusted any more. */
const DEATHS_MAX = 3;

/** How much a page takes before it says so. */
const GOT = 64_000;

/** What a message weighs, roughly in bytes. @param {Message} message */
export const weight = ({ m, message }) => 256 + (typeof m === "string" ? m : (JSON.stringify(m ?? message) ?? "")).length;

/** Holds a lock until it is to be free: whoever else asks for it learns when its holder is gone, however that happened.
 * @param {string} name @param {AbortSignal} signal @param {() => void} held
 */
export const holdLock = (name, signal, held) =>
  navigator.locks.request(name, { signal }, () => {
    held();
    return new Promise((/** @type {(_: void) => void} */ free) => signal.addEventListener("abort", () => free()));
  });

/**
 * The page's end of a connection that all tabs of the browser share. It has the face of a `Connection`; the real one
 * is in the shared worker, see `worker.js`. The page keeps its positions.
 */
export class SharedConnection {
  /** Ends with the page's stay at one worker. @type {AbortController | null} */
  #stay = null;
  /** @type {MessagePort | null} The worker's, once it is known to be of our version. */
  #port = null;
  /** @type {string | null} */
  #transport = null;
  /** Subscriptions have numbers here, never used twice: what was meant for an earlier one is told from it. @type {Map<number, Subscription>} */
  #numbered = new Map();
  #last = 0;
  #got = 0;
  #deaths = 0;

  /**
   * @param {Owner} owner
   * @param {Addresses} addresses
   * @param {string} identity of whom the connection is: equal for tabs that may share it
   * @param {(why: string) => void} failed it can't be shared here
   */
  constructor(owner, addresses, identity, failed) {
    this.owner = owner;
    this.addresses = addresses;
    this.identity = identity;
    this.failed = failed;
  }

  get isOpen() {
    return this.#transport !== null;
  }

  get transport() {
    return this.#transport;
  }

  changed() {
    const wanted = new Set(this.owner.subscriptions());
    if (!this.#stay && wanted.size > 0) this.#start();
    if (!this.#port) return;
    for (const [number, subscription] of this.#numbered) {
      if (!wanted.delete(subscription)) this.#numbered.delete(number);
    }
    for (const subscription of wanted) this.#numbered.set((this.#last += 1), subscription);
    const list = [...this.#numbered].map(([number, { identifier, received }]) => [number, identifier, received]);
    this.#port.postMessage(["want", list]);
  }

  /** @param {object[]} commands @param {Subscription} [subscription] */
  send(commands, subscription) {
    const [number] = [...this.#numbered].find(([, other]) => other === subscription) ?? [];
    if (this.isOpen) this.#port?.postMessage(["send", commands, number]);
    return this.isOpen;
  }

  nudge() {
    if (this.#stay) this.#port?.postMessage(["nudge"]);
    else this.changed();
  }

  upgrade() {
    this.#port?.postMessage(["upgrade"]);
  }

  /** Begins again from the page's positions, for this page alone. */
  reset() {
    const wasOpen = this.isOpen;
    this.#numbered.clear();
    if (wasOpen) this.owner.closed();
    this.changed();
    if (wasOpen) this.owner.opened();
  }

  /** Leaves the worker: the page's lock is free, and that tells it. */
  stop() {
    this.#stay?.abort();
    this.#stay = this.#port = null;
    this.#numbered.clear();
    this.#got = 0;
    this.#closed();
  }

  #closed() {
    if (!this.isOpen) return;
    this.#transport = null;
    this.owner.closed();
  }

  #start() {
    const { signal } = (this.#stay = new AbortController());
    const fail = (/** @type {unknown} */ why) => {
      if (signal.aborted) return;
      this.stop();
      this.failed(String(why));
    };
    try {
      if (!navigator.locks) throw new Error("no Web Locks here");
      const name = JSON.stringify([VERSION, this.identity, this.addresses]);
      const worker = new SharedWorker(this.addresses.worker, { type: "module", name });
      worker.onerror = () => fail("the worker's script can't be run");
      const { port } = worker;
      const timer = setTimeout(() => fail("the worker does not answer"), HELLO_MS);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        port.onmessage = null;
        port.close();
      });
      port.onmessage = ({ data: [kind, ...rest] }) => {
        if (kind !== "hello") return this.#receive(kind, rest);
        clearTimeout(timer);
        if (rest[0] !== VERSION) return fail("the worker is of another version");
        this.#join(port, rest[1], signal).catch(fail);
      };
    } catch (error) {
      fail(error);
    }
  }

  /** @param {MessagePort} port @param {string} lock the worker's @param {AbortSignal} signal */
  async #join(port, lock, signal) {
    const died = () => {
      this.stop();
      this.#deaths += 1;
      if (this.#deaths < DEATHS_MAX) this.changed();
      else this.failed("the worker ends again and again");
    };
    navigator.locks.request(lock, { signal }, died).catch(() => {});
    const own = `forebay.page.${crypto.randomUUID()}`;
    await holdLock(own, signal, () => {
      this.#port = port;
      port.postMessage(["hello", own, remembered()]);
      this.changed();
    });
  }

  /** @param {string} kind @param {any[]} rest */
  #receive(kind, rest) {
    switch (kind) {
      case "open":
        this.#transport = rest[0];
        remember(rest[0]);
        return this.owner.opened();
      case "closed":
        return this.#closed();
      case "again":
        return this.reset();
      case "warn":
        return this.owner.warn(rest[0], rest[1]);
      case "message":
        return this.#message(rest[0], rest[1]);
    }
  }

  /** @param {number} number @param {Message} message */
  #message(number, message) {
    this.#got += weight(message);
    if (this.#got > GOT) {
      this.#port?.postMessage(["got", this.#got]);
      this.#got = 0;
    }
    const subscription = this.#numbered.get(number);
    if (subscription) this.owner.receive(message, subscription);
  }
}
