// A server that speaks forebay-v1-json exactly as a test tells it to: for what the real one does rarely, or never should.
// It serves pages with forebay.js and Turbo; what it hears is kept, and what it says is the test's.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { WebSocketServer } from "ws";
import { ASSETS } from "./bundle.js";
import { onEnd } from "./cleanup.js";

const FOREBAY = new URL("../../crates/forebay-core/assets/", import.meta.url);

/**
 * @typedef {object} Session
 * @property {(message: object) => void} send
 * @property {() => void} close
 * @property {any[]} commands
 */

/**
 * @param {import("node:test").TestContext} t
 * @param {{ body: (request: import("node:http").IncomingMessage) => string, command?: (command: any, session: Session, s: number) => void }} script
 *   the page's body, and what to do with a command; without it, every subscription is confirmed where it wants to go on
 */
export async function scriptedServerFor(t, script) {
  const server = new ScriptedServer(script);
  await server.listen();
  onEnd(t, () => server.close());
  return server;
}

/** A tag of the stream `name`, rendered at this position. */
export const tag = (name, position) =>
  `<turbo-cable-stream-source channel="Turbo::StreamsChannel" signed-stream-name="${name}.${position}"></turbo-cable-stream-source>`;

/** @param {string} text */
export const append = (text) => `<turbo-stream action="append" target="list"><template><li>${text}</li></template></turbo-stream>`;

/** Subscribed, behind the position that the page has. @param {Session} session */
export function confirm(session, { identifier, after }, s) {
  const at = after ?? JSON.parse(identifier).signed_stream_name?.split(/\.(.*)/)[1];
  session.send({ type: "confirm_subscription", identifier, s, at });
}

class ScriptedServer {
  /** @type {Session[]} */
  sessions = [];
  /** How many pages were asked for. */
  loads = 0;
  #script;
  #http;
  #ws;

  constructor(script) {
    this.#script = { command: (command, session, s) => command.command === "subscribe" && confirm(session, command, s), ...script };
    this.#http = createServer((request, response) => this.#answer(request, response));
    this.#ws = new WebSocketServer({ server: this.#http, path: "/cable", handleProtocols: () => "forebay-v1-json", maxPayload: 64 << 10 });
    this.#ws.on("connection", (socket) => this.#welcome(socket));
  }

  listen() {
    return new Promise((resolve) => this.#http.listen(0, "127.0.0.1", resolve));
  }

  get url() {
    return `http://127.0.0.1:${this.#http.address().port}`;
  }

  /** The session that began last. */
  get session() {
    return this.sessions.at(-1);
  }

  async close() {
    for (const socket of this.#ws.clients) socket.terminate();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  #welcome(socket) {
    let s = 0;
    const session = { commands: [], send: (message) => socket.send(JSON.stringify(message)), close: () => socket.terminate() };
    this.sessions.push(session);
    socket.on("error", () => {});
    socket.on("message", (data) => {
      for (const command of [JSON.parse(String(data))].flat()) {
        session.commands.push(command);
        if (command.command === "subscribe") s += 1;
        this.#script.command(command, session, s);
      }
    });
    session.send({ type: "welcome", sid: "0", ping: 60_000 });
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, this.url);
    const [, folder, name] = /^\/(assets|forebay)\/(\w+\.js)$/.exec(pathname) ?? [];
    if (folder) {
      response.writeHead(200, { "content-type": "text/javascript" });
      return response.end(await readFile(folder === "assets" ? join(ASSETS, name) : new URL(name, FOREBAY)));
    }
    if (request.method !== "GET") return response.writeHead(503).end();
    this.loads += 1;
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(`<!DOCTYPE html><html><head><title>Scripted</title><link rel="icon" href="data:,">
      <meta name="turbo-refresh-method" content="morph">
      <script type="module" src="/assets/forebay.js"></script></head><body>${this.#script.body(request)}</body></html>`);
  }
}
