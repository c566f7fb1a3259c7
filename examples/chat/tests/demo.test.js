// The demo as its users meet it: two pages beside each other in Chromium, against the real server. See the README's "Tests".

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { useBrowser } from "../../../e2e/support/browser.js";
import { onEnd } from "../../../e2e/support/cleanup.js";
import { appliedActions, recordActions } from "../../../e2e/support/page.js";
import { builtBinary, serverFor } from "../../../e2e/support/server.js";

const BINARY = builtBinary("forebay-chat");
/** Chromium reports every answer of 4xx as an error; these are meant. */
const INVALID = /status of 422/;

const browser = useBrowser();
/** Chromium reports every attempt to connect to a server that isn't there. */
const UNREACHABLE = /WebSocket connection to/;
const startDemo = (t, { port = "0", args = [], env } = {}) => serverFor(t, { binary: BINARY, args: ["--port", port, ...args], env });

/** @typedef {import("playwright-core").Page | import("playwright-core").Frame} View */

/** Opens a page and waits until it is live. */
async function open(t, server, path, options) {
  const page = await browser.page(t, { baseURL: server.url, ...options });
  await page.goto(path);
  await waitForState(page, "live");
  return page;
}

/** Ada's and Grace's pages of the room, in browsers of their own. */
function openTwo(t, server, options) {
  return Promise.all(["ada", "grace"].map((person) => open(t, server, `/rooms/1?as=${person}`, options)));
}

/** @param {View} view @param {"live" | "held" | "offline"} state */
function waitForState(view, state) {
  return view.waitForSelector(`#panel[data-state=${state}]`);
}

/** @param {View} view @returns {Promise<string[]>} */
function messages(view) {
  return view.locator(".message-body").allTextContents();
}

/** Waits until the last messages are these. @param {View} view @param {string[]} expected */
function waitForLast(view, expected) {
  return view.waitForFunction((wanted) => {
    const shown = [...document.querySelectorAll(".message-body")].map((body) => body.textContent).slice(-wanted.length);
    return shown.length === wanted.length && shown.every((text, i) => text === wanted[i]);
  }, expected);
}

/** Sends a message with the keyboard, and waits until the form is ready for the next. @param {View} view */
async function send(view, text) {
  const form = await view.waitForSelector("#message_body");
  await form.fill(text);
  await form.press("Enter");
  await view.waitForFunction((sent) => !sent.isConnected, form);
}

const messageWith = (view, text) => view.locator(".message", { hasText: text });

/** Waits until the panel shows this offset as the last applied. @param {View} view @param {number} offset */
function waitForOffset(view, offset) {
  const shown = (start) => document.querySelector("[data-panel=last]").textContent.startsWith(start);
  return view.waitForFunction(shown, `offset ${offset},`);
}

/** Where the server's log stands: the cursor of a page that is rendered now says it. */
async function serverOffset(server) {
  const html = await (await fetch(`${server.url}/rooms`)).text();
  return Number(/signed-stream-name="[^".]+\.[^".]+\.(\d+)\./.exec(html)[1]);
}

/** As another program would. */
async function postMessage(server, body) {
  const form = new URLSearchParams({ as: "grace", body });
  const { status } = await fetch(`${server.url}/rooms/1/messages`, { method: "POST", body: form, redirect: "manual" });
  assert.equal(status, 303);
}

/** The client tries again when its page is looked at, and otherwise within a dozen seconds. */
function reconnectNow(page) {
  return page.evaluate(() => dispatchEvent(new Event("visibilitychange")));
}

/** Before navigating: what happens at intervals does not, in a frame whose `intervalsStopped` is set. */
async function stoppableIntervals(page) {
  await page.addInitScript(() => {
    const real = window.setInterval.bind(window);
    window.setInterval = (callback, ms) => real(() => window.intervalsStopped || callback(), ms);
  });
}

function temporaryFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), "forebay-chat-"));
  onEnd(t, () => rmSync(folder, { recursive: true }));
  return folder;
}

test("a message appears on both pages, once, and the form is empty and has the focus", async (t) => {
  const server = await startDemo(t);
  const [ada, grace] = await openTwo(t, server, { prepare: recordActions });
  await send(ada, "hello & <b>welcome</b>");
  await send(grace, "hello yourself");

  for (const page of [ada, grace]) {
    await waitForLast(page, ["hello & <b>welcome</b>", "hello yourself"]);
    const appended = (await appliedActions(page)).filter(({ action, target }) => action === "append" && target === "messages");
    assert.equal(appended.length, 2);
  }
  assert.equal(await grace.locator("#message_body").inputValue(), "");
  await grace.waitForFunction(() => document.activeElement.id === "message_body");
});

test("the panel names the offset of the entry that was applied last", async (t) => {
  const server = await startDemo(t);
  const [ada, grace] = await openTwo(t, server);
  const before = await serverOffset(server);
  await send(ada, "which number is this?");
  await waitForLast(grace, ["which number is this?"]);

  const now = await serverOffset(server);
  assert.ok(now > before);
  await waitForOffset(grace, now);
});

test("a message is edited in its frame: cancelled, refused when blank, saved for everybody", async (t) => {
  const server = await startDemo(t);
  const [ada, grace] = await openTwo(t, server, { allow: [INVALID] });
  await send(ada, "a mistkae");
  await waitForLast(grace, ["a mistkae"]);
  const message = messageWith(ada, "a mistkae");
  const field = ada.getByLabel("Edit the message");

  await message.getByRole("link", { name: "Edit" }).click();
  await field.fill("something else");
  await ada.getByRole("link", { name: "Cancel" }).click();
  await message.locator(".message-body").waitFor();

  await message.getByRole("link", { name: "Edit" }).click();
  await field.fill("  ");
  await field.press("Enter");
  await ada.getByText("Write something first.").waitFor();
  await field.fill("a mistake");
  await field.press("Enter");

  for (const page of [ada, grace]) {
    await waitForLast(page, ["a mistake"]);
    await messageWith(page, "a mistake").getByText("edited").waitFor();
  }
  assert.equal(await ada.locator(".message-edit").count(), 0);
});

test("a deleted message is gone from both pages", async (t) => {
  const server = await startDemo(t);
  const [ada, grace] = await openTwo(t, server);
  await send(ada, "not for long");
  await waitForLast(grace, ["not for long"]);
  await messageWith(grace, "not for long").getByRole("button", { name: "Delete" }).click();

  for (const page of [ada, grace]) await messageWith(page, "not for long").waitFor({ state: "detached" });
  assert.deepEqual(await messages(ada), await messages(grace));
});

test("a blank message is answered in the form, and the next one clears the error", async (t) => {
  const server = await startDemo(t);
  const page = await open(t, server, "/rooms/1?as=ada", { allow: [INVALID] });
  await page.locator("#message_body").fill("   ");
  await page.locator("#message_body").press("Enter");
  const error = page.getByText("Write something first.");
  await error.waitFor();
  assert.equal(await page.locator("#message_body").getAttribute("aria-invalid"), "true");

  await send(page, "something");
  await waitForLast(page, ["something"]);
  assert.equal(await error.count(), 0);
});

test("the lazy frame loads when it is seen, and is live from then on", async (t) => {
  const server = await startDemo(t);
  const [ada, grace] = await openTwo(t, server);
  const count = ada.locator("#statistics_1 dd").first();
  await count.waitFor();
  const before = Number(await count.textContent());
  await waitForState(ada, "live");
  await send(grace, "one more");

  await ada.waitForFunction((n) => document.querySelector("#statistics_1 dd").textContent === String(n), before + 1);
});

test("a room appears in every list, and its messages are counted there", async (t) => {
  const server = await startDemo(t);
  const allow = [INVALID];
  const [one, other] = await Promise.all([open(t, server, "/rooms", { allow }), open(t, server, "/rooms")]);
  await one.getByRole("button", { name: "Create room" }).click();
  await one.getByText("A room needs a name.").waitFor();
  await one.getByLabel("Name of the new room").fill("Spillway");
  await one.getByRole("button", { name: "Create room" }).click();
  const row = other.locator(".room-row", { hasText: "Spillway" });
  await row.getByText("0 messages").waitFor();
  await one.getByText("A room needs a name.").waitFor({ state: "detached" });

  await one.getByRole("link", { name: "Spillway", exact: false }).first().click();
  await waitForState(one, "live");
  await one.getByText("It’s quiet in here.").waitFor();
  await send(one, "first");
  await row.getByText("1 message", { exact: true }).waitFor();
  await one.getByText("It’s quiet in here.").waitFor({ state: "hidden" });
});

test("the board morphs on other pages and leaves alone what is being typed", async (t) => {
  const server = await startDemo(t);
  const [one, other] = await Promise.all([open(t, server, "/board"), open(t, server, "/board")]);
  await other.getByLabel("Title of the new card").fill("half a thou");
  // A node that a morph keeps, and a page load would not.
  await other.evaluate(() => (document.querySelector("#column_done").isTheSame = true));

  await one.getByLabel("Title of the new card").fill("Grease the gate");
  await one.getByRole("button", { name: "Add card" }).click();
  await other.locator("#column_todo").getByText("Grease the gate", { exact: true }).waitFor();
  await one.waitForFunction(() => document.querySelector("#card_title").value === "");

  const moves = one.locator(".card", { hasText: "Grease the gate" });
  await moves.getByRole("button", { name: /to Done/ }).click();
  await other.locator("#column_done").getByText("Grease the gate", { exact: true }).waitFor();
  await one.locator("#column_done").locator(".card", { hasText: "Grease the gate" }).getByRole("button", { name: /Delete/ }).click();
  await other.locator(".card", { hasText: "Grease the gate" }).waitFor({ state: "detached" });

  assert.equal(await other.getByLabel("Title of the new card").inputValue(), "half a thou");
  assert.ok(await other.evaluate(() => document.querySelector("#column_done").isTheSame));
  await waitForState(other, "live");
});

test("a card without a title is refused", async (t) => {
  const server = await startDemo(t);
  const page = await open(t, server, "/board", { allow: [INVALID] });
  await page.getByRole("button", { name: "Add card" }).click();
  await page.getByText("A card needs a title.").waitFor();
  await waitForState(page, "live");
});

test("side by side: what is written while a page is held back arrives afterwards, all of it, in order", async (t) => {
  const server = await startDemo(t);
  const prepare = async (page) => {
    await recordActions(page);
    await stoppableIntervals(page);
  };
  const page = await browser.page(t, { baseURL: server.url, prepare });
  await page.goto("/side-by-side/1");
  const [ada, grace] = await Promise.all(
    ["Ada", "Grace"].map(async (name) => (await page.waitForSelector(`iframe[title$=${name}]`)).contentFrame()),
  );
  await Promise.all([ada, grace].map((frame) => waitForState(frame, "live")));
  await send(ada, "before");
  await waitForLast(grace, ["before"]);

  // Its five seconds are over when we say so, however long the writing takes.
  await grace.evaluate(() => (window.intervalsStopped = true));
  await grace.getByRole("button", { name: "Hold" }).click();
  await waitForState(grace, "held");
  const written = ["one", "two", "three"];
  for (const text of written) await send(ada, text);
  await waitForLast(ada, written);
  const held = await grace.evaluate(() => ({
    state: document.querySelector("#panel").dataset.state,
    last: [...document.querySelectorAll(".message-body")].at(-1).textContent,
  }));
  assert.deepEqual(held, { state: "held", last: "before" });

  await grace.evaluate(() => (window.intervalsStopped = false));
  await waitForLast(grace, ["before", ...written]);
  await waitForState(grace, "live");
  assert.deepEqual(await messages(grace), await messages(ada));
  const appended = (await appliedActions(grace)).filter(({ action, target }) => action === "append" && target === "messages");
  assert.equal(appended.length, 4, "each once");
  const now = await serverOffset(server);
  for (const frame of [ada, grace]) await waitForOffset(frame, now);
});

test("every page fits a phone, and the panel opens there", async (t) => {
  const server = await startDemo(t);
  const page = await browser.page(t, { baseURL: server.url });
  await page.setViewportSize({ width: 360, height: 740 });
  for (const path of ["/rooms", "/rooms/1?as=ada", "/board", "/side-by-side/1", "/messages/1/edit"]) {
    await page.goto(path);
    const { width, scrolled } = await page.evaluate(() => ({ width: innerWidth, scrolled: document.documentElement.scrollWidth }));
    assert.equal(scrolled, width, path);
  }
  await page.goto("/rooms/1?as=ada");
  await waitForState(page, "live");
  await send(page, "from a phone");
  await waitForLast(page, ["from a phone"]);
  await page.locator("[data-panel=toggle]").click();
  await page.locator("[data-panel=last]").waitFor();
  assert.ok(await page.locator("#message_body").isVisible());
  for (const control of ["#message_body", "[data-panel=hold]"]) {
    const { y, height } = await page.locator(control).boundingBox();
    assert.ok(y + height <= 740, `${control} is in sight`);
  }
});

test("ended by a signal, the server says goodbye, and pages say that they are offline", async (t) => {
  const server = await startDemo(t);
  const page = await open(t, server, "/rooms/1", { allow: [UNREACHABLE] });
  assert.deepEqual(await server.stop("SIGINT"), { code: 0, signal: null });
  await waitForState(page, "offline");
});

test("after a restart on the same database a page comes back by itself, and has what it missed", async (t) => {
  const options = { args: ["--database", join(temporaryFolder(t), "chat.sqlite3")], env: { SECRET_KEY_BASE: "the same, before and after" } };
  const first = await startDemo(t, options);
  const page = await open(t, first, "/rooms/1?as=ada", { allow: [UNREACHABLE] });
  await send(page, "before");
  await first.stop();
  await waitForState(page, "offline");

  const second = await startDemo(t, { ...options, port: new URL(first.url).port });
  await postMessage(second, "while nobody listened");
  await reconnectNow(page);
  await waitForLast(page, ["before", "while nobody listened"]);
  await waitForState(page, "live");
  await postMessage(second, "after");
  // Delivered, or in the page that a second tag's refresh has loaded meanwhile: once either way.
  await waitForLast(page, ["before", "while nobody listened", "after"]);
});

test("a page that the server no longer knows says so", async (t) => {
  const first = await startDemo(t);
  const page = await open(t, first, "/rooms/1", { allow: [UNREACHABLE] });
  await first.stop();
  await waitForState(page, "offline");
  await startDemo(t, { port: new URL(first.url).port });
  await reconnectNow(page);
  await waitForState(page, "refused");
  await page.reload();
  await waitForState(page, "live");
});

test("a taken port is named, with the option that chooses another", async (t) => {
  const server = await startDemo(t);
  const { port } = new URL(server.url);
  const second = spawn(BINARY, ["--port", port], { stdio: ["ignore", "ignore", "pipe"] });
  let error = "";
  second.stderr.on("data", (text) => (error += text));
  const [code] = await once(second, "close");
  assert.equal(code, 1);
  assert.match(error, new RegExp(`port ${port} is taken: choose another with --port`));
});

test("the tunnel: offline for a while and over another transport, Forebay's pane misses nothing and Action Cable's does", async (t) => {
  const server = await startDemo(t);
  const allow = [/net::ERR_|WebSocket connection to|Failed to load resource/];
  const page = await browser.page(t, { baseURL: server.url, allow });
  await page.goto("/tunnel");
  const side = (client) => page.frames().find((frame) => frame.url().endsWith(`client=${client}`));
  const isShown = (client, number) => side(client).waitForSelector(`[data-number="${number}"]`, { state: "attached" });
  const published = () => page.evaluate(() => Number(document.getElementById("published").value));
  /** Ten more, or what is left of the minute: gives the number of the last. */
  const more = async () => {
    const last = Math.min(300, (await published()) + 10);
    await page.waitForFunction((last) => Number(document.getElementById("published").value) >= last, last);
    return last;
  };
  const counts = (client, name, pattern) =>
    page.locator(`[data-client=${client}] [data-count=${name}]`, { hasText: pattern }).waitFor();
  /** The line is so when the server says that it is. */
  const make = async (fault) => {
    const answered = page.waitForResponse((response) => response.url().endsWith(`/tunnel/fault/${fault}`));
    await page.click(`[data-fault=${fault}]`);
    await answered;
  };
  await page.click("[data-start]");
  await isShown("forebay", 5);
  await make("offline");
  const away = await more();
  await make("heal");
  await isShown("forebay", away);
  await make("no-websockets");
  await counts("forebay", "transport", /^(events|poll)$/);
  const last = await more();
  await isShown("forebay", last);
  await counts("plain", "missing", /^[1-9]/);
  // A number counts as missing when it is late, and no longer when it has come.
  await counts("forebay", "missing", /^0$/);
  await counts("forebay", "doubled", /^0$/);
  await counts("forebay", "misordered", /^0$/);
  const rows = await side("forebay").locator("[data-number]").evaluateAll((rows) => rows.map(({ dataset }) => Number(dataset.number)));
  assert.deepEqual(rows.slice(0, last), Array.from({ length: last }, (_, index) => index + 1));
});

/** Waits until the room shows so many, of whom these type. @param {View} view @param {[number, string[]]} expected */
function waitForVisitors(view, expected) {
  return view.waitForFunction((expected) => {
    const typing = [...document.querySelectorAll("#visitors .is-typing")].map((visitor) => visitor.dataset.author);
    return JSON.stringify([document.querySelectorAll("#visitors .visitor").length, typing]) === JSON.stringify(expected);
  }, expected);
}

test("a room shows who is in it and who types, and whoever opens it twice is one", async (t) => {
  const server = await startDemo(t);
  const [ada, grace] = await openTwo(t, server);
  await waitForVisitors(ada, [2, []]);
  await ada.locator("#message_body").pressSequentially("h");
  await waitForVisitors(grace, [2, ["ada"]]);
  await ada.locator("#message_body").press("Enter");
  await waitForVisitors(grace, [2, []]);
  const second = await open(t, server, "/rooms/1?as=ada");
  await waitForVisitors(second, [2, []]);
  await second.close();
  await grace.close();
  await waitForVisitors(ada, [1, []]);
});

test("the board shows who looks at which card, and who is typing", async (t) => {
  const server = await startDemo(t);
  const [ada, grace] = await Promise.all(["ada", "grace"].map((person) => open(t, server, `/board?as=${person}`)));
  const shows = (place, expected) =>
    grace.waitForFunction(
      ([place, expected]) => [...document.querySelectorAll(`${place} > .visitor`)].map(({ id }) => id).sort().join() === expected,
      [place, expected],
    );
  await shows("#watchers", "watcher_ada,watcher_grace");
  const card = ada.locator(".card").first();
  const place = `#${await card.getAttribute("id")}_watchers`;
  await card.hover();
  await shows(place, "watcher_ada");
  await shows("#watchers", "watcher_grace");
  await ada.getByLabel("Title of the new card").pressSequentially("x");
  await grace.waitForSelector("#watchers > #watcher_ada.is-typing");
  // All pages are rendered again, and morph.
  await ada.getByRole("button", { name: "Add card" }).click();
  await grace.waitForFunction(() => document.querySelector(".is-typing") === null);
  await shows("#watchers", "watcher_ada,watcher_grace");
});
