// What tests ask of a page that runs the stock client: its rows, its connection, and every action that it applied.
// All of it only listens; the page has no JavaScript of ours but this.

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{id: string, text: string}} Row */
/** @typedef {{action: string, target: string, targets: string, text: string}} AppliedAction */

const LIST = "#messages";

/** The rows of the list, top to bottom. @param {Page} page @returns {Promise<Row[]>} */
export function rows(page, list = LIST) {
  return page.locator(`${list} > *`).evaluateAll((elements) =>
    elements.map((element) => ({ id: element.id, text: element.textContent.trim() })),
  );
}

/** The rows' texts. @param {Page} page @returns {Promise<string[]>} */
export async function texts(page, list = LIST) {
  return (await rows(page, list)).map(({ text }) => text);
}

/**
 * Waits until the list shows exactly these texts in this order. That it stays so needs a message behind it: send a last one
 * and wait for that, since deliveries come in order.
 *
 * @param {Page} page @param {string[]} expected
 */
export async function waitForRows(page, expected, list = LIST) {
  const shown = ([selector, wanted]) => {
    const found = [...document.querySelectorAll(`${selector} > *`)].map((element) => element.textContent.trim());
    return found.length === wanted.length && found.every((text, i) => text === wanted[i]);
  };
  await page.waitForFunction(shown, [list, expected]).catch(async (error) => {
    const actual = await texts(page, list).catch(() => "(the page is gone)");
    throw new Error(`${error.message}\nexpected rows ${JSON.stringify(expected)}\nactual rows   ${JSON.stringify(actual)}`);
  });
}

/** Waits until the list has a row with this text. @param {Page} page @param {string} text */
export async function waitForRow(page, text, list = LIST) {
  const shown = ([selector, wanted]) =>
    [...document.querySelectorAll(`${selector} > *`)].some((element) => element.textContent.trim() === wanted);
  await page.waitForFunction(shown, [list, text]).catch(async (error) => {
    const actual = await texts(page, list).catch(() => "(the page is gone)");
    throw new Error(`${error.message}\nno row ${JSON.stringify(text)} in ${JSON.stringify(actual)}`);
  });
}

/**
 * Waits until every stream source on the page is subscribed. Not after a morphing refresh: Turbo's morph takes the attribute
 * off sources that stay subscribed, so ask the proxy there.
 *
 * @param {Page} page
 */
export async function waitForConnected(page) {
  await page.waitForFunction(() => {
    const sources = [...document.querySelectorAll("turbo-cable-stream-source")];
    return sources.length > 0 && sources.every((source) => source.hasAttribute("connected"));
  });
}

/** Waits until no stream source on the page is subscribed any more. @param {Page} page */
export const waitForDisconnected = (page) => waitForNone(page, "turbo-cable-stream-source[connected]");

/** Waits until the page has no such element. @param {Page} page @param {string} selector */
export async function waitForNone(page, selector) {
  await page.waitForFunction((selector) => document.querySelector(selector) === null, selector);
}

/** Waits until no visit of Turbo's is under way. @param {Page} page */
export async function waitForRest(page) {
  await page.waitForFunction(() => {
    const { ariaBusy, dataset } = document.documentElement;
    return !ariaBusy && dataset.turboPreview === undefined;
  });
}

/** Waits until our own client uses this transport. @param {Page} page @param {string} transport */
export async function waitForTransport(page, transport) {
  await page.waitForFunction((transport) => window.forebay.transport === transport, transport);
}

/**
 * Comes back to the tab, and to the network, as far as the page can tell: its client then reconnects at once instead of at its
 * next turn.
 *
 * @param {Page} page
 */
export async function comeBack(page) {
  await page.evaluate(() => {
    dispatchEvent(new Event("online"));
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  });
}

/**
 * Before navigating: records every stream action that the page applies, across Turbo visits. Needed beside {@link rows},
 * because Turbo removes a row with the same id before it appends: a doubled delivery leaves no trace in the list.
 *
 * @param {Page} page
 */
export async function recordActions(page) {
  await page.addInitScript(() => {
    window.appliedActions = [];
    addEventListener("turbo:before-stream-render", ({ detail: { newStream } }) => {
      window.appliedActions.push({
        action: newStream.getAttribute("action") ?? "",
        target: newStream.getAttribute("target") ?? "",
        targets: newStream.getAttribute("targets") ?? "",
        text: newStream.querySelector("template")?.content.textContent.trim() ?? "",
      });
    });
  });
}

/** What {@link recordActions} has recorded since the last full page load. @param {Page} page @returns {Promise<AppliedAction[]>} */
export function appliedActions(page) {
  return page.evaluate(() => window.appliedActions);
}

/**
 * Before navigating: counts full page loads and Turbo visits, to show that something appeared without either.
 *
 * @param {Page} page
 * @returns {Promise<{loads: number, visits: number}>} grows; the first load counts 1
 */
export async function countLoads(page) {
  const counts = { loads: 0, visits: 0 };
  page.on("load", () => (counts.loads += 1));
  await page.exposeFunction("countTurboVisit", () => (counts.visits += 1));
  await page.addInitScript(() => addEventListener("turbo:visit", () => window.countTurboVisit()));
  return counts;
}
