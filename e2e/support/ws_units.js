// Groups WebSocket frames into what may be held back as a whole: one message with all its fragments, or one control frame.
// A control frame between fragments goes ahead of the message it interrupts, as RFC 6455 section 5.4 allows.

import { Observed } from "./message_log.js";
import { WsFrameReader } from "./ws_frames.js";

const CONTROL = new Set(["close", "ping", "pong"]);

/** @typedef {{bytes: Buffer, message: Observed | undefined}} Unit */

export class WsUnits {
  #reader = new WsFrameReader();
  /** @type {import("./ws_frames.js").WsFrame[]} fragments of a message that isn't complete */
  #fragments = [];
  #connection;
  #direction;

  /** @param {number} connection @param {import("./message_log.js").Direction} direction */
  constructor(connection, direction) {
    this.#connection = connection;
    this.#direction = direction;
  }

  /** @param {Buffer} chunk @returns {Unit[]} */
  push(chunk) {
    return this.#reader.push(chunk).flatMap((frame) => this.#unit(frame));
  }

  /** The bytes of whatever never became a unit: a peer may end in the middle of a frame. @returns {Buffer} */
  takeRest() {
    return Buffer.concat([...this.#fragments.map(({ raw }) => raw), this.#reader.takeRest()]);
  }

  #unit(frame) {
    if (CONTROL.has(frame.kind)) return [this.#observed([frame])];
    this.#fragments.push(frame);
    if (!frame.fin) return [];
    return [this.#observed(this.#fragments.splice(0))];
  }

  #observed(frames) {
    const [first] = frames;
    if (first.compressed) {
      throw new Error("the fault proxy cannot read compressed WebSocket messages (permessage-deflate was negotiated)");
    }
    const payload = Buffer.concat(frames.map((frame) => frame.payload));
    const message = new Observed(this.#connection, this.#direction, first.kind, payload, first.masked);
    return { bytes: Buffer.concat(frames.map((frame) => frame.raw)), message };
  }
}
