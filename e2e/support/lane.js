// One direction of one proxied connection: a queue between two sockets, at whose head the faults are asked.

import { upgradesToWebSocket, readHttpHead } from "./http_head.js";
import { reset } from "./reset.js";
import { textFrame } from "./ws_frames.js";
import { WsUnits } from "./ws_units.js";

/** @typedef {import("./message_log.js").Direction} Direction */
/** @typedef {{bytes?: Buffer, message?: import("./message_log.js").Observed, end?: "fin" | "reset"}} Item */

// Far above any head that a browser sends; beyond it the stream isn't HTTP and is passed on unread.
const HEAD_BYTES_MAX = 64 * 1024;

export class Lane {
  /** Bytes that left on the other side. */
  bytesForwarded = 0;
  /** @type {Item[]} */
  #queue = [];
  #unread = Buffer.alloc(0);
  /** @type {WsUnits | undefined} */
  #units;
  #headRead = false;
  #sinkFull = false;
  #source;
  #sink;
  #proxy;

  /**
   * @param {object} parts
   * @param {Direction} parts.direction
   * @param {import("./proxied_connection.js").ProxiedConnection} parts.connection
   * @param {import("node:net").Socket} parts.source
   * @param {import("node:net").Socket} parts.sink
   * @param {{faults: Iterable<any>, messages: import("./message_log.js").MessageLog, watched: Map<string, boolean>}} parts.proxy
   */
  constructor({ direction, connection, source, sink, proxy }) {
    this.direction = direction;
    this.connection = connection;
    this.#source = source;
    this.#sink = sink;
    this.#proxy = proxy;
    source.on("data", (chunk) => this.#accept(chunk));
    source.on("end", () => this.#acceptEnd("fin"));
    source.on("error", () => this.#acceptEnd("reset"));
    sink.on("drain", () => this.#setSinkFull(false));
  }

  /** The first request of this connection, once it has arrived. */
  get head() {
    return this.connection.head;
  }

  /** Whether the queue holds anything back. */
  get waiting() {
    return this.#queue.length > 0;
  }

  /** Passes on what no fault holds. */
  pump() {
    while (this.#queue.length > 0) {
      const verdict = this.#judge(this.#queue[0]);
      if (verdict === "hold") break;
      const item = this.#queue.shift();
      if (verdict === "pass") this.#forward(item);
    }
    this.#regulate();
  }

  /** A WebSocket message again, behind what waits. @param {import("./message_log.js").Observed} message */
  repeat({ payload }) {
    this.#queue.push({ bytes: textFrame(payload) });
    this.pump();
  }

  #judge(item) {
    let verdict = "pass";
    for (const fault of this.#proxy.faults) {
      if (!fault.concerns(this)) continue;
      const one = fault.judge(this, item.message);
      if (one === "hold") return "hold";
      if (one === "drop") verdict = "drop";
    }
    return verdict;
  }

  /** @param {Item} item */
  #forward({ bytes, message, end }) {
    if (this.#sink.destroyed) return;
    if (end === "fin") this.#sink.end();
    if (end === "reset") reset(this.#sink);
    if (!bytes) return;
    this.bytesForwarded += bytes.length;
    if (this.direction === "down") {
      for (const text of this.#proxy.watched.keys()) if (bytes.includes(text)) this.#proxy.watched.set(text, true);
    }
    if (!this.#sink.write(bytes)) this.#sinkFull = true;
    if (message) this.#proxy.messages.markForwarded(message);
  }

  #accept(chunk) {
    this.#unread = this.#headRead ? chunk : Buffer.concat([this.#unread, chunk]);
    if (!this.#headRead) this.#readHead();
    if (this.#headRead) this.#acceptBody(this.#unread);
    // The other lane may have waited for this one to learn what the connection is.
    this.connection.pump();
  }

  /** Takes the first head off the stream and learns from it whether ws frames follow. */
  #readHead() {
    const head = readHttpHead(this.#unread);
    if (!head && this.#unread.length < HEAD_BYTES_MAX) return;
    this.#headRead = true;
    if (!head) return;
    const websocket = this.direction === "up" ? upgradesToWebSocket(head) : head.status === 101;
    if (websocket) this.#units = new WsUnits(this.connection.id, this.direction);
    if (this.direction === "up") this.connection.head = head;
    this.#queue.push({ bytes: this.#unread.subarray(0, head.length) });
    this.#unread = this.#unread.subarray(head.length);
  }

  #acceptBody(chunk) {
    if (chunk.length === 0) return;
    if (!this.#units) {
      this.#queue.push({ bytes: chunk });
      return;
    }
    for (const unit of this.#units.push(chunk)) {
      if (unit.message) this.#proxy.messages.add(unit.message);
      this.#queue.push(unit);
    }
  }

  #acceptEnd(end) {
    const rest = this.#headRead ? this.#units?.takeRest() : this.#unread;
    if (rest?.length > 0) this.#queue.push({ bytes: rest });
    this.#queue.push({ end });
    this.pump();
  }

  #setSinkFull(full) {
    this.#sinkFull = full;
    this.#regulate();
  }

  /** Reads on, or lets the sender feel that nobody does. */
  #regulate() {
    const pressed = this.waiting && [...this.#proxy.faults].some((fault) => fault.backpressure && fault.concerns(this));
    if (this.#sinkFull || pressed) this.#source.pause();
    else this.#source.resume();
  }
}
