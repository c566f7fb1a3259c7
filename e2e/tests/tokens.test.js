// What a page's tokens are good for, for how long, and where they can be read (S65, S66, S68), with every client.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { appends } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { onEnd } from "../support/cleanup.js";
import { rows as rowsOf, waitForNone } from "../support/page.js";
import { catchUp, openWith, PAGE_CLIENTS, renderWith, waitForAway } from "../support/page_clients.js";
import { untilRejected } from "../support/rejections.js";
import { LAST, roomFor } from "../support/room.js";
import { serverFor } from "../support/server.js";

const browser = useBrowser();
const CLIENTS = Object.values(PAGE_CLIENTS);

/** Only the first answer has a tag that is too old, or the refreshed page would need another refresh. */
const expiredAtFirst = (page) =>
  page.route("**/rooms/1?*", (route) => route.continue({ url: `${route.request().url()}&cursor=expired` }), { times: 1 });

for (const kind of ["websocket", "events", "poll"]) {
  const client = PAGE_CLIENTS[kind];
  test(`S65 ${client.name}: a tag that has expired is renewed by itself, and nothing is lost`, async (t) => {
    const room = await roomFor(t, browser);
    const gate = await room.fixture.closeGate("flush");
    const rendering = renderWith(room, client, { prepare: expiredAtFirst });
    await gate.reached();
    await room.create("meanwhile");
    await gate.open();
    const viewer = await rendering;
    await viewer.page.waitForFunction(client.isLive);
    await room.create("later", LAST);
    await viewer.shows(LAST);
    const { rows, visits, loads } = await viewer.state();
    assert.deepEqual({ rows, visits, loads }, { rows: ["meanwhile", "later", LAST], visits: 1, loads: 1 });
    await waitForNone(viewer.page, "[stale], [rejected]");
  });
}

for (const kind of ["stock", "anycable"]) {
  const client = PAGE_CLIENTS[kind];
  test(`S65 ${client.name}: a tag that has expired is refused, and does not pass for live`, async (t) => {
    const room = await roomFor(t, browser);
    const viewer = await renderWith(room, client, { prepare: expiredAtFirst });
    await untilRejected(room, [], 1);
    assert.equal(await viewer.page.evaluate(client.isLive), false);
  });
}

/** Ours is told that its tag is too old, and renders the page again; the others are not told why. */
const renewsItself = ({ name }) => name.startsWith("forebay.js");

for (const client of CLIENTS) {
  const afterwards = renewsItself(client) ? "renders itself again, once, and is live" : "is refused and doesn't pass for live";
  test(`S66 ${client.name}: keys are rotated: an older page goes on while its key is accepted, and afterwards ${afterwards}`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "forebay-e2e-"));
    onEnd(t, () => rm(directory, { recursive: true }));
    const lasting = { FOREBAY_E2E_DATABASE: join(directory, "chat.sqlite"), FOREBAY_E2E_LOG: join(directory, "log") };
    const withSecrets = (...secrets) => ({ env: { ...lasting, FOREBAY_E2E_SECRETS: secrets.join(",") } });
    const [older, newer] = ["the older secret of the tests", "the newer secret of the tests"];
    const room = await roomFor(t, browser, withSecrets(older));
    const viewer = await openWith(room, client);
    await room.create("one");
    await viewer.shows("one");
    const restart = async (how) => {
      await room.server.stop();
      room.moveTo(await serverFor(t, how));
    };
    await restart(withSecrets(newer, older));
    await room.create("two");
    await catchUp(viewer, "two");
    const { applied, visits } = await viewer.state();
    assert.deepEqual(client.once ? applied : [...new Set(applied)], appends(["one", "two"]));
    assert.equal(visits, 0);
    await restart(withSecrets(newer));
    if (renewsItself(client)) {
      await room.create("while it is refused");
      await catchUp(viewer, "while it is refused");
    } else {
      await untilRejected(room, [viewer.page], 1);
      await waitForAway(client, viewer.page);
      await viewer.page.reload();
    }
    await viewer.page.waitForFunction(client.isLive);
    await room.create("three");
    await viewer.shows("three");
    if (renewsItself(client)) {
      const { visits, loads } = await viewer.state();
      assert.deepEqual({ visits, loads }, { visits: 1, loads: 1 });
      await waitForNone(viewer.page, "[stale], [rejected]");
      assert.equal((await room.fixture.stats()).counters.rejections, 1);
    }
    const fresh = await room.render();
    assert.deepEqual(await rowsOf(viewer.page), await rowsOf(fresh.page));
  });
}

for (const client of CLIENTS) {
  const inUrls = client.name === "EventSource";
  const title = inUrls ? "tokens are in its addresses, where proxies log them" : "no token is in any address";
  test(`S68 ${client.name}: ${title}`, async (t) => {
    const room = await roomFor(t, browser);
    const urls = [];
    const prepare = async (page) => {
      page.on("request", (request) => urls.push(request.url()));
      page.on("websocket", (socket) => urls.push(socket.url()));
    };
    const viewer = await openWith(room, client, { prepare });
    await room.create("one");
    await viewer.shows("one");
    room.proxy.cut();
    await room.create("two");
    await catchUp(viewer, "two");
    const tokens = await viewer.page.evaluate(() => {
      const tag = document.querySelector("turbo-cable-stream-source, turbo-stream-source");
      const src = tag.hasAttribute("src") ? new URL(tag.getAttribute("src"), location.href).searchParams : new URLSearchParams();
      const [name, ...cursor] = tag.getAttribute("signed-stream-name")?.split(".") ?? [];
      return [name ?? src.get("stream"), name ? cursor.join(".") : src.get("cursor")];
    });
    assert.ok(urls.length > 2 && tokens.every((token) => token.length > 20));
    const telling = urls.filter((url) => tokens.some((token) => decodeURIComponent(url).includes(token)));
    assert.equal(telling.length > 0, inUrls, telling.join("\n"));
    // AnyCable's names the session that it was, which opens nothing: its subscriptions are decided anew.
    const live = urls.map((url) => new URL(url)).filter(({ pathname }) => pathname === "/cable" || pathname.startsWith("/forebay/"));
    const queries = new Set(live.map(({ searchParams }) => [...searchParams.keys()].join()));
    const expected = { "@anycable/web": ["", "sid"], EventSource: ["stream,cursor,stream,cursor"], "forebay.js over poll": ["wait", ""] };
    assert.deepEqual([...queries].sort(), (expected[client.name] ?? [""]).sort());
  });
}
