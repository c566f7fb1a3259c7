// Action Cable by hand, without a browser: for what no browser sends.

import { WebSocket } from "ws";
import { onEnd } from "./cleanup.js";
import { within } from "./deadline.js";

export const PROTOCOL = "actioncable-v1-json";

/** `texts` holds what it got, `closed` resolves with the code and reason of the end. */
export class RawClient {
  texts = [];
  #waiting = new Set();

  constructor(t, server, { protocols = [PROTOCOL], ...options } = {}) {
    const url = `${server.url.replace("http", "ws")}/cable`;
    this.socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...options });
    this.opened = new Promise((resolve) => this.socket.once("open", resolve));
    this.refused = new Promise((resolve) => this.socket.once("unexpected-response", (_, { statusCode }) => resolve(statusCode)));
    this.closed = new Promise((resolve) => this.socket.once("close", (code, reason) => resolve({ code, reason: String(reason) })));
    this.socket.on("error", () => {}); // how a connection ends is what these tests ask for
    this.socket.on("message", (data) => {
      this.texts.push(JSON.parse(String(data)));
      for (const look of this.#waiting) look();
    });
    onEnd(t, () => this.socket.terminate());
  }

  send(message) {
    this.socket.send(typeof message === "string" || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  subscribe(identifier) {
    this.send({ command: "subscribe", identifier: JSON.stringify(identifier) });
  }

  /** Resolves with the first messages that match, when there are enough. */
  until(what, match, count = 1) {
    const found = () => this.texts.filter(match);
    const enough = new Promise((resolve) => {
      const look = () => found().length >= count && resolve(found());
      this.#waiting.add(look);
      look();
    });
    return within(`${count} × ${what}`, enough, { detail: () => JSON.stringify(this.texts.slice(0, 20)) });
  }
}

/** @param {import("node:test").TestContext} t @param {{url: string}} server @param {object} [options] those of `ws`, and `protocols` */
export async function welcomed(t, server, options) {
  const client = new RawClient(t, server, options);
  await client.until("welcome", ({ type }) => type === "welcome");
  return client;
}

export const confirms = ({ type }) => type === "confirm_subscription";
export const rejects = ({ type }) => type === "reject_subscription";
