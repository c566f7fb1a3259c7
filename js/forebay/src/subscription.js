import { format } from "./position.js";

/**
 * @typedef {import("./position.js").Position} Position
 * @typedef {object} Receiver
 * @property {(message: unknown) => void} [received]
 * @property {() => void} [connected]
 * @property {() => void} [disconnected]
 * @property {(reason: string) => void} [rejected]
 * @property {() => void} [resync]
 */

/** One identifier, and how far the page has got with it. */
export class Subscription {
  /**
   * @param {string} identifier
   * @param {Position | null} position what the page shows already
   * @param {Receiver} receiver
   */
  constructor(identifier, position, receiver) {
    this.identifier = identifier;
    this.receiver = receiver;
    /** What the page shows. */
    this.shown = position;
    /** What the page was rendered with after it had been subscribed: nothing up to here is shown again. */
    this.rendered = 0;
    /** What has arrived, shown or waiting to be. */
    this.received = position;
    /** Behind which offset something was missing. @type {number | undefined} */
    this.gap = -1;
    /** @type {"waiting" | "confirmed" | "rejected"} */
    this.state = "waiting";
    /** Counts how often it began again: what arrived before is not shown any more. */
    this.life = 0;
  }

  /** @param {{ quiet?: boolean, deaf?: boolean }} [how] */
  subscribeCommand(how = {}) {
    const after = this.received && !how.deaf ? { after: format(this.received) } : {};
    return { command: "subscribe", identifier: this.identifier, ...after, ...how };
  }

  /** Begins again behind `position`; what has arrived since is forgotten. @param {Position | null} position */
  rewind(position) {
    // Another log's offsets say nothing about this one's.
    if (position?.epoch !== this.shown?.epoch) this.rendered = 0;
    this.shown = this.received = position;
    this.life += 1;
  }
}
