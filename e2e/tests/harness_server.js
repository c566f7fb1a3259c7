// A node server that stands in for Forebay in the harness's own tests: pages, and just enough Action Cable to subscribe.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { WebSocketServer } from "ws";
import { onEnd } from "../support/cleanup.js";
import { ASSETS } from "../support/bundle.js";

/**
 * @param {import("node:test").TestContext} t
 * @param {Record<string, string>} [pages] HTML by path
 */
export async function harnessServerFor(t, pages = {}) {
  const server = new HarnessServer(pages);
  await server.listen();
  onEnd(t, () => server.close());
  return server;
}

class HarnessServer {
  /** @type {import("ws").WebSocket[]} */
  sockets = [];
  /** Commands as they were received. @type {any[]} */
  commands = [];
  #pages;
  #http;
  #ws;

  constructor(pages) {
    this.#pages = pages;
    this.#http = createServer((request, response) => this.#answer(request, response));
    this.#ws = new WebSocketServer({ server: this.#http, path: "/cable", handleProtocols: () => "actioncable-v1-json" });
    this.#ws.on("connection", (socket) => this.#welcome(socket));
  }

  listen() {
    return new Promise((resolve) => this.#http.listen(0, "127.0.0.1", resolve));
  }

  get url() {
    return `http://127.0.0.1:${this.#http.address().port}`;
  }

  /** Delivers to every subscription of every socket. @param {string} message */
  broadcast(message) {
    for (const { socket, identifier } of this.#subscriptions()) socket.send(JSON.stringify({ identifier, message }));
  }

  async close() {
    for (const socket of this.sockets) socket.terminate();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  #subscriptions() {
    return this.commands.filter(({ command, socket }) => command === "subscribe" && socket.readyState === socket.OPEN);
  }

  #welcome(socket) {
    this.sockets.push(socket);
    socket.on("error", () => {}); // cut connections are what the tests are about
    socket.on("message", (data) => {
      const received = JSON.parse(String(data));
      this.commands.push({ ...received, socket });
      if (received.command === "subscribe") {
        socket.send(JSON.stringify({ identifier: received.identifier, type: "confirm_subscription" }));
      }
    });
    socket.send('{"type":"welcome"}');
  }

  async #answer(request, response) {
    const asset = /^\/assets\/(\w+\.js)$/.exec(request.url);
    const body = asset ? await readFile(join(ASSETS, asset[1])) : this.#pages[request.url];
    response.writeHead(body === undefined ? 404 : 200, { "content-type": asset ? "text/javascript" : "text/html; charset=utf-8" });
    response.end(body ?? "not found");
  }
}
