// What every scenario begins with: one room of a running fixture app, and viewers whose connections go through a fault proxy.

import assert from "node:assert/strict";
import { isConfirm, isDelivery, isSubscribe, isUnsubscribe } from "./cable.js";
import { proxyFor } from "./fault_proxy.js";
import { Fixture } from "./fixture.js";
import { appliedActions, countLoads, recordActions, texts, waitForConnected, waitForRow } from "./page.js";
import { serverFor } from "./server.js";

/** The text of the message behind which nothing more can come, because deliveries come in order. */
export const LAST = "the last message";

const ID = 1;

/** @typedef {Record<string, string | number>} Query how the page is asked for, see e2e/app/src/pages.rs */

/**
 * @typedef {object} Expected
 * @property {string[]} rows the list's texts, top to bottom
 * @property {string[]} applied every stream action in order of application: `append one`, `remove message_1`, `refresh`
 * @property {number} [visits] Turbo visits: reloads by refresh. Default 0
 */

/**
 * @param {import("node:test").TestContext} t
 * @param {ReturnType<typeof import("./browser.js").useBrowser>} browser
 * @param {{env?: Record<string, string>, query?: Query}} [options] `query` goes into the URL of every page
 */
export async function roomFor(t, browser, { env, query = {} } = {}) {
  const server = await serverFor(t, { env });
  const proxy = await proxyFor(t, server);
  return new Room(t, browser, { server, proxy, query });
}

export class Room {
  id = ID;
  #t;
  #browser;
  #query;

  constructor(t, browser, { server, proxy, query }) {
    this.#t = t;
    this.#browser = browser;
    this.#query = query;
    this.server = server;
    this.proxy = proxy;
    this.fixture = new Fixture(this);
  }

  /** Where the server is now. */
  get url() {
    return this.server.url;
  }

  /** Goes on with another server, for whoever connects from now on. @param {import("./server.js").Server} server */
  moveTo(server) {
    this.server = server;
    this.proxy.retarget(server.url);
  }

  /**
   * Asks for the page and doesn't wait for it.
   *
   * @param {Query} [query]
   * @param {{allow?: RegExp[], baseURL?: string, prepare?: (page: import("playwright-core").Page) => Promise<unknown>, id?: number}} [options]
   *   `id`: of another room
   */
  async begin(query = {}, { allow, baseURL = this.proxy.url, prepare, id = ID } = {}) {
    const page = await this.#browser.page(this.#t, { baseURL, allow, prepare: recordActions });
    const loads = await countLoads(page);
    await prepare?.(page);
    const search = new URLSearchParams(/** @type {any} */ ({ ...query, ...this.#query }));
    return new Viewer(page, loads, page.goto(`rooms/${id}?${search}`));
  }

  /** A viewer whose page is rendered and need not be subscribed yet. @param {Parameters<Room["begin"]>} how */
  async render(...how) {
    const viewer = await this.begin(...how);
    await viewer.loaded;
    return viewer;
  }

  /** A viewer that is live. @param {Parameters<Room["begin"]>} how */
  async open(...how) {
    const viewer = await this.render(...how);
    await waitForConnected(viewer.page);
    return viewer;
  }

  /** Somebody else creates messages, one after the other. @param {string[]} bodies */
  async create(...bodies) {
    await this.fixture.createMessages(ID, bodies);
  }

  /** Broadcasts HTML to a stream of the room, see {@link Fixture.broadcast}. */
  async broadcast(html, stream) {
    return this.fixture.broadcast(ID, html, stream);
  }

  /**
   * Creates a last message. When it is there, compares all that the viewers show and have done with what is expected.
   *
   * @param {Viewer | Viewer[]} viewers
   * @param {Expected} expected without the last message
   */
  async assertShown(viewers, { rows, applied, visits = 0 }) {
    await this.create(LAST);
    const expected = { rows: [...rows, LAST], applied: [...applied, `append ${LAST}`], loads: 1, visits };
    for (const viewer of [viewers].flat()) {
      await waitForRow(viewer.page, LAST);
      assert.deepEqual(await viewer.state(), expected);
    }
    this.assertOrderOnTheWire();
  }

  /**
   * Per connection and identifier: a confirmation comes first, and offsets only go up. A tag that has left and comes back may be
   * given again what was on its way.
   */
  assertOrderOnTheWire() {
    /** @type {Map<string, number>} */
    const offsets = new Map();
    /** @type {Map<string, boolean[]>} subscriptions that are not confirmed yet, and whether each comes after an unsubscription */
    const asked = new Map();
    const left = new Set();
    for (const message of this.proxy.messages.all) {
      // AnyCable's restored subscriptions are confirmed by their welcome.
      const restored = message.direction === "down" ? (message.json?.restored_ids ?? []) : [];
      for (const identifier of restored) offsets.set(`${message.connection} ${identifier}`, -1);
      const key = `${message.connection} ${message.json?.identifier}`;
      if (isUnsubscribe(message)) left.add(key);
      if (isSubscribe(message)) asked.set(key, [...(asked.get(key) ?? []), left.delete(key)]);
      if (isConfirm(message)) {
        const waiting = asked.get(key) ?? [];
        const comesBack = waiting.shift();
        // One confirmation may answer several that came without leaving in between.
        while (waiting[0] === false) waiting.shift();
        if (comesBack || !offsets.has(key)) offsets.set(key, -1);
      }
      if (!isDelivery(message)) continue;
      assert.ok(offsets.has(key), `delivered before it was confirmed: ${message}`);
      const { offset } = message.json;
      if (offset === undefined) continue; // a resync, or a subscription without a cursor
      assert.ok(offset > offsets.get(key), `not after offset ${offsets.get(key)}: ${message}`);
      offsets.set(key, offset);
    }
  }

  /** Offsets of the entries that were delivered, in order. @param {(m: any) => unknown} [match] */
  deliveredOffsets(match = () => true) {
    const delivered = this.proxy.messages.filter((m) => isDelivery(m) && match(m));
    return delivered.map(({ json }) => json.offset).filter((offset) => offset !== undefined);
  }

  /** Identifiers that are subscribed, as the server must see it by now. */
  subscribed() {
    const open = new Set();
    for (const message of this.proxy.messages.all) {
      if (isSubscribe(message)) open.add(message.json.identifier);
      if (isUnsubscribe(message)) open.delete(message.json.identifier);
    }
    return [...open];
  }
}

/** One page, watched. */
export class Viewer {
  /** Resolves when the page has loaded. */
  loaded;
  #loads;

  constructor(page, loads, loaded) {
    this.page = page;
    this.loaded = loaded;
    this.#loads = loads;
    loaded.catch(() => {}); // whoever waits for it hears of it
  }

  async connected() {
    await waitForConnected(this.page);
  }

  /** Waits for a row. @param {string} text */
  async shows(text) {
    await waitForRow(this.page, text);
  }

  /** Everything that {@link Expected} compares. */
  async state() {
    const applied = (await appliedActions(this.page)).map(describe);
    return { rows: await texts(this.page), applied, ...this.#loads };
  }
}

/** @param {import("./page.js").AppliedAction} action */
function describe({ action, target, targets, text }) {
  return [action, text || target || targets].filter(Boolean).join(" ");
}
