// One browser connection and its counterpart to the server, with a lane in each direction.

import { connect } from "node:net";
import { Lane } from "./lane.js";
import { reset as resetSocket } from "./reset.js";

export class ProxiedConnection {
  /** The first request, once it has arrived. @type {import("./http_head.js").HttpHead | undefined} */
  head;
  #client;
  #server;

  /**
   * @param {number} id
   * @param {import("node:net").Socket} client accepted with allowHalfOpen
   * @param {{host: string, port: number}} target
   * @param {ConstructorParameters<typeof Lane>[0]["proxy"]} proxy
   * @param {() => void} closed called once, when both sides are gone
   */
  constructor(id, client, target, proxy, closed) {
    this.id = id;
    this.#client = client;
    this.#server = connect({ ...target, allowHalfOpen: true, noDelay: true });
    this.up = new Lane({ direction: "up", connection: this, source: client, sink: this.#server, proxy });
    this.down = new Lane({ direction: "down", connection: this, source: this.#server, sink: client, proxy });
    let open = 2;
    for (const socket of [client, this.#server]) {
      socket.once("close", () => {
        open -= 1;
        if (open === 0) closed();
      });
    }
  }

  pump() {
    this.up.pump();
    this.down.pump();
  }

  /**
   * Ends the TCP connection without a WebSocket close. What was held is lost, as in a real cut.
   *
   * @param {{reset?: boolean, side?: "client" | "server" | "both"}} [options] RST or FIN, and who gets it; the other side
   *   of a one-sided cut is told nothing and stays open
   */
  cut({ reset = true, side = "both" } = {}) {
    const sockets = { client: [this.#client], server: [this.#server], both: [this.#client, this.#server] }[side];
    for (const socket of sockets) {
      if (reset) resetSocket(socket);
      else socket.destroySoon();
    }
  }
}
