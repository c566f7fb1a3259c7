// The inspector at /forebay/inspect: live, under load, with a keyboard, on a phone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { eventually } from "../support/deadline.js";
import { roomFor } from "../support/room.js";

const browser = useBrowser();

/** Past the proxy: the inspector answers to this machine alone. */
async function inspectorOf(t, room, search = "", options = {}) {
  const page = await browser.page(t, { baseURL: room.url, ...options });
  await page.goto(`/forebay/inspect${search}`);
  return page;
}

const newest = (page) => page.locator(".rows li").first();

test("a broadcast appears by itself, and leads to its way, to its page, and to that page's life", async (t) => {
  const room = await roomFor(t, browser);
  await room.open();
  const page = await inspectorOf(t, room);
  await page.locator(".none").waitFor();
  await room.create("one");
  await newest(page).waitFor();
  assert.match(await newest(page).innerText(), /append → messages\s+gid:\/\/chat\/Room\/1:messages\s+1 reader\s+published/);

  await newest(page).locator("a").click();
  await page.locator(".way").waitFor();
  assert.deepEqual(await page.locator(".way li.done span").allInnerTexts(), ["asked for", "rendered", "committed", "published"]);
  const asked = page.locator(".asked li");
  await asked.waitFor();
  await asked.locator("a").click();
  await page.locator(".way li").nth(8).waitFor();
  assert.match(await page.locator(".answer").innerText(), /\.$/);

  await page.locator("p.quiet a").first().click();
  await page.locator(".life").waitFor();
  assert.match(await page.locator(".tags li").innerText(), /gid:\/\/chat\/Room\/1:messages[\s\S]*live/);
  assert.equal(await page.locator(".life rect").count(), 1);
});

test("a name that nobody reads stands beside the one that was meant", async (t) => {
  const room = await roomFor(t, browser);
  await room.open();
  const page = await inspectorOf(t, room);
  await room.broadcast('<turbo-stream action="remove" target="x"></turbo-stream>', "message");
  await page.locator(".rows li .said").waitFor();
  assert.match(await newest(page).innerText(), /Nobody reads this name. Pages read gid:\/\/chat\/Room\/1:messages/);

  await page.locator("input[type=checkbox]").check();
  await page.waitForURL(/only=troubles/);
  await newest(page).waitFor();
  assert.equal(await page.locator(".rows li").count(), 1);
  await room.create("one");
  await page.locator("nav a", { hasText: "Streams" }).click();
  await page.locator(".rows li").nth(1).waitFor();
});

test("hundreds of broadcasts a second: the view stays live, and no page misses one", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await room.open();
  const page = await inspectorOf(t, room);
  await room.fixture.flood(room.id, { count: 900 });
  await room.create("the last one");
  await viewer.shows("the last one");
  assert.equal((await viewer.state()).rows.length, 901);
  await page.locator(".turn [rel=next]").waitFor();
  const last = Number(new URL(await newest(page).locator("a").evaluate((link) => link.href)).searchParams.get("id"));
  await eventually("the last broadcast to be the first row", async () => {
    const href = await newest(page).locator("a").getAttribute("href");
    return Number(new URLSearchParams(href).get("id")) >= Math.max(last, 900);
  });
  await page.locator(".plots polyline").first().waitFor();
});

test("with a keyboard, and on a phone", async (t) => {
  const room = await roomFor(t, browser);
  await room.create("one", "two");
  const page = await inspectorOf(t, room);
  await newest(page).waitFor();
  await page.locator("#live").waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("messages");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=messages/);
  await page.locator("#live").waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("p");
  assert.equal(await page.locator("#live").innerText(), "Paused");
  await page.keyboard.press("Enter");
  await page.waitForURL(/view=broadcast&/);

  await page.setViewportSize({ width: 360, height: 640 });
  for (const view of ["broadcasts", "pages", "streams", "counters"]) {
    await page.goto(`/forebay/inspect?view=${view}`);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, view);
  }
});

test("others are told nothing", async (t) => {
  const room = await roomFor(t, browser);
  const ask = (headers, method = "GET") => fetch(`${room.url}/forebay/inspect`, { headers, method });
  assert.equal((await ask({})).status, 200);
  assert.equal((await ask({ "x-forwarded-for": "203.0.113.7" })).status, 403);
  assert.equal((await ask({}, "POST")).status, 405);
});
