/**
 * Three ways to the server with one face. Each is used once: it opens, has its say through the
 * `Peer`, and ends with `closed`.
 *
 * @typedef {import("./subscription.js").Subscription} Subscription
 * @typedef {Record<string, any>} Message
 * @typedef {object} Peer
 * @property {() => Subscription[]} subscriptions all that is wanted
 * @property {(message: Message, subscription?: Subscription) => void} receive
 * @property {() => void} opened
 * @property {() => void} alive
 * @property {(kind: string, detail: string) => void} warn
 * @property {() => void} closed
 *
 * @typedef {object} Transport
 * @property {() => void} changed other subscriptions are wanted
 * @property {(commands: object[], subscription?: Subscription) => boolean} send false if it is busy
 * @property {() => void} ping
 * @property {() => void} close
 *
 * @typedef {object} Addresses
 * @property {string} cable
 * @property {string} events
 * @property {string} poll
 * @property {string} worker
 */

const PROTOCOL = "forebay-v1-json";

/** Characters of one message to the server, whose limit is 64 KiB unless it was set otherwise. */
const MESSAGE_MAX = 32_000;

/** Requests that wait for those before them. Past it, the caller is told that nothing was sent. */
const SENDS_MAX = 64;

/** For a request that is to be answered at once. */
const SEND_MS = 10_000;

/** Between two polls of a tab that may not keep a connection waiting. */
const CROWDED_MS = 3_000;

/** @param {number} ms @param {AbortSignal} signal */
const pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    setTimeout(resolve, ms);
    signal.addEventListener("abort", () => reject(new Error("aborted")));
  });

/**
 * What a refusal says in the server's own words (`ExchangeError`), and not in a proxy's: they are the same whichever way
 * one asks.
 * @type {Record<string, boolean>} whether to come back
 */
const REFUSALS = { "not authorized": false, "not now": true, "the server is shutting down": true };

/**
 * Posts commands. A refusal is thrown as the message that a WebSocket would bring.
 * @param {string} url @param {object[]} commands @param {AbortSignal} [signal]
 */
async function post(url, commands, signal) {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify(commands);
  const response = await fetch(url, { method: "POST", headers, body, signal, credentials: "include", cache: "no-store" });
  if (response.ok) return response;
  const reconnect = REFUSALS[(await response.text()).split(/[:\n]/)[0]];
  throw reconnect === undefined ? new Error(`${response.status}`) : { type: "disconnect", reconnect };
}

/**
 * Browsers open six connections to a server over HTTP/1.1, for all tabs together. Three at the most are kept
 * waiting; further tabs ask now and then instead.
 * @returns {Promise<(() => void) | null>} gives the place back
 */
async function place() {
  if (!navigator.locks) return () => {};
  for (const number of [1, 2, 3]) {
    const held = await new Promise((resolve) => {
      navigator.locks
        .request(`forebay.http.${number}`, { ifAvailable: true }, (lock) => {
          if (!lock) return resolve(null);
          return new Promise((/** @type {(_: void) => void} */ free) => resolve(() => free()));
        })
        .catch(() => resolve(null));
    });
    if (held) return held;
  }
  return null;
}

/** @implements {Transport} */
export class WebSocketTransport {
  /** @type {Set<Subscription>} */
  #sent = new Set();
  /** By the number of their `subscribe` in this session, with holes where one has left. @type {Subscription[]} */
  #asked = [];
  #welcomed = false;

  /** @param {Peer} peer @param {Addresses} addresses */
  constructor(peer, addresses) {
    this.peer = peer;
    const url = new URL(addresses.cable, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    this.socket = new WebSocket(url, PROTOCOL);
    this.socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    this.socket.onclose = () => this.#end();
  }

  /** @param {Message} message */
  #receive(message) {
    this.peer.alive();
    if (message.type === "welcome") {
      this.#welcomed = true;
      this.peer.opened();
      this.changed();
    }
    this.peer.receive(message, meant(message, this.#asked));
  }

  changed() {
    if (!this.#welcomed) return;
    const wanted = new Set(this.peer.subscriptions());
    const commands = [];
    for (const subscription of this.#sent) {
      if (wanted.delete(subscription)) continue;
      commands.push({ command: "unsubscribe", identifier: subscription.identifier });
      this.#sent.delete(subscription);
      delete this.#asked[this.#asked.indexOf(subscription)];
    }
    for (const subscription of wanted) {
      commands.push(subscription.subscribeCommand());
      this.#sent.add(subscription);
      this.#asked.push(subscription);
    }
    this.send(commands);
  }

  /** As few messages as may be: what one subscribes to is replayed in one order. @param {object[]} commands */
  send(commands) {
    /** @type {string[]} */
    let texts = [];
    let length = 0;
    const flush = () => {
      if (texts.length > 0) this.socket.send(`[${texts}]`);
      texts = [];
      length = 0;
    };
    for (const command of this.#welcomed ? commands : []) {
      const text = JSON.stringify(command);
      if (length + text.length > MESSAGE_MAX) flush();
      texts.push(text);
      length += text.length;
    }
    flush();
    return this.#welcomed;
  }

  ping() {
    this.send([{ command: "ping" }]);
  }

  close() {
    this.#end = () => {};
    this.socket.close();
  }

  #end = () => this.peer.closed();
}

/**
 * Whom a message is for, among those that were asked for: the latest of those with its identifier, where it has no number.
 * @param {Message} message @param {Subscription[]} subscriptions
 */
const meant = (message, subscriptions) =>
  message.s ? subscriptions[message.s - 1] : subscriptions.findLast((subscription) => subscription?.identifier === message.identifier);

/**
 * What the two transports over HTTP have in common: a request names all subscriptions.
 * @implements {Transport}
 */
class HttpTransport {
  abort = new AbortController();
  over = false;
  /** What the request that is open names. @type {Subscription[]} */
  asked = [];
  /** Requests of the page's own, one after the other. */
  sending = Promise.resolve();
  sends = 0;
  /** @type {(() => void) | null} */
  free = null;

  /** @param {Peer} peer @param {Addresses} addresses */
  constructor(peer, addresses) {
    this.peer = peer;
    this.addresses = addresses;
    place()
      .then((free) => {
        this.free = free;
        return this.over ? free?.() : this.run();
      })
      .catch((why) => {
        if (!this.over && why?.type) this.peer.receive(why);
        this.end();
      });
  }

  async run() {}

  changed() {
    const wanted = this.peer.subscriptions();
    if (wanted.length !== this.asked.length || wanted.some((subscription) => !this.asked.includes(subscription))) this.abort.abort();
  }

  /**
   * Commands for one subscription go in a request of their own, which reads no stream.
   * @param {object[]} commands
   * @param {Subscription} [subscription]
   */
  send(commands, subscription) {
    if (this.sends >= SENDS_MAX) return false;
    this.sends += 1;
    this.sending = this.sending.then(() => this.#send(commands, subscription)).finally(() => (this.sends -= 1));
    return true;
  }

  /** @param {object[]} commands @param {Subscription} [subscription] */
  async #send(commands, subscription) {
    const asked = subscription ? [subscription.subscribeCommand({ quiet: true, deaf: true })] : [];
    try {
      const response = await post(`${this.addresses.poll}?wait=0`, [...asked, ...commands], AbortSignal.timeout(SEND_MS));
      for (const message of await response.json()) this.peer.receive(message, subscription);
    } catch {
      // The connection itself will notice what is wrong.
    }
  }

  ping() {}

  close() {
    this.over = true;
    this.abort.abort();
    this.free?.();
  }

  end() {
    if (this.over) return;
    this.close();
    this.peer.closed();
  }
}

/** Server-sent events over `fetch`, because `EventSource` can't post. */
export class EventsTransport extends HttpTransport {
  async run() {
    if (!this.free) return this.end();
    while (!this.over) {
      this.abort = new AbortController();
      const { signal } = this.abort;
      try {
        await this.#read(signal);
        return this.end();
      } catch (error) {
        // Aborted on purpose: the page wants other subscriptions.
        if (!signal.aborted || this.over) throw error;
      }
    }
  }

  /** @param {AbortSignal} signal */
  async #read(signal) {
    const subscriptions = (this.asked = this.peer.subscriptions());
    const commands = subscriptions.map((s) => s.subscribeCommand());
    const response = await post(this.addresses.events, commands, signal);
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.peer.alive();
      text += decoder.decode(value, { stream: true });
      const events = text.split("\n\n");
      text = /** @type {string} */ (events.pop());
      for (const event of events) {
        const message = JSON.parse(event.slice("data: ".length));
        if (message.type === "welcome") this.peer.opened();
        this.peer.receive(message, meant(message, subscriptions));
        if (signal.aborted) throw new Error("aborted");
      }
    }
  }
}

/** For where nothing stays open: an answer at a time. */
export class PollTransport extends HttpTransport {
  wait = 25;

  async run() {
    const confirmed = new Set();
    let isOpen = false;
    if (!this.free) this.peer.warn("crowded", "other tabs keep requests waiting; this one asks every 3 seconds");
    while (!this.over) {
      this.abort = new AbortController();
      const { signal } = this.abort;
      const subscriptions = (this.asked = this.peer.subscriptions());
      const commands = subscriptions.map((s) => s.subscribeCommand(confirmed.has(s) ? { quiet: true } : {}));
      let began = performance.now();
      try {
        if (isOpen && !this.free) await pause(CROWDED_MS, signal);
        if (isOpen) this.free ??= await place();
        if (this.over) return this.free?.();
        began = performance.now();
        // The first one is short, to find out whether anything comes back at all.
        const wait = isOpen && this.free ? this.wait : 0;
        const response = await post(`${this.addresses.poll}?wait=${wait}`, commands, signal);
        const messages = await response.json();
        if (!isOpen) this.peer.opened();
        isOpen = true;
        this.peer.alive();
        for (const message of messages) {
          const subscription = meant(message, subscriptions);
          if (message.type === "confirm_subscription") confirmed.add(subscription);
          this.peer.receive(message, subscription);
        }
      } catch (error) {
        const seconds = (performance.now() - began) / 1000;
        if (signal.aborted && !this.over) continue;
        // Something between cuts what is quiet for long: ask for less, and again at once.
        if (!isOpen || seconds < 3 || this.wait <= 2) throw error;
        this.wait = Math.max(2, Math.floor(seconds / 2));
      }
    }
  }
}
