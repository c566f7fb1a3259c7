// The table of crates/forebay-test, through the real Turbo: what a page shows in Chromium is what forebay-test says that it shows.
// The crate's own test runs the same table (crates/forebay-test/tests/turbo_cases.rs).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { useBrowser } from "../support/browser.js";

/** @typedef {{name: string, page: string, messages: string[], expected: string, after?: string, errors?: string[], custom?: object[], refreshes?: number}} Case */

/** @type {Case[]} */
const CASES = JSON.parse(readFileSync(new URL("../../crates/forebay-test/tests/turbo_cases.json", import.meta.url), "utf8"));
const TURBO = fileURLToPath(new URL("../node_modules/@hotwired/turbo/dist/turbo.es2017-umd.js", import.meta.url));
const URL_OF_PAGE = "http://cases.test/";
/** A stream waits for one frame, and one that it brings for another. */
const FRAMES_MAX = 100;

const browser = useBrowser();

/** Runs in the page: applies each case's messages to its HTML, and says what became of it. */
async function runAll([cases, framesMax]) {
  const { Turbo } = window;
  let seen;
  console.error = (error) => seen.errors.push(error?.message ?? String(error));
  Turbo.session.refresh = () => (seen.refreshes += 1);
  Turbo.StreamActions.notify = function () {
    const attributes = Object.fromEntries([...this.attributes].map(({ name, value }) => [name, value]));
    const template = this.querySelector("template")?.innerHTML ?? null;
    seen.custom.push({ attributes, template });
  };
  const results = [];
  for (const { name, page, messages } of cases) {
    seen = { name, errors: [], custom: [], refreshes: 0 };
    document.body.innerHTML = page;
    for (const message of messages) {
      try {
        Turbo.renderStreamMessage(message);
      } catch (error) {
        seen.errors.push(error.message);
      }
      for (let frames = 0; document.querySelector("turbo-stream") && frames < framesMax; frames += 1) {
        await new Promise(requestAnimationFrame);
      }
    }
    const after = [];
    while (document.body.nextSibling) {
      const node = document.body.nextSibling;
      after.push(node.outerHTML ?? node.data);
      node.remove();
    }
    results.push({ ...seen, expected: document.body.innerHTML, after: after.join("") });
  }
  return results;
}

test("Turbo gives the results of the table", async (t) => {
  const page = await browser.page(t);
  const html = '<!doctype html><html><head><link rel="icon" href="data:,"></head><body></body></html>';
  await page.route(URL_OF_PAGE, (route) => route.fulfill({ contentType: "text/html", body: html }));
  await page.goto(URL_OF_PAGE);
  await page.addScriptTag({ path: TURBO });
  const results = await page.evaluate(runAll, [CASES, FRAMES_MAX]);
  for (const [i, { name, expected, after = "", errors = [], custom = [], refreshes = 0 }] of CASES.entries()) {
    assert.deepEqual(results[i], { name, expected, after, errors, custom, refreshes });
  }
  assert.ok(CASES.length >= 60, "the table has been read");
});
