// Somebody who creates messages all the time, whatever happens to others.

import { onEnd } from "./cleanup.js";
import { within } from "./deadline.js";

/** Fast enough to hit whatever happens, and slow enough for six pages on two cores. Nothing waits for it. */
const PAUSE_MS = 20;

/** @param {import("node:test").TestContext} t @param {import("./room.js").Room} room */
export function publisherFor(t, room) {
  const publisher = new Publisher(room);
  onEnd(t, () => publisher.stop());
  return publisher;
}

export class Publisher {
  /** Those that the server has acknowledged. @type {string[]} */
  bodies = [];
  /** Those of which nobody knows, because the server went away. @type {string[]} */
  unknown = [];
  #room;
  #stopped = false;
  #created = () => {};
  #publishing;

  /** @param {import("./room.js").Room} room */
  constructor(room) {
    this.#room = room;
    this.#publishing = this.#publish();
  }

  /** Resolves when so many more are created. */
  async more(count) {
    const wanted = this.bodies.length + count;
    const enough = new Promise((resolve) => {
      this.#created = () => this.bodies.length >= wanted && resolve(undefined);
    });
    await within(`${count} more messages`, enough);
  }

  /** Gives the texts of all that were created. @returns {Promise<string[]>} */
  async stop() {
    this.#stopped = true;
    await this.#publishing;
    return this.bodies;
  }

  async #publish() {
    for (let n = 1; !this.#stopped; n += 1) {
      const body = `message ${n}`;
      await this.#room.create(body).then(
        () => this.bodies.push(body),
        () => this.unknown.push(body),
      );
      this.#created();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
