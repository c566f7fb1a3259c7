// A TCP proxy on loopback between browser and server that does to their connections what networks do.
// It changes no byte. Tests say what is to happen (faults.js) and watch what crosses (message_log.js).

import { createServer } from "node:net";
import { onEnd } from "./cleanup.js";
import { Blackhole, Hold, MessageHold, Outage } from "./faults.js";
import { MessageLog } from "./message_log.js";
import { ProxiedConnection } from "./proxied_connection.js";

/** @typedef {import("./faults.js").Scope} Scope */
/** @typedef {import("./faults.js").HeadPredicate} HeadPredicate */

/**
 * A proxy that lives as long as the test. When the test fails it shows what crossed.
 *
 * @param {import("node:test").TestContext} t
 * @param {string | {url: string}} target the server's base URL
 * @returns {Promise<FaultProxy>}
 */
export async function proxyFor(t, target) {
  const proxy = await FaultProxy.start(typeof target === "string" ? target : target.url);
  onEnd(t, async () => {
    await proxy.stop();
    if (!t.passed) t.diagnostic(`crossed the proxy:\n${proxy.messages}`);
  });
  return proxy;
}

export class FaultProxy {
  /** Every WebSocket message and control frame that arrived, both directions. */
  messages = new MessageLog();
  /** For the lanes. @type {Set<Hold | MessageHold | Blackhole | Outage>} */
  faults = new Set();
  /** Texts that {@link watchFor} looks for, and whether they were seen. @type {Map<string, boolean>} */
  watched = new Map();
  /** @type {Set<ProxiedConnection>} */
  #connections = new Set();
  /** Heads of connections that are gone, and bytes that they carried. */
  #gone = { heads: [], up: 0, down: 0 };
  #accepted = 0;
  #target;
  #server;

  /** @param {string} targetUrl */
  static async start(targetUrl) {
    const proxy = new FaultProxy(targetUrl);
    await new Promise((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  /** @private use {@link FaultProxy.start} */
  constructor(targetUrl) {
    this.retarget(targetUrl);
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  /** What the browser talks to instead of the server. @returns {string} */
  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** New connections go to this server: for restarts on another port. @param {string} url */
  retarget(url) {
    const { hostname, port } = new URL(url);
    this.#target = { host: hostname, port: Number(port) };
  }

  /**
   * Holds everything on the matching connections until `release()`.
   * With `backpressure` the sender's writes stall, as with a client that doesn't read.
   *
   * @param {Scope & {backpressure?: boolean}} [scope]
   * @returns {Hold}
   */
  hold(scope = {}) {
    return this.#inject(new Hold(scope, this.#changed));
  }

  /**
   * Holds the first WebSocket message that `from` accepts and everything behind it, per connection, until `release()`.
   *
   * @param {Scope & {from: (message: import("./message_log.js").Observed) => unknown}} scope default direction: down
   * @returns {MessageHold}
   */
  holdMessages(scope) {
    return this.#inject(new MessageHold({ direction: "down", ...scope }, this.#changed));
  }

  /**
   * Loses everything silently, ends of connections included, until `end()`, which resets those that lost bytes.
   *
   * @param {Scope} [scope]
   * @returns {Blackhole}
   */
  blackhole(scope = {}) {
    return this.#inject(new Blackhole(scope, this.#changed));
  }

  /**
   * Resets the matching connections, and refuses new ones until `end()`.
   *
   * @param {{match?: HeadPredicate}} [scope]
   * @returns {Outage}
   */
  outage(scope = {}) {
    const outage = this.#inject(new Outage(scope, this.#changed));
    this.cut(scope);
    return outage;
  }

  /**
   * Delivers messages a second time, on the open connections that they crossed before, in the same order.
   *
   * @param {(message: import("./message_log.js").Observed) => unknown} predicate
   * @returns {number} how many
   */
  repeat(predicate) {
    const connections = new Map(this.open().map((connection) => [connection.id, connection]));
    const again = this.messages.filter((m) => m.direction === "down" && connections.has(m.connection) && predicate(m));
    for (const message of again) connections.get(message.connection).down.repeat(message);
    return again.length;
  }

  /**
   * Ends the matching open connections.
   *
   * @param {{match?: HeadPredicate, reset?: boolean, side?: "client" | "server" | "both"}} [options]
   * @returns {number} how many
   */
  cut({ match = () => true, ...how } = {}) {
    const cut = this.open(match);
    for (const connection of cut) connection.cut(how);
    return cut.length;
  }

  /**
   * Gives whether this text has reached the browser since, on any connection, in one piece.
   *
   * @param {string} text @returns {() => boolean}
   */
  watchFor(text) {
    this.watched.set(text, false);
    return () => this.watched.get(text);
  }

  /** Ends all faults, and with them whatever they held. */
  release() {
    for (const fault of [...this.faults]) "end" in fault ? fault.end() : fault.release();
  }

  /** Connections that are open now. @param {HeadPredicate} [match] */
  open(match = () => true) {
    return [...this.#connections].filter(({ head }) => head && match(head));
  }

  /** How many connections ever asked for this. @param {HeadPredicate} [match] */
  accepted(match = () => true) {
    return this.#gone.heads.filter((head) => match(head)).length + this.open(match).length;
  }

  /** Bytes forwarded so far. @returns {{up: number, down: number}} */
  get bytes() {
    const total = { up: this.#gone.up, down: this.#gone.down };
    for (const { up, down } of this.#connections) {
      total.up += up.bytesForwarded;
      total.down += down.bytesForwarded;
    }
    return total;
  }

  /** Cuts everything and stops listening. */
  async stop() {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of this.#connections) connection.cut();
    await closed;
  }

  #changed = () => {
    for (const fault of this.faults) if (!fault.active) this.faults.delete(fault);
    for (const connection of this.#connections) connection.pump();
  };

  #inject(fault) {
    this.faults.add(fault);
    return fault;
  }

  #accept(client) {
    this.#accepted += 1;
    const connection = new ProxiedConnection(this.#accepted, client, this.#target, this, () => this.#forget(connection));
    this.#connections.add(connection);
  }

  #forget(connection) {
    this.#connections.delete(connection);
    if (connection.head) this.#gone.heads.push(connection.head);
    this.#gone.up += connection.up.bytesForwarded;
    this.#gone.down += connection.down.bytesForwarded;
  }
}
