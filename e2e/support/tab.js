// A tab that is hidden or frozen, as far as its page can tell.

/** @typedef {import("playwright-core").Page} Page */

/**
 * Before navigating: lets {@link stopFrames} and {@link hide} work. Headless Chromium hides no tab; what a page sees of it is its
 * visibility, and that it gets no animation frames.
 *
 * @param {Page} page
 */
export async function hideable(page) {
  await page.addInitScript(() => {
    const real = window.requestAnimationFrame.bind(window);
    const waiting = [];
    window.frames_ = { stopped: false, waiting };
    window.requestAnimationFrame = (callback) =>
      real((time) => (window.frames_.stopped ? waiting.push(callback) : callback(time)));
    window.setHidden = (hidden) => {
      window.frames_.stopped = hidden;
      if (hidden) {
        Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
        Object.defineProperty(document, "hidden", { value: true, configurable: true });
      } else {
        delete document.visibilityState;
        delete document.hidden;
      }
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
      if (!hidden) for (const callback of waiting.splice(0)) real(callback);
    };
  });
}

/** No repaint from now on: the moment just before a tab is hidden. @param {Page} page */
export const stopFrames = (page) => page.evaluate(() => void (window.frames_.stopped = true));

/** Waits until so many ask for a repaint, in vain. @param {Page} page @param {number} count */
export const waitForFrameRequests = (page, count) =>
  page.waitForFunction((count) => window.frames_.waiting.length >= count, count, { polling: 20 });

/** @param {Page} page */
export const hide = (page) => page.evaluate(() => window.setHidden(true));

/** @param {Page} page */
export const show = (page) => page.evaluate(() => window.setHidden(false));

/**
 * Stops the page from running, as browsers do with tabs that were hidden for long.
 *
 * @param {Page} page @returns {Promise<{thaw(): Promise<void>}>}
 */
export async function freeze(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  return { thaw: async () => void (await session.send("Page.setWebLifecycleState", { state: "active" })) };
}
