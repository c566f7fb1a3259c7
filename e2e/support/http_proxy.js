// A proxy of the kind that stands in offices and hotels: it understands HTTP, and may let no WebSocket through, collect answers
// before it passes them on, or cut what takes long. Every request gets a connection of its own to the server.

import { createHash } from "node:crypto";
import { Agent, createServer, request } from "node:http";
import { connect } from "node:net";
import { onEnd } from "./cleanup.js";

/** RFC 6455 section 1.3. */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/**
 * @typedef {object} Habits all can be changed at any time
 * @property {boolean} websockets whether it lets WebSockets through
 * @property {boolean} events whether it lets event streams through
 * @property {boolean} collects whether it passes an answer on only when it is complete
 * @property {number} cutsAfterMs how long anything may take; 0 is no limit
 * @property {number} status what it answers to whoever wants to be live, instead of asking the server; 0 asks. 101 speaks another protocol
 */

/**
 * @param {import("node:test").TestContext} t
 * @param {() => string} target the server's address, asked for at every request
 * @param {Partial<Habits>} [habits]
 */
export async function httpProxyFor(t, target, habits) {
  const proxy = new HttpProxy(target, habits);
  await proxy.listen();
  onEnd(t, () => proxy.stop());
  return proxy;
}

export class HttpProxy {
  /** How many requests came, by path. @type {Map<string, number>} */
  requests = new Map();
  /** @type {Set<import("node:net").Socket>} */
  #sockets = new Set();
  #server = createServer((incoming, outgoing) => this.#forward(incoming, outgoing));
  #target;

  /** @param {() => string} target @param {Partial<Habits>} [habits] */
  constructor(target, habits = {}) {
    this.#target = target;
    /** @type {Habits} */
    this.habits = { websockets: true, events: true, collects: false, cutsAfterMs: 0, status: 0, ...habits };
    this.#server.on("upgrade", (incoming, socket, head) => this.#upgrade(incoming, socket, head));
    this.#server.on("connection", (socket) => this.#keep(socket));
  }

  listen() {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve(undefined)));
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Cuts everything that is open. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  stop() {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    return closed;
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
  }

  #limit(socket) {
    const { cutsAfterMs } = this.habits;
    if (cutsAfterMs === 0) return;
    const timer = setTimeout(() => socket.destroy(), cutsAfterMs);
    socket.once("close", () => clearTimeout(timer));
  }

  #forward(incoming, outgoing) {
    const { pathname } = new URL(incoming.url, this.url);
    this.requests.set(pathname, (this.requests.get(pathname) ?? 0) + 1);
    if (this.habits.status > 0 && /^\/forebay\/(events|poll)$/.test(pathname)) {
      // Whoever speaks another protocol answers with a page of its own.
      outgoing.writeHead(this.habits.status === 101 ? 200 : this.habits.status).end("<p>Not what you wanted</p>");
      return;
    }
    if (!this.habits.events && pathname === "/forebay/events") return outgoing.writeHead(403).end();
    const { hostname, port } = new URL(this.#target());
    const { method, url: path, headers } = incoming;
    const onward = request({ hostname, port, method, path, headers, agent: new Agent() });
    const limit = this.habits.cutsAfterMs;
    const timer = limit > 0 && setTimeout(() => incoming.socket.destroy(), limit);
    outgoing.once("close", () => {
      clearTimeout(timer);
      onward.destroy();
    });
    onward.on("error", () => incoming.socket.destroy());
    onward.on("response", (answer) => {
      const { collects } = this.habits;
      const chunks = [];
      if (!collects) outgoing.writeHead(answer.statusCode, answer.headers).flushHeaders();
      answer.on("data", (chunk) => (collects ? chunks.push(chunk) : outgoing.write(chunk)));
      answer.on("error", () => incoming.socket.destroy());
      answer.on("end", () => {
        if (collects) outgoing.writeHead(answer.statusCode, answer.headers);
        outgoing.end(collects ? Buffer.concat(chunks) : undefined);
      });
    });
    incoming.pipe(onward);
  }

  #upgrade(incoming, socket, head) {
    if (!this.habits.websockets) {
      socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
      return;
    }
    if (this.habits.status === 101) {
      const accept = createHash("sha1").update(`${incoming.headers["sec-websocket-key"]}${WEBSOCKET_GUID}`).digest("base64");
      const lines = ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: upgrade", `sec-websocket-accept: ${accept}`];
      socket.write(`${[...lines, "sec-websocket-protocol: chat"].join("\r\n")}\r\n\r\n`);
      return;
    }
    if (this.habits.status > 0) {
      socket.end(`HTTP/1.1 ${this.habits.status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      return;
    }
    const { hostname, port } = new URL(this.#target());
    const onward = connect(Number(port), hostname);
    this.#keep(onward);
    this.#limit(socket);
    const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
    for (let i = 0; i < incoming.rawHeaders.length; i += 2) lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`);
    onward.write(`${lines.join("\r\n")}\r\n\r\n`);
    onward.write(head);
    onward.pipe(socket).pipe(onward);
    socket.once("close", () => onward.destroy());
    onward.once("close", () => socket.destroy());
  }
}
