// What crossed the fault proxy on WebSockets, in order of arrival, and waiting for something to cross it.

import { within } from "./deadline.js";

// What a failed test prints of it: a page's conversation fits, a flood doesn't.
const SHOWN_MAX = 200;
const SHOWN_CHARS_MAX = 600;

/** @typedef {"up" | "down"} Direction up: browser to server; down: server to browser */

/** One WebSocket message or control frame. It is logged when it reaches the proxy, before any hold. */
export class Observed {
  /** Whether it has left the proxy on the other side. */
  forwarded = false;
  // Read once: predicates look at every message again whenever one is added.
  #text;
  #json;

  /**
   * @param {number} connection numbers the proxy's connections from 1
   * @param {Direction} direction
   * @param {"text"|"binary"|"close"|"ping"|"pong"|"unknown"} kind
   * @param {Buffer} payload
   * @param {boolean} masked
   */
  constructor(connection, direction, kind, payload, masked) {
    this.connection = connection;
    this.direction = direction;
    this.kind = kind;
    this.payload = payload;
    this.masked = masked;
  }

  /** The payload as text. @returns {string} */
  get text() {
    this.#text ??= this.payload.toString("utf8");
    return this.#text;
  }

  /** The payload as JSON; undefined if it isn't. @returns {any} */
  get json() {
    this.#json ??= { value: parse(this.text) };
    return this.#json.value;
  }

  /** Of a close frame; 1005 if it carries none, as browsers report it. */
  get closeCode() {
    return this.payload.length >= 2 ? this.payload.readUInt16BE(0) : 1005;
  }

  toString() {
    const arrow = this.direction === "up" ? "→" : "←";
    const held = this.forwarded ? "" : " (held)";
    const body = this.kind === "close" ? this.closeCode : this.text;
    return `#${this.connection} ${arrow} ${this.kind}${held} ${body}`;
  }
}

/** @typedef {(message: Observed) => unknown} MessagePredicate */

/** The ordered record of one proxy. */
export class MessageLog {
  /** @type {Observed[]} */
  #messages = [];
  /** @type {Set<() => void>} */
  #watchers = new Set();

  /** @returns {readonly Observed[]} */
  get all() {
    return this.#messages;
  }

  /** @param {MessagePredicate} predicate */
  filter(predicate) {
    return this.#messages.filter((message) => predicate(message));
  }

  /** @param {MessagePredicate} predicate */
  count(predicate) {
    return this.filter(predicate).length;
  }

  /** A point to count or wait from: `const from = log.mark()`, then `log.waitFor(p, {from})`. */
  mark() {
    return this.#messages.length;
  }

  /**
   * Resolves with the matching messages as soon as there are at least `count` of them.
   *
   * @param {MessagePredicate} predicate may look at `forwarded`
   * @param {{count?: number, from?: number, what?: string}} [options] `from`: a mark
   * @returns {Promise<Observed[]>}
   */
  waitFor(predicate, { count = 1, from = 0, what = predicate.name || String(predicate) } = {}) {
    const enough = () => {
      const found = this.#messages.slice(from).filter((message) => predicate(message));
      return found.length >= count ? found : undefined;
    };
    const detail = () => `seen by the proxy:\n${this}`;
    return within(`${count} × ${what}`, this.#until(enough), { detail });
  }

  /** For the proxy. @param {Observed} message */
  add(message) {
    this.#messages.push(message);
    this.#notify();
  }

  /** For the proxy. @param {Observed} message */
  markForwarded(message) {
    message.forwarded = true;
    this.#notify();
  }

  toString() {
    const shown = this.#messages.slice(-SHOWN_MAX);
    const earlier = this.#messages.length - shown.length;
    const lines = shown.map((message) => `  ${String(message).slice(0, SHOWN_CHARS_MAX)}`);
    return [...(earlier > 0 ? [`  (${earlier} earlier messages)`] : []), ...lines].join("\n");
  }

  #until(probe) {
    return new Promise((resolve) => {
      const watcher = () => {
        const result = probe();
        if (result === undefined) return;
        this.#watchers.delete(watcher);
        resolve(result);
      };
      this.#watchers.add(watcher);
      watcher();
    });
  }

  #notify() {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
