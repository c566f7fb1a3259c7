// The test-only side of the fixture app (crate forebay-e2e-app): its data, its gates and its counters, over HTTP, straight to
// the server, past the proxy.

import { within } from "./deadline.js";

/** Speaks to one running fixture app. */
export class Fixture {
  #server;

  /** @param {{url: string}} server its own URL, not the proxy's; asked anew each time, since a restart changes it */
  constructor(server) {
    this.#server = server;
  }

  get url() {
    return this.#server.url;
  }

  /** Inserts a message and broadcasts it after commit. Ids count from 1 over all rooms. */
  async createMessage(room, body) {
    await this.#send("POST", `/rooms/${room}/messages`, { body });
  }

  /** The same for many, one after the other, so that their order is known. @param {string[]} bodies */
  async createMessages(room, bodies) {
    for (const body of bodies) await this.createMessage(room, body);
  }

  async updateMessage(id, body) {
    await this.#send("PUT", `/messages/${id}`, { body });
  }

  async deleteMessage(id) {
    await this.#send("DELETE", `/messages/${id}`);
  }

  /** Creates "message `from`" and so on, as fast as the server can, one after the other. */
  async flood(room, { from = 1, count }) {
    await this.#send("POST", `/test/rooms/${room}/flood?count=${count}&from=${from}`);
  }

  /** Three publishers at once, each with `count` rows. */
  async race(room, { count }) {
    await this.#send("POST", `/test/rooms/${room}/race?count=${count}`);
  }

  /** A transaction that is rolled back, one with a savepoint that is, and one that commits, after the gate `before_commit`. */
  async rollback(room) {
    await this.#send("POST", `/test/rooms/${room}/rollback`);
  }

  /**
   * Broadcasts HTML as it is; `{source}` in it becomes a tag of the room's stream `region`.
   *
   * @param {string} html @param {string} [stream] `messages`, `region` or `count`
   * @returns {Promise<number>} how many subscriptions it woke
   */
  async broadcast(room, html, stream = "messages") {
    return Number(await this.#send("POST", `/test/rooms/${room}/raw`, { html, stream }));
  }

  /** Publishes a JSON value to a stream by its whole name. @param {string} stream @param {unknown} value */
  async publish(stream, value) {
    await this.#send("POST", "/test/streams/publish", { stream, json: JSON.stringify(value) });
  }

  /**
   * What a script needs to subscribe by itself.
   *
   * @returns {Promise<{stream: string, signed_stream_name: string, cursor: string}>}
   */
  async source(room) {
    return JSON.parse(await this.#send("GET", `/test/rooms/${room}/source`));
  }

  /** @returns {Promise<{counters: Record<string, number>, connections: number, offset: number}>} */
  async stats() {
    return JSON.parse(await this.#send("GET", "/test/stats"));
  }

  /** What the connect hook answers from now on. @param {"allow" | "deny" | "panic"} answer */
  async answerConnects(answer) {
    await this.#send("POST", "/test/access", { answer });
  }

  /** Takes somebody's access to a stream back. @param {string} identity @param {string} stream its whole name */
  async revoke(identity, stream) {
    await this.#send("POST", "/test/revoke", { identity, stream });
  }

  /**
   * Makes handlers stop at a point of the server that has a name.
   *
   * @param {string} name
   * @returns {Promise<{reached(): Promise<void>, open(): Promise<void>}>} `reached` resolves when somebody waits there
   */
  async closeGate(name) {
    const at = (what) => `/test/gates/${name}/${what}`;
    await this.#send("POST", at("close"));
    return {
      reached: async () => void (await this.#send("GET", at("reached"))),
      open: async () => void (await this.#send("POST", at("open"))),
    };
  }

  /** @param {string} method @param {string} path @param {Record<string, string>} [form] @returns {Promise<string>} */
  async #send(method, path, form) {
    const body = form && new URLSearchParams(form);
    const answer = fetch(this.url + path, { method, body, redirect: "manual" }).then(async (response) => {
      const text = await response.text();
      if (response.status >= 400) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
      return text;
    });
    return within(`the answer to ${method} ${path}`, answer);
  }
}
