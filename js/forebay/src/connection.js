import { EventsTransport, PollTransport, WebSocketTransport } from "./transports.js";

/**
 * @typedef {import("./transports.js").Addresses} Addresses
 * @typedef {import("./transports.js").Message} Message
 * @typedef {import("./subscription.js").Subscription} Subscription
 * @typedef {object} Owner
 * @property {() => Subscription[]} subscriptions
 * @property {(message: Message, subscription: Subscription) => void} receive
 * @property {() => void} opened
 * @property {() => void} closed
 * @property {(kind: string, detail: string) => void} warn
 */

const TRANSPORTS = [WebSocketTransport, EventsTransport, PollTransport];
const NAMES = ["websocket", "events", "poll"];

const MEMORY = "forebay.transport";
/** How long it is remembered that WebSockets don't pass here. */
const REMEMBERED_MS = 10 * 60_000;
/** How often a page on a lesser transport tries for a better one. */
const UPGRADE_MS = 60_000;
/** For the first word of the server. A proxy that collects answers never lets it through. */
const OPEN_MS = 5_000;
/** For an answer to "are you there?". */
const PROBE_MS = 1_000;
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 10_000;

/** The way to the server, whichever it is at the moment. It knows no page: it runs in a shared worker as well. */
export class Connection {
  /** @type {import("./transports.js").Transport | null} */
  #transport = null;
  #isOpen = false;
  #index = 0;
  #failures = 0;
  #heard = 0;
  #pingMs = 3_000;
  /** @type {Record<string, ReturnType<typeof setTimeout> | undefined>} */
  #timers = {};
  #isWanted = false;
  /** @type {boolean} The server said not to come back. */
  #isBarred = false;
  /** The server itself said no, or not now: no other way leads to another answer. */
  #isAnswered = false;
  /** A WebSocket beside what works. @type {import("./transports.js").Transport | null} */
  #trial = null;

  /** @param {Owner} owner @param {Addresses} addresses @param {string | null} [begin] the transport to begin with */
  constructor(owner, addresses, begin = remembered()) {
    this.owner = owner;
    this.addresses = addresses;
    this.#index = Math.max(0, NAMES.indexOf(begin ?? ""));
  }

  get isOpen() {
    return this.#isOpen;
  }

  /** The name of the transport in use. */
  get transport() {
    return this.#isOpen ? NAMES[this.#index] : null;
  }

  /** Other subscriptions are wanted, or none. */
  changed() {
    this.#isWanted = this.owner.subscriptions().length > 0;
    clearTimeout(this.#timers.idle);
    if (!this.#isWanted) {
      this.#transport?.changed();
      this.#timers.idle = setTimeout(() => this.stop(), 5_000);
    } else if (this.#transport) {
      this.#transport.changed();
    } else if (this.#timers.retry === undefined) {
      // Somebody new asks: another page, or a page of somebody who has signed in.
      this.#isBarred = false;
      this.#open();
    }
  }

  /** @param {object[]} commands @param {Subscription} [subscription] */
  send(commands, subscription) {
    return this.#isOpen && this.#transport?.send(commands, subscription) === true;
  }

  /** Something may have happened to the network, or to us: find out now. */
  nudge() {
    if (!this.#isWanted || this.#isBarred) return;
    if (!this.#isOpen) {
      if (!this.#transport) this.#open();
      return;
    }
    if (this.#index === 0) {
      const asked = performance.now();
      this.#transport?.ping();
      clearTimeout(this.#timers.probe);
      this.#timers.probe = setTimeout(() => {
        if (this.#heard < asked) this.reset();
      }, PROBE_MS);
    } else if (this.#isOverdue()) {
      this.reset();
    }
  }

  /** Begins again at once: every subscription is made anew, from its position. */
  reset() {
    const wasWanted = this.#isWanted;
    this.stop();
    this.#isWanted = wasWanted;
    if (wasWanted) this.#open();
  }

  /** For as long as nobody asks for it. */
  stop() {
    const wasOpen = this.#isOpen;
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers = {};
    this.#transport?.close();
    this.#trial?.close();
    this.#transport = this.#trial = null;
    this.#isOpen = false;
    if (wasOpen) this.owner.closed();
  }

  #open() {
    clearTimeout(this.#timers.retry);
    this.#timers.retry = undefined;
    if (!this.#isWanted || this.#isBarred) return;
    this.#isAnswered = false;
    const index = this.#index;
    /** @type {import("./transports.js").Transport} */
    let transport;
    try {
      transport = new TRANSPORTS[index](this.#peer(index, () => transport === this.#transport), this.addresses);
    } catch {
      // Not an address of this kind, or forbidden.
      this.#failed(index);
      return;
    }
    this.#transport = transport;
    this.#timers.open = setTimeout(() => this.#failed(index), OPEN_MS);
  }

  /** @param {number} index @param {() => boolean} isCurrent @returns {import("./transports.js").Peer} */
  #peer(index, isCurrent) {
    return {
      subscriptions: this.owner.subscriptions,
      warn: this.owner.warn,
      alive: () => {
        if (isCurrent()) this.#heard = performance.now();
      },
      opened: () => {
        if (isCurrent()) this.#opened(index);
      },
      receive: (message, subscription) => {
        if (!isCurrent()) return;
        if (message.type === "welcome" && message.ping) this.#pingMs = message.ping;
        if (message.type === "disconnect") {
          this.#isAnswered = true;
          if (message.reconnect === false) this.#isBarred = true;
        }
        if (!subscription) return;
        // A server that welcomes everybody and answers nobody is one that fails.
        this.#failures = 0;
        this.owner.receive(message, subscription);
      },
      closed: () => {
        if (isCurrent()) this.#failed(index);
      },
    };
  }

  /** @param {number} index */
  #opened(index) {
    clearTimeout(this.#timers.open);
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#heard = performance.now();
    remember(NAMES[index]);
    clearInterval(this.#timers.watch);
    this.#timers.watch = setInterval(() => this.#isOverdue() && this.reset(), 1_000);
    if (index > 0) this.#timers.upgrade = setTimeout(() => this.upgrade(), UPGRADE_MS);
    this.owner.opened();
  }

  /** A poll is quiet for as long as it may be; the others are pinged. */
  #isOverdue() {
    const patience = this.#index === 2 ? 35_000 : 2 * this.#pingMs + 500;
    return performance.now() - this.#heard > patience;
  }

  /** @param {number} index */
  #failed(index) {
    const wasOpen = this.#isOpen;
    this.stop();
    if (!this.#isWanted || this.#isBarred) return;
    if (!wasOpen && !this.#isAnswered) {
      // Not even opened: perhaps the next one passes. After the last, wait and begin at the first.
      this.#index = (index + 1) % TRANSPORTS.length;
      if (this.#index > 0 && navigator.onLine) return this.#open();
    }
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#timers.retry = setTimeout(() => this.#open(), BACKOFF_MIN_MS / 2 + Math.random() * ceiling);
  }

  /** Tries a WebSocket beside what works; if it is welcomed, it takes over from the page's positions. */
  upgrade() {
    if (!this.#isOpen || this.#index === 0 || this.#trial) return;
    clearTimeout(this.#timers.upgrade);
    const giveUp = () => {
      trial.close();
      if (this.#trial !== trial) return;
      this.#trial = null;
      this.#timers.upgrade = setTimeout(() => this.upgrade(), UPGRADE_MS);
    };
    const peer = this.#peer(0, () => trial === this.#transport);
    const opened = () => {
      this.#trial = null;
      this.stop();
      this.#index = 0;
      this.#transport = trial;
      this.#opened(0);
    };
    const closed = () => (trial === this.#transport ? peer.closed() : giveUp());
    const trial = new WebSocketTransport({ ...peer, opened, closed }, this.addresses);
    this.#trial = trial;
    this.#timers.trial = setTimeout(giveUp, OPEN_MS);
  }
}

/** The transport that passed here last, if it is not the first. */
export function remembered() {
  try {
    const [name, at] = (localStorage.getItem(MEMORY) ?? "").split(" ");
    return Date.now() - Number(at) < REMEMBERED_MS ? name : null;
  } catch {
    return null;
  }
}

/** @param {string} name */
export function remember(name) {
  try {
    if (name === NAMES[0]) localStorage.removeItem(MEMORY);
    // From when it was first found out: else it would never be tried again.
    else if (remembered() !== name) localStorage.setItem(MEMORY, `${name} ${Date.now()}`);
  } catch {
    // No storage: it is found out again on the next page.
  }
}
