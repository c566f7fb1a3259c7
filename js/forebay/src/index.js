import { addressesOf } from "./addresses.js";
import { Client } from "./client.js";
import { Connection } from "./connection.js";
import { define, Sources } from "./element.js";
import { Page } from "./page.js";
import { SharedConnection } from "./shared.js";

/**
 * @typedef {import("./subscription.js").Receiver} Receiver
 * @typedef {object} Options
 * @property {string} [cable] the WebSocket's address; else the page's `action-cable-url`, else `/cable` beside the script
 * @property {string} [events] default: `events` where the other addresses are, see `addressesOf`
 * @property {string} [poll] default: `poll`, there
 * @property {string} [share] all tabs with the same text share one connection, in a shared worker. The text says whose
 *   connection it is, and changes with the visitor's cookies; default: the page's `forebay-share`, else it is not shared
 * @property {string} [worker] the shared worker's script, default: `worker.js`, there
 * @property {string} [script] where the server's own forebay.js was loaded from
 * @property {boolean} [debug] says in the console what could not be shown; default on this machine only
 */

/** Tags that are refused again are not renewed by rendering the page again and again. */
const RENEW_MS = 60_000;

/** @type {ReturnType<typeof create> | undefined} */
let started;

/**
 * Connects this page: its `<turbo-cable-stream-source>` tags, and whatever is subscribed to by hand.
 * @param {Options} [options]
 */
export function start(options = {}) {
  return (started ??= create(options));
}

/** @param {Options} options */
function create(options) {
  const meta = (/** @type {string} */ name) => document.querySelector(`meta[name=${name}]`)?.getAttribute("content");
  const { cable, folder } = addressesOf(location.href, options.cable ?? meta("action-cable-url"), meta("forebay-url"), options.script);
  const absolute = (/** @type {string | undefined} */ said, /** @type {string} */ name) => (said ? new URL(said, location.href) : new URL(name, folder)).href;
  const addresses = {
    cable,
    events: absolute(options.events, "events"),
    poll: absolute(options.poll, "poll"),
    worker: absolute(options.worker, "worker.js"),
  };
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  const debug = options.debug ?? (isLocal || document.documentElement.hasAttribute("data-forebay-debug"));

  const tell = (/** @type {string} */ kind, /** @type {object} */ about) =>
    document.dispatchEvent(new CustomEvent("forebay:error", { detail: { kind, ...about } }));
  /** @type {import("./page.js").Trouble} */
  const trouble = (kind, subscription, detail, offset) => {
    if (debug) console.warn(`forebay: ${kind}`, detail, { offset, identifier: subscription?.identifier });
    const about = { identifier: subscription?.identifier, offset, detail };
    tell(kind, about);
    client.connection.send([{ command: "report", kind, ...about }]);
  };
  /** Nothing is missing, but it is not as it could be. */
  const warn = (/** @type {string} */ kind, /** @type {string} */ detail) => {
    console.warn(`forebay: ${kind}: ${detail}`);
    tell(kind, { detail });
  };
  let canShare = true;
  /** @type {string | null} */
  let sharedAs;
  /** Turbo's visits bring other heads: whose page it is may change at any time. @type {ConstructorParameters<typeof Client>[0]} */
  const connect = (owner, current) => {
    const identity = canShare ? (options.share ?? meta("forebay-share") ?? null) : null;
    if (current && identity === sharedAs) return current;
    current?.stop();
    sharedAs = identity;
    if (identity === null) return new Connection(owner, addresses);
    return new SharedConnection(owner, addresses, identity, (why) => {
      canShare = false;
      warn("unshared", why);
      client.changed();
    });
  };
  const page = new Page(trouble);
  const shows = {
    prepare: page.prepare.bind(page),
    show: page.show.bind(page),
    shown: (/** @type {any} */ subscription) => sources.shown(subscription),
  };
  const heal = page.heal.bind(page);
  const client = new Client(connect, shows, heal, trouble, warn);
  let renewed = -RENEW_MS;
  // An expired tag is replaced by rendering the page again.
  const sources = new Sources(client, (reason, subscription) => {
    const now = performance.now();
    if (reason !== "expired" || now - renewed < RENEW_MS) return;
    renewed = now;
    heal(subscription);
  });
  document.addEventListener("turbo:render", () => sources.healed());
  const nudge = () => client.connection.nudge();
  addEventListener("online", nudge);
  addEventListener("focus", nudge);
  document.addEventListener("resume", nudge);
  document.addEventListener("visibilitychange", () => document.hidden || nudge());
  // A page with an open socket is not kept for Back and Forward.
  addEventListener("pagehide", () => client.connection.stop());
  addEventListener("pageshow", ({ persisted }) => persisted && nudge());
  const hasTags = define(sources);

  return {
    /** Whether the page's tags are ours: false if another library has defined them. */
    hasTags,
    /** The name of the transport in use: `websocket`, `events`, `poll`, or null. */
    get transport() {
      return client.connection.transport;
    },
    /** Whether other tabs use the same connection, in a shared worker. */
    get isShared() {
      return client.connection instanceof SharedConnection;
    },
    /** Tries for a WebSocket now, rather than within the next minute. */
    upgrade: () => client.connection.upgrade(),
    /**
     * Subscribes to a channel of the application's.
     * @param {{ channel: string } & Record<string, unknown>} params
     * @param {Receiver} receiver
     */
    subscribe(params, receiver) {
      const subscription = client.add(JSON.stringify(params), null, receiver);
      queueMicrotask(() => client.changed());
      return {
        /** False if it is not subscribed at the moment: nothing was sent. @param {string} action @param {object} [data] */
        perform: (action, data = {}) => client.perform(subscription, action, data),
        unsubscribe() {
          client.remove(subscription);
          client.changed();
        },
      };
    },
  };
}
