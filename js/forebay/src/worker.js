import { Connection } from "./connection.js";
import { parse } from "./position.js";
import { holdLock, VERSION, weight } from "./shared.js";
import { Subscription } from "./subscription.js";

/** @typedef {import("./transports.js").Message} Message */

/**
 * What may be on its way to a page before it is sent no more: with the last message, whatever its size, more than that.
 * A page that takes nothing (frozen, stopped in a debugger) begins again when it does.
 */
const BEHIND_MAX = 4_000_000;

/** A page. */
class Tab {
  /** @type {Map<number, Subscription>} */
  subscriptions = new Map();
  behind = 0;

  /** @param {MessagePort} port */
  constructor(port) {
    this.port = port;
  }
}

/**
 * Runs in a shared worker: one connection for all tabs of one identity. The worker knows how far it has handed on what
 * it received, and no more: the pages keep their positions, and find out themselves if something is missing.
 * @param {any} scope
 */
function serve(scope) {
  const [, , addresses] = JSON.parse(scope.name);
  /** @type {Set<Tab>} */
  const tabs = new Set();
  /** @type {Map<Subscription, { tab: Tab, number: number }>} */
  const whose = new Map();
  /** @type {Connection} */
  let connection;

  const tellAll = (/** @type {any[]} */ ...what) => tabs.forEach(({ port }) => port.postMessage(what));

  const owner = {
    subscriptions: () => [...whose.keys()],
    opened: () => tellAll("open", connection.transport),
    closed() {
      for (const subscription of whose.keys()) subscription.state = "waiting";
      tellAll("closed");
    },
    warn: (/** @type {string} */ kind, /** @type {string} */ detail) => tellAll("warn", kind, detail),
    receive(/** @type {Message} */ message, /** @type {Subscription} */ subscription) {
      const to = whose.get(subscription);
      if (!to) return;
      const { tab, number } = to;
      if ("o" in message) subscription.received = subscription.received && { ...subscription.received, offset: message.o };
      else if (message.type === "reject_subscription") remove(tab, number);
      else if (message.type) place(subscription, message);
      if (tab.behind <= BEHIND_MAX) {
        // Only what is posted is ever acknowledged.
        tab.behind += weight(message);
        return tab.port.postMessage(["message", number, message]);
      }
      forget(tab);
      tab.port.postMessage(["again"]);
    },
  };

  /** Said again, a confirmation is late. @param {Subscription} subscription @param {Message} message */
  function place(subscription, { type, at, resync }) {
    const confirms = type === "confirm_subscription";
    if (!confirms || resync || subscription.state === "waiting") subscription.received = parse(at);
    if (confirms) subscription.state = "confirmed";
  }

  /** @param {Tab} tab @param {number} number */
  function remove(tab, number) {
    whose.delete(/** @type {Subscription} */ (tab.subscriptions.get(number)));
    tab.subscriptions.delete(number);
  }

  /** @param {Tab} tab */
  function forget(tab) {
    for (const number of tab.subscriptions.keys()) remove(tab, number);
    connection.changed();
  }

  /** Two pages may be subscribed to the same; to the server these are two. Blanks change nothing in JSON. @param {string} identifier */
  function unique(identifier) {
    const taken = new Set([...whose.keys()].map((subscription) => subscription.identifier));
    while (taken.has(identifier)) identifier += " ";
    return identifier;
  }

  /** @param {Tab} tab @param {[number, string, import("./position.js").Position | null][]} list all that the page wants */
  function want(tab, list) {
    const wanted = new Set(list.map(([number]) => number));
    for (const number of tab.subscriptions.keys()) {
      if (!wanted.has(number)) remove(tab, number);
    }
    for (const [number, identifier, position] of list) {
      if (tab.subscriptions.has(number)) continue;
      const subscription = new Subscription(unique(identifier), position, {});
      tab.subscriptions.set(number, subscription);
      whose.set(subscription, { tab, number });
    }
    connection.changed();
  }

  /** @param {Tab} tab @param {string} kind @param {any} what @param {any} more */
  function receive(tab, kind, what, more) {
    switch (kind) {
      case "hello":
        tabs.add(tab);
        connection ??= new Connection(owner, addresses, more);
        // Free when the page is left, or has crashed.
        navigator.locks.request(what, () => {
          tabs.delete(tab);
          forget(tab);
          tab.port.close();
        });
        if (connection.isOpen) tab.port.postMessage(["open", connection.transport]);
        return;
      case "want":
        return want(tab, what);
      case "send": {
        const subscription = tab.subscriptions.get(more);
        // It has been forgotten in the meantime; another tab's may have the same name.
        if (more && !subscription) return;
        const named = subscription && { identifier: subscription.identifier };
        connection.send(what.map((/** @type {object} */ command) => ({ ...command, ...named })), subscription);
        return;
      }
      case "got":
        tab.behind -= what;
        return;
      case "nudge":
        return connection.nudge();
      case "upgrade":
        return connection.upgrade();
    }
  }

  const lock = `forebay.worker.${crypto.randomUUID()}`;
  const held = new Promise((/** @type {(_: void) => void} */ resolve) => {
    holdLock(lock, new AbortController().signal, resolve);
  });
  scope.onconnect = (/** @type {MessageEvent} */ { ports: [port] }) => {
    const tab = new Tab(port);
    port.onmessage = ({ data }) => receive(tab, data[0], data[1], data[2]);
    held.then(() => port.postMessage(["hello", VERSION, lock]));
  };
}

serve(globalThis);
