// The guides' own programs, crates/forebay/examples, in Chromium with the stock client. What the guides quote is what runs here: a
// test of the crate compares them (crates/forebay/tests/guides.rs).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { useBrowser } from "../support/browser.js";
import { comeBackUntil } from "../support/page_clients.js";
import { builtBinary, serverFor } from "../support/server.js";

/** The stock client as its package has it. */
const TURBO = fileURLToPath(new URL("../node_modules/@hotwired/turbo-rails/app/assets/javascripts/turbo.js", import.meta.url));
const { version } = JSON.parse(readFileSync(new URL("../node_modules/@hotwired/turbo-rails/package.json", import.meta.url), "utf8"));
/** Where the guides' pages load it from. Nothing leaves this machine: the file above is the answer. */
const TURBO_URL = `https://cdn.jsdelivr.net/npm/@hotwired/turbo-rails@${version}/app/assets/javascripts/turbo.js`;
/** Chromium reports every answer of 4xx as an error; these are meant. */
const INVALID = /status of 422/;

const browser = useBrowser();

function guide(t, name) {
  const env = { SECRET_KEY_BASE: "a secret for the guides' tests", PORT: "0" };
  return serverFor(t, { binary: builtBinary(`examples/${name}`), env });
}

/** Opens a page, waits until all its source tags are connected, and marks it, so that {@link assertSamePage} knows it again. */
async function open(t, server, path = "/") {
  const prepare = (page) => page.route(TURBO_URL, (route) => route.fulfill({ path: TURBO, contentType: "text/javascript" }));
  const page = await browser.page(t, { baseURL: server.url, allow: [INVALID], prepare });
  await page.goto(path);
  await page.waitForFunction(() => {
    const sources = [...document.querySelectorAll("turbo-cable-stream-source")];
    return window.Turbo && sources.every((source) => source.hasAttribute("connected"));
  });
  await page.evaluate(() => {
    window.marked = { body: document.body, source: document.querySelector("turbo-cable-stream-source") };
  });
  return page;
}

/** The page is the one that was opened, with the source tag that it had. */
async function assertSamePage(page) {
  const kept = await page.evaluate(() => {
    const { body, source } = window.marked ?? {};
    return body?.isConnected === true && source?.isConnected === true && source.hasAttribute("connected");
  });
  assert.ok(kept, "the page, or its source tag, was replaced");
}

/** Fills the fields of the form that the first of them is in, and submits it. */
async function submit(page, fields) {
  const entries = Object.entries(fields);
  for (const [label, text] of entries) await page.getByLabel(label, { exact: true }).fill(text);
  await page.getByLabel(entries.at(-1)[0], { exact: true }).press("Enter");
}

const texts = (page, selector) => page.locator(selector).evaluateAll((found) => found.map((element) => element.textContent.trim()));

/** Waits until the elements have these texts, and no others. */
async function waitForTexts(page, selector, expected) {
  await page.waitForFunction(
    ([selector, expected]) => {
      const found = [...document.querySelectorAll(selector)].map((element) => element.textContent.trim());
      return JSON.stringify(found) === JSON.stringify(expected);
    },
    [selector, expected],
  );
}

test("five minutes: an empty message leaves the page whole and live", async (t) => {
  const server = await guide(t, "five_minutes");
  const [ada, grace] = [await open(t, server), await open(t, server)];
  await submit(ada, { Message: " " });
  await waitForTexts(ada, "#new_message em", ["Say something."]);
  await assertSamePage(ada);
  assert.deepEqual(await texts(ada, "h1"), ["Lobby"]);

  await submit(grace, { Message: "hello & <b>welcome</b>" });
  await submit(ada, { Message: "hello yourself" });
  for (const page of [ada, grace]) {
    await page.waitForSelector("#message_2");
    await waitForTexts(page, "#messages p", ["hello & <b>welcome</b>", "hello yourself"]);
    await assertSamePage(page);
  }
  await waitForTexts(ada, "#new_message em", []);
  assert.equal(await ada.getByLabel("Message").inputValue(), "");
});

test("five minutes: a server that is asked to end ends, though pages are open", async (t) => {
  const server = await guide(t, "five_minutes");
  await open(t, server);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test("forms: what is wrong is shown in the form's frame, and the page stays", async (t) => {
  const server = await guide(t, "forms");
  const [ada, grace] = [await open(t, server), await open(t, server)];
  await waitForTexts(ada, "#total", ["1 when this page was loaded"]);

  await submit(ada, { "New contact": "" });
  await waitForTexts(ada, "#new_contact em", ["A contact needs a name."]);
  await submit(ada, { "New contact": "Grace" });
  for (const page of [ada, grace]) await waitForTexts(page, "#contacts turbo-frame", ["Ada Edit", "Grace Edit"]);
  await waitForTexts(ada, "#new_contact em", []);

  await ada.locator("#contact_1 a").click();
  await submit(ada, { Name: "" });
  await waitForTexts(ada, "#contact_1 em", ["A contact needs a name."]);
  await submit(ada, { Name: "Ada Lovelace" });
  for (const page of [ada, grace]) {
    await waitForTexts(page, "#contacts turbo-frame", ["Ada Lovelace Edit", "Grace Edit"]);
    await assertSamePage(page);
  }
});

test("counters: pages that are open are sent what changes, and a new one renders it", async (t) => {
  const server = await guide(t, "counters");
  const [ada, grace] = [await open(t, server), await open(t, server)];
  for (const liker of [ada, grace, ada]) {
    const before = Number(await liker.locator("#counter_likes").textContent());
    await liker.getByText("Like").click();
    for (const page of [ada, grace]) await waitForTexts(page, "#counter_likes", [`${before + 1}`]);
  }
  await grace.getByText("Import").click();
  const imported = () => document.querySelector("#import_1").value === 100;
  for (const page of [ada, grace]) {
    await page.waitForFunction(imported);
    await assertSamePage(page);
  }
  const late = await open(t, server);
  assert.deepEqual(await texts(late, "#counter_likes"), ["3"]);
  assert.ok(await late.evaluate(imported));
});

test("dashboard: others' changes morph the page around what is being typed", async (t) => {
  const server = await guide(t, "dashboard");
  const [ada, grace] = [await open(t, server), await open(t, server)];
  await ada.getByLabel("Note").fill("call them");
  await submit(grace, { Customer: "Noether", Euros: "40" });
  for (const page of [ada, grace]) await waitForTexts(page, "h1", ["1 orders, 40 €"]);
  await submit(grace, { Customer: "Hopper", Euros: "2" });
  for (const page of [ada, grace]) await waitForTexts(page, "h1", ["2 orders, 42 €"]);
  assert.equal(await ada.getByLabel("Note").inputValue(), "call them");
  assert.ok(await ada.evaluate(() => document.activeElement.id === "note" && window.marked.body.isConnected));
});

test("channels: the others learn who is typing, and nobody without a name does", async (t) => {
  const server = await guide(t, "channels");
  const [ada, grace] = await Promise.all(["ada", "grace"].map((name) => open(t, server, `/?name=${name}`)));
  for (const [page, name] of [[ada, "ada"], [grace, "grace"]]) {
    await page.waitForSelector("#text:enabled");
    await waitForTexts(page, "#you", [name]);
  }
  await ada.getByLabel("Text").fill("h");
  await waitForTexts(grace, "#typing", ["ada is typing"]);
  await ada.getByLabel("Text").blur();
  await waitForTexts(grace, "#typing", [""]);
  await grace.getByLabel("Text").fill("h");
  await waitForTexts(ada, "#typing", ["grace is typing"]);
  assert.deepEqual(await texts(grace, "#typing"), [""], "nobody is told of themselves");
  await grace.goto("about:blank");
  await waitForTexts(ada, "#typing", [""]);
  const nobody = await open(t, server);
  await waitForTexts(nobody, "#you", ["You may not see who is typing."]);
});

/** Signs in through Turbo, so that the connection stays that of nobody. */
async function signIn(page, name) {
  await submit(page, { Name: name, Password: `${name}'s password` });
  await waitForTexts(page, "h1", [name]);
}

const isLive = (page) =>
  page.evaluate(() => [...document.querySelectorAll("turbo-cable-stream-source")].every((source) => source.hasAttribute("connected")));

test("sign-in: who signs in gets what is for them, without loading the page again, and nobody else does", async (t) => {
  const server = await guide(t, "sign_in");
  const [ada, bob] = [await open(t, server), await open(t, server)];
  await signIn(ada, "ada");
  await signIn(bob, "bob");
  await comeBackUntil([ada, bob], "both to be subscribed", async () => (await isLive(ada)) && (await isLive(bob)));
  await submit(bob, { To: "ada", Text: "for ada" });
  await waitForTexts(ada, "#notes li", ["for ada"]);
  await submit(ada, { To: "bob", Text: "for bob" });
  await waitForTexts(bob, "#notes li", ["for bob"]);
  assert.deepEqual(await texts(ada, "#notes li"), ["for ada"]);
  await ada.getByRole("button", { name: "Sign out" }).click();
  await waitForTexts(ada, "h1", ["Nobody"]);
});

test("presence: both windows show both, and who is typing, and who has gone", async (t) => {
  const server = await guide(t, "presence");
  const [one, two] = [await open(t, server, "/?as=1"), await open(t, server, "/?as=2")];
  for (const page of [one, two]) await waitForTexts(page, "#visitors li", ["Visitor 1", "Visitor 2"]);
  await one.getByRole("button", { name: "I am typing" }).click();
  await waitForTexts(two, "#visitors li", ["Visitor 1 is typing…", "Visitor 2"]);
  await assertSamePage(one);
  await two.close();
  await waitForTexts(one, "#visitors li", ["Visitor 1 is typing…"]);
  await waitForTexts(one, "#visitors_count", ["1"]);
});
