// Gives tests their pages: one browser per test file, one fresh context per page, and no error in the page goes unseen.

import { after, before } from "node:test";
import { launchChromium } from "./chromium.js";
import { onEnd } from "./cleanup.js";
import { DEADLINE_MS } from "./deadline.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").BrowserContext} BrowserContext */

/**
 * @typedef {object} PageOptions
 * @property {string} [baseURL] so that `page.goto("/rooms/1")` works
 * @property {RegExp[]} [allow] uncaught errors and console errors that this test expects; anything else fails it
 * @property {BrowserContext} [context] opens another tab of this context instead of a new one
 * @property {(page: Page) => Promise<unknown>} [prepare] runs before the first navigation, e.g. `recordActions`
 */

/**
 * Starts one browser for the test file that calls it (at its top level) and stops it at the end.
 *
 * @param {import("playwright-core").LaunchOptions} [launchOptions]
 * @returns {{page(t: import("node:test").TestContext, options?: PageOptions): Promise<Page>}}
 */
export function useBrowser(launchOptions) {
  /** @type {import("playwright-core").Browser} */
  let browser;
  before(async () => {
    browser = await launchChromium(launchOptions);
  });
  after(() => browser?.close());
  return { page: (t, options) => openPage(browser, t, options) };
}

/**
 * @param {import("playwright-core").Browser} browser
 * @param {import("node:test").TestContext} t
 * @param {PageOptions} [options]
 */
async function openPage(browser, t, { baseURL, allow = [], context, prepare } = {}) {
  const owned = context === undefined;
  context ??= await browser.newContext({ baseURL });
  context.setDefaultTimeout(DEADLINE_MS);
  const page = await context.newPage();
  const errors = watchErrors(page, allow);
  onEnd(t, async () => {
    await (owned ? context.close() : page.close());
    if (errors.length > 0) throw new Error(`the page reported errors:\n${errors.join("\n")}`);
  });
  await prepare?.(page);
  return page;
}

/** Collects what went wrong inside the page; the returned array grows. */
function watchErrors(page, allow) {
  const errors = [];
  const report = (text) => {
    if (!allow.some((pattern) => pattern.test(text))) errors.push(text);
  };
  page.on("pageerror", (error) => report(`uncaught: ${error.stack ?? error}`));
  page.on("crash", () => report("the page crashed"));
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    const { url, lineNumber } = message.location();
    report(`console.error: ${message.text()} (${url}:${lineNumber})`);
  });
  return errors;
}
