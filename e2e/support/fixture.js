// The test-only side of the fixture app (crate forebay-e2e-app): its data and its gates, over HTTP, straight to the server.

import { within } from "./deadline.js";

/** Speaks to one running fixture app. */
export class Fixture {
  /** @param {string | {url: string}} server its own URL, not the proxy's */
  constructor(server) {
    this.url = typeof server === "string" ? server : server.url;
  }

  /** Inserts a message and broadcasts it after commit. @returns {Promise<any>} what the app answers */
  createMessage(room, body) {
    return this.#send("POST", `/rooms/${room}/messages`, { body });
  }

  /** The same for many, one after the other, so that their order is known. @param {string[]} bodies */
  async createMessages(room, bodies) {
    for (const body of bodies) await this.createMessage(room, body);
  }

  updateMessage(id, body) {
    return this.#send("PUT", `/messages/${id}`, { body });
  }

  deleteMessage(id) {
    return this.#send("DELETE", `/messages/${id}`);
  }

  /** A server-side action under /test. */
  act(path, body) {
    return this.#send("POST", `/test/${path}`, body);
  }

  /** @param {string} name a point at which a handler stops when its URL says `?gate=NAME` */
  gate(name) {
    return {
      /** Resolves when a handler waits at the gate. */
      reached: () => this.#send("GET", `/test/gates/${name}/reached`),
      /** Lets it go on. */
      release: () => this.#send("POST", `/test/gates/${name}/release`),
    };
  }

  async #send(method, path, body) {
    const headers = { accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    const request = fetch(this.url + path, { method, headers, body: body && JSON.stringify(body), redirect: "manual" });
    const response = await within(`the answer to ${method} ${path}`, request);
    const text = await response.text();
    if (response.status >= 400) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
    return (response.headers.get("content-type") ?? "").includes("json") ? JSON.parse(text) : text;
  }
}
