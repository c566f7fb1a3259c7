// Who is there, as tests ask for it: a server, pages that make members present, and what these pages show and were told.

import assert from "node:assert/strict";
import { proxyFor } from "./fault_proxy.js";
import { appliedActions, recordActions, waitForConnected } from "./page.js";
import { EXPECTED_ERRORS } from "./page_clients.js";
import { serverFor } from "./server.js";

/** Longer than anything here takes: who is gone after that was not waited for. */
export const NEVER = 600_000;

/** @typedef {import("playwright-core").Page} Page */

export class Place {
  #t;
  #browser;

  constructor(t, browser, server, proxy) {
    this.#t = t;
    this.#browser = browser;
    this.server = server;
    this.proxy = proxy;
  }

  /** A page; `name`: whom it makes present, or nobody. */
  async render(name, { query = {}, baseURL = this.proxy.url, context, prepare, allow = EXPECTED_ERRORS } = {}) {
    const both = async (page) => {
      await recordActions(page);
      await prepare?.(page);
    };
    const page = await this.#browser.page(this.#t, { baseURL: context ? undefined : baseURL, context, prepare: both, allow });
    await page.goto(`${baseURL}${pathOf(name, query)}`);
    return page;
  }

  async open(name, options) {
    const page = await this.render(name, options);
    await waitForConnected(page);
    return page;
  }

  /** Watches from past the proxy, so that nothing happens to it. */
  watch() {
    return this.open(undefined, { baseURL: this.server.url });
  }

  /** The app's own word. */
  async typing(name, typing) {
    const body = new URLSearchParams({ name, typing });
    const { status } = await fetch(`${this.server.url}/here/1/typing`, { method: "POST", body });
    assert.equal(status, 204);
  }

  async stats() {
    return (await fetch(`${this.server.url}/test/stats`)).json();
  }
}

export const pathOf = (name, query = {}) => `/here/1?${new URLSearchParams({ ...(name && { as: name }), ...query })}`;

/** `ttl`, `grace`: how long the server waits for a page that is lost, and for one that was left. */
export function placeFor(t, browser, { ttl = NEVER, grace = NEVER } = {}) {
  return placeWith(t, browser, { FOREBAY_E2E_PRESENCE: `${ttl},${grace}` });
}

/** The same as it is by default, or with other options. */
export async function placeWith(t, browser, env = {}) {
  const server = await serverFor(t, { env });
  return new Place(t, browser, server, await proxyFor(t, server));
}

/** Waits until the page shows these, in the order in which they came. @param {Page} page @param {string[]} expected */
export async function shows(page, expected, timeout = undefined) {
  const shown = (expected) => {
    const names = [...document.querySelectorAll("#visitors > *")].map((element) => element.textContent);
    return names.join() === expected.join() && document.querySelector("#total").textContent === String(names.length);
  };
  await page.waitForFunction(shown, expected, { timeout }).catch(async (error) => {
    const actual = await page.locator("#visitors > *").allTextContents().catch(() => "(the page is gone)");
    throw new Error(`${error.message}\nexpected ${expected}\nactual   ${actual}`);
  });
}

/** What a page was told since it was loaded, but for numbers. @param {Page} page */
export async function told(page) {
  const applied = await appliedActions(page);
  return applied.filter(({ target }) => target !== "total").map(({ action, target, text }) => `${action} ${text || target}`);
}

/** Somebody comes and goes: whatever was to be told before has been told then. */
export async function assertTold(place, page, expected, { others = ["ann"] } = {}) {
  const last = await place.open("last", { baseURL: place.server.url });
  await shows(page, [...others, "last"]);
  assert.deepEqual(await told(page), [...expected, "append last"]);
  await last.close();
}
