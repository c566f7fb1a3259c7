// The clients that a page can have, behind one interface, so that they go through the same scenarios; and what a page must
// show in the end, whichever it has.

import assert from "node:assert/strict";
import { appends } from "../scenarios/scenario.js";
import { cable } from "./cable.js";
import { eventually } from "./deadline.js";
import { comeBack, rows as rowsOf, texts } from "./page.js";
import { LAST } from "./room.js";

/** @typedef {import("playwright-core").Page} Page */

/**
 * @typedef {object} PageClient
 * @property {string} name
 * @property {Record<string, string>} query how its page is asked for
 * @property {(page: Page) => Promise<unknown>} [prepare] before the first navigation
 * @property {boolean} once whether it applies each entry once, however its connection ended; the stock client is given again
 *   what it could not prove to have
 * @property {import("./faults.js").HeadPredicate} connection what carries its entries
 * @property {() => boolean} isLive whether it believes to be subscribed, asked in the page
 */

/** Has forebay.js begin with one transport, as if it had found out before that the others don't pass. */
const beginWith = (name) => (page) =>
  page.addInitScript((name) => localStorage.setItem("forebay.transport", `${name} ${Date.now()}`), name);

const hasConnectedTags = () => {
  const tags = [...document.querySelectorAll("turbo-cable-stream-source")];
  return tags.length > 0 && tags.every((tag) => tag.hasAttribute("connected"));
};

const forebayOver = (transport) => ({
  name: `forebay.js over ${transport}`,
  query: { script: "forebay" },
  prepare: transport === "websocket" ? undefined : beginWith(transport),
  once: true,
  connection: transport === "websocket" ? cable : () => true,
  isLive: hasConnectedTags,
});

/** @type {Record<string, PageClient>} */
export const PAGE_CLIENTS = {
  stock: { name: "turbo-rails", query: {}, once: false, connection: cable, isLive: hasConnectedTags },
  anycable: {
    name: "@anycable/web",
    query: { script: "anycable_ext" },
    once: true,
    connection: cable,
    // Its tags stay `connected` while it tries to restore its session.
    isLive: () => window.cable?.state === "connected" && document.querySelector("turbo-cable-stream-source")?.hasAttribute("connected"),
  },
  websocket: forebayOver("websocket"),
  events: forebayOver("events"),
  poll: forebayOver("poll"),
  source: {
    name: "EventSource",
    query: { source: "events" },
    once: true,
    connection: () => true,
    isLive: () => document.querySelector("turbo-stream-source")?.streamSource?.readyState === EventSource.OPEN,
  },
};

/** Before navigating: the browser is this visitor's. @param {string} name @param {{url: string}} proxy */
export const visitor = (name, { url }) => (/** @type {Page} */ page) =>
  page.context().addCookies([{ name: "visitor", value: name, url }]);

/** Requests that fail are part of these scenarios, and Chromium reports each as an error; AnyCable's client reports rejections. */
export const EXPECTED_ERRORS = [
  /AbortError/,
  /net::ERR_|WebSocket connection to|Failed to load resource|responded with a status|EventSource/,
  /failed to subscribe/,
];

/**
 * A live viewer with this client.
 *
 * @param {import("./room.js").Room} room @param {PageClient} client
 * @param {{prepare?: (page: Page) => Promise<unknown>, query?: Record<string, string>, context?: import("playwright-core").BrowserContext,
 *   baseURL?: string}} [options]
 */
export async function openWith(room, client, options) {
  const viewer = await renderWith(room, client, options);
  await viewer.page.waitForFunction(client.isLive);
  return viewer;
}

/** Waits until the page knows that it isn't live. @param {PageClient} client @param {Page} page */
export async function waitForAway({ isLive }, page) {
  await page.waitForFunction(`!(${isLive})()`);
}

/** The same, not live yet. @param {Parameters<typeof openWith>} how */
export async function renderWith(room, client, { prepare, query = {}, ...options } = {}) {
  const both = async (page) => {
    await client.prepare?.(page);
    await prepare?.(page);
  };
  return room.render({ ...client.query, ...query }, { allow: EXPECTED_ERRORS, ...options, prepare: both });
}

/**
 * Comes back to the tab again and again, as people do, until this is so. A client that is just trying to connect, in vain, may not
 * listen, and some then wait for long; none can be asked all the time.
 *
 * @param {Page[]} pages @param {string} what ends the sentence "timed out waiting for …" @param {() => Promise<boolean>} ask
 */
export async function comeBackUntil(pages, what, ask) {
  await eventually(what, async () => {
    for (const page of pages) await comeBack(page);
    const patience = Date.now() + 1_000;
    do if (await ask()) return true;
    while (Date.now() < patience);
    return false;
  });
}

/** The same, until it shows this. @param {import("./room.js").Viewer} viewer @param {string} text */
export async function catchUp({ page }, text) {
  await comeBackUntil([page], `the page to show ${text}`, async () => (await texts(page)).includes(text));
}

/**
 * Behind a last message: each page shows what somebody sees who opens it now, has applied each entry, in order and once (or, with
 * the stock client, some of them again), and was not loaded again for it.
 *
 * @param {import("./room.js").Room} room @param {PageClient} client @param {import("./room.js").Viewer | import("./room.js").Viewer[]} viewers
 * @param {{bodies: string[]}} expected of the messages that were created since they were rendered
 */
export async function assertConverged(room, client, viewers, { bodies }) {
  await room.create(LAST);
  const pages = [viewers].flat();
  for (const viewer of pages) await viewer.shows(LAST);
  const fresh = await room.render();
  const wanted = await rowsOf(fresh.page);
  for (const viewer of pages) {
    assert.deepEqual(await rowsOf(viewer.page), wanted);
    const { applied, loads, visits } = await viewer.state();
    assert.deepEqual({ loads, visits }, { loads: 1, visits: 0 });
    assert.deepEqual(client.once ? applied : [...new Set(applied)], appends([...bodies, LAST]));
  }
  room.assertOrderOnTheWire();
}
