// Our own client against a server that does what the real one does rarely, or never should, and in pages that make mistakes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { eventually as ask } from "../support/deadline.js";
import { append, confirm, scriptedServerFor, tag } from "../support/scripted_server.js";
import { texts, waitForConnected, waitForNone, waitForRow } from "../support/page.js";
import { attempts, movableTime, recordAttempts } from "../support/time.js";

const browser = useBrowser();
const allow = [/net::ERR_|WebSocket connection to|Failed to load resource|the server responded with a status/];

/** A page of such a server, which keeps what it says about itself. */
async function pageOf(t, server, prepare = () => {}, also = []) {
  const page = await browser.page(t, { baseURL: server.url, allow: [...allow, ...also] });
  await page.addInitScript(() => {
    window.said = [];
    for (const name of ["connected", "stale", "resync", "rejected", "error"]) {
      document.addEventListener(`forebay:${name}`, ({ detail }) => window.said.push([name, detail?.kind].filter(Boolean).join(" ")));
    }
  });
  await prepare(page);
  await page.goto("/");
  return page;
}

/** Lets the server listen between two questions. */
const eventually = (what, is) =>
  ask(what, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return is();
  });

const said = (page) => page.evaluate(() => window.said);
const list = '<ul id="list"></ul>';
const open = async (t, server, prepare) => {
  const page = await pageOf(t, server, prepare);
  await waitForConnected(page);
  return page;
};
const shown = (page) => texts(page, "#list");
const row = (page, text) => waitForRow(page, text, "#list");

test("a page with more tags than fit into one message subscribes to all, over one connection", async (t) => {
  const names = Array.from({ length: 150 }, (_, n) => `${"x".repeat(600)}${n}`);
  const server = await scriptedServerFor(t, { body: () => names.map((name) => tag(name, "a.1")).join("") + list });
  const page = await open(t, server);
  assert.equal(await page.locator("[connected]").count(), 150);
  assert.equal(server.sessions.length, 1);
});

test("a callback of the application's that throws is reported, and keeps nothing from being shown", async (t) => {
  const server = await scriptedServerFor(t, { body: () => tag("one", "a.1") + list });
  const page = await open(t, server);
  await page.evaluate(() => {
    const fails = () => {
      throw new Error("the application's");
    };
    window.forebay.subscribe({ channel: "Fails" }, { connected: fails, received: fails, disconnected: fails });
  });
  const fails = ({ command, identifier }) => command === "subscribe" && identifier.includes("Fails");
  await eventually("the second subscription", async () => server.session.commands.some(fails));
  const { identifier } = server.session.commands.find(fails);
  for (let n = 2; n <= 4; n += 1) {
    server.session.send({ identifier, message: { n } });
    server.session.send({ s: 1, o: n, p: n - 1, m: append(`row ${n}`) });
  }
  await row(page, "row 4");
  assert.deepEqual(await shown(page), ["row 2", "row 3", "row 4"]);
  server.session.close();
  await eventually("another session", async () => server.sessions.length === 2);
  await eventually("both subscriptions", async () => server.session.commands.filter(({ command }) => command === "subscribe").length === 2);
  server.session.send({ s: 1, o: 5, p: 4, m: append("row 5") });
  await row(page, "row 5");
  assert.ok((await said(page)).filter((what) => what === "error error").length >= 4);
});

test("a page that is rendered anew is subscribed again where it was rejected before", async (t) => {
  let isAllowed = false;
  const server = await scriptedServerFor(t, {
    body: () => tag("one", "a.1") + list,
    command(command, session, s) {
      if (command.command !== "subscribe") return;
      if (isAllowed || s === 1) return confirm(session, command, s);
      session.send({ type: "reject_subscription", identifier: command.identifier, reason: "revoked" });
    },
  });
  const page = await open(t, server);
  server.session.send({ type: "reject_subscription", identifier: server.session.commands[0].identifier, reason: "revoked" });
  await page.waitForSelector("turbo-cable-stream-source[rejected=revoked]", { state: "attached" });
  isAllowed = true;
  await page.evaluate(() => window.Turbo.visit("/?again"));
  await waitForConnected(page);
  await waitForNone(page, "[rejected], [stale]");
});

test("a connection that breaks twice before it is confirmed leaves no page stale that is live", async (t) => {
  let confirms = true;
  const server = await scriptedServerFor(t, {
    body: () => tag("one", "a.1") + list,
    command(command, session, s) {
      if (command.command !== "subscribe") return;
      if (confirms) confirm(session, command, s);
      else session.close();
    },
  });
  const page = await pageOf(t, server, (page) => page.clock.install());
  await waitForConnected(page);
  confirms = false;
  server.session.close();
  await eventually("two more sessions that break", async () => {
    await page.clock.runFor(50);
    return server.sessions.length >= 3;
  });
  confirms = true;
  await eventually("a session", async () => {
    await page.clock.runFor(50);
    return (await page.locator("[connected]").count()) === 1;
  });
  await page.clock.runFor(3_000);
  assert.equal(await page.locator("[stale]").count(), 0);
});

test("a page that never reaches its server is stale", async (t) => {
  const server = await scriptedServerFor(t, { body: () => tag("one", "a.1") + list, command() {} });
  const page = await pageOf(t, server);
  await page.waitForSelector("turbo-cable-stream-source[stale]", { state: "attached" });
});

test("a visit to another page does not call its streams stale while they are being subscribed to", async (t) => {
  const server = await scriptedServerFor(t, {
    body: ({ url }) => tag(url.includes("two") ? "two" : "one", "a.1") + list,
  });
  const page = await open(t, server, (page) => page.clock.install());
  // A second is long enough, and none passes for it on a busy machine: the page's time goes on by a millisecond at a time.
  await page.clock.pauseAt((await page.evaluate(() => Date.now())) + 60_000);
  await page.evaluate(() => window.Turbo.visit("/?two"));
  await eventually("the other stream", async () => {
    await page.clock.runFor(1);
    return (await page.locator("[signed-stream-name^=two][connected]").count()) === 1;
  });
  assert.deepEqual(await said(page), ["connected", "connected"]);
});

test("a refresh with HTML that was kept somewhere, as old as the page: what came since is shown again", async (t) => {
  const server = await scriptedServerFor(t, { body: () => tag("one", "a.1") + list });
  const page = await open(t, server);
  server.session.send({ s: 1, o: 2, p: 1, m: append("row 2") });
  await row(page, "row 2");
  await page.evaluate(() => window.Turbo.session.refresh(document.baseURI));
  await eventually("to be asked for what came since", async () => {
    const { commands } = server.session;
    return commands.at(-1).command === "subscribe" && commands.length > 1;
  });
  const [first, , last] = server.session.commands;
  assert.deepEqual(last, first);
  server.session.send({ s: 2, o: 2, p: 1, m: append("row 2") });
  server.session.send({ s: 2, o: 3, p: 2, m: append("row 3") });
  await row(page, "row 3");
  assert.deepEqual(await shown(page), ["row 2", "row 3"]);
});

test("ten streams that are lost at once are healed by one refresh, and it counts once", async (t) => {
  let n = 1;
  const names = "abcdefghij".split("");
  const server = await scriptedServerFor(t, {
    body: () => names.map((name) => tag(name, `a.${n}`)).join("") + list,
  });
  const page = await open(t, server);
  for (let round = 0; round < 3; round += 1) {
    const { loads } = server;
    n += 10;
    const numbers = await lastNumbers(server.session);
    for (const [identifier, s] of numbers) server.session.send({ type: "resync", identifier, s, at: `a.${n}` });
    await eventually("the refresh", async () => server.loads > loads);
    await page.waitForFunction((n) => document.querySelectorAll(`[signed-stream-name$=".a.${n}"][connected]:not([stale])`).length === 10, n);
  }
  assert.equal(server.loads, 4);
  assert.deepEqual((await said(page)).filter((what) => what.startsWith("error")), []);
});

test("a page that lacks something again and again heals itself five times in a row, and then once in twelve seconds", async (t) => {
  let n = 1;
  const server = await scriptedServerFor(t, { body: () => tag("one", `a.${n}`) + list });
  const page = await open(t, server, (page) => page.clock.install());
  const lose = async () => {
    n += 1;
    const [[identifier, s]] = await lastNumbers(server.session);
    server.session.send({ type: "resync", identifier, s, at: `a.${n}` });
  };
  const healed = () =>
    page.waitForSelector(`[signed-stream-name$=".a.${n}"][connected]:not([stale])`, { state: "attached" });
  for (let round = 0; round < 5; round += 1) {
    await lose();
    await healed();
  }
  await lose();
  await page.waitForFunction(() => window.said.includes("error error"));
  assert.equal(server.loads, 6);
  await page.clock.fastForward(12_000);
  await healed();
  assert.equal(server.loads, 7);
});

/** The newest subscription of each identifier that is still subscribed. */
async function lastNumbers({ commands }) {
  const numbers = new Map();
  let s = 0;
  for (const { command, identifier } of commands) {
    if (command === "subscribe") numbers.set(identifier, (s += 1));
    if (command === "unsubscribe") numbers.delete(identifier);
  }
  return numbers;
}

/** Holds the page's next visit until the page gives it up. @param {import("playwright-core").Page} page */
async function holdVisit(page) {
  let held;
  const isHeld = new Promise((resolve) => (held = resolve));
  await page.route(/\/$/, (route) => (route.request().method() === "GET" ? held() : route.fallback()), { times: 1 });
  return isHeld;
}

for (const [what, begin] of Object.entries({
  "a refresh that heals": ({ commands: [{ identifier }], send }) => send({ type: "resync", identifier, s: 1, at: "a.5" }),
  "a refresh that was broadcast": ({ send }) => send({ s: 1, o: 5, p: 1, m: '<turbo-stream action="refresh"></turbo-stream>' }),
})) {
  test(`${what} and is cancelled by a form, whose answer renders no page, is made again`, async (t) => {
    let n = 1;
    const server = await scriptedServerFor(t, {
      body: () => `${tag("one", `a.${n}`)}${list}<form method="post" action="/form"></form>`,
    });
    const page = await pageOf(t, server, () => {}, [/AbortError/]);
    await waitForConnected(page);
    await page.route("**/form", (route) =>
      route.fulfill({ contentType: "text/vnd.turbo-stream.html", body: append("the form's answer") }));
    const isHeld = holdVisit(page);
    n = 5;
    begin(server.session);
    await isHeld;
    await page.evaluate(() => document.querySelector("form").requestSubmit());
    await page.waitForSelector('[signed-stream-name$=".a.5"][connected]:not([stale])', { state: "attached" });
    assert.equal(server.loads, 2);
  });
}

test("what is left out of a page, as its own request has shown it, does not move the position ahead of what waits for a frame", async (t) => {
  const { server, page } = await halfAnswered(t, () => false, () => {});
  await page.evaluate(() => {
    const response = { ok: true, headers: new Headers({ "x-turbo-request-id": "its-own" }) };
    document.dispatchEvent(new CustomEvent("turbo:before-fetch-response", { detail: { fetchResponse: { response } } }));
  });
  // Both are shown in one burst, when the other stream is answered.
  server.session.send({ s: 1, o: 2, p: 1, m: append("row 2") });
  server.session.send({ s: 1, o: 3, p: 2, m: append("row 3").replace(" ", ' request-id="its-own" ') });
  server.session.send({ s: 1, o: 4, p: 3 });
  await page.evaluate(() => {
    const tag = document.querySelector("[signed-stream-name^=one]");
    window.firstMoved = new Promise((resolve) => {
      const observer = new MutationObserver(() => resolve(document.querySelector("#list li") ? "behind the row" : "ahead of it"));
      observer.observe(tag, { attributeFilter: ["data-forebay-at"] });
    });
  });
  confirm(server.session, server.session.commands[1], 2);
  await row(page, "row 2");
  assert.equal(await page.evaluate(() => window.firstMoved), "behind the row");
  await page.waitForSelector('[signed-stream-name^=one][data-forebay-at="a.4"]', { state: "attached" });
  assert.deepEqual(await shown(page), ["row 2"]);
});

test("S45 more than a page can keep waiting: every stream is told that it lacks something", async (t) => {
  const { server, page } = await halfAnswered(t, () => false);
  // Held, as the other stream is not answered.
  for (let o = 2; o <= 10_002; o += 1) server.session.send({ s: 1, o, p: o - 1, m: "" });
  await eventually("the page rendered again", async () => server.loads === 2);
  assert.equal((await said(page)).filter((what) => what === "resync").length, 2);
});

test("behind a gap that stays, what follows is no gap", async (t) => {
  const server = await scriptedServerFor(t, { body: () => tag("one", "a.1") + list });
  const page = await open(t, server);
  await page.route(/\/$/, () => {});
  for (const sessions of [1, 2]) {
    await eventually("a subscription", async () => server.sessions.length === sessions && server.session.commands.length === 1);
    server.session.send({ s: 1, o: 9, p: 8, m: append("row 9") });
  }
  await page.waitForFunction(() => window.said.includes("resync"));
  server.session.send({ s: 1, o: 10, p: 9, m: append("row 10") });
  await row(page, "row 10");
  assert.equal((await said(page)).filter((what) => what === "error gap").length, 2);
  assert.equal(server.sessions.length, 2);
});

test("a server that always leaves a gap is not asked in a loop: the page renders itself again, and says when that does not help", async (t) => {
  const server = await scriptedServerFor(t, {
    body: () => tag("one", "a.1") + list,
    command(command, session, s) {
      if (command.command !== "subscribe") return;
      confirm(session, command, s);
      session.send({ s, o: 9, p: 8, m: append("row 9") });
    },
  });
  const page = await pageOf(t, server);
  await page.waitForFunction(() => window.said.includes("resync"));
  await page.waitForFunction(() => window.said.filter((what) => what === "error error").length > 0);
  assert.ok(server.sessions.length <= 20, `${server.sessions.length} sessions`);
  assert.deepEqual(await shown(page), []);
});

test("a server that ends every session at once is asked less and less often", async (t) => {
  const server = await scriptedServerFor(t, {
    body: () => tag("one", "a.1") + list,
    command: (_, session) => session.close(),
  });
  const page = await pageOf(t, server, async (page) => {
    await page.clock.install();
    // Neither lucky nor unlucky.
    await page.addInitScript(() => (Math.random = () => 0.5));
  });
  await eventually("eight sessions", async () => {
    await page.clock.runFor(100);
    return server.sessions.length >= 8;
  });
  const simulated = await page.evaluate(() => performance.now());
  assert.ok(simulated > 1_500, `eight sessions in ${simulated} ms of the page's time`);
});

test("a confirmation of a subscription that was left is not taken for that of its successor", async (t) => {
  const held = [];
  const server = await scriptedServerFor(t, {
    body: () => tag("one", "a.9") + list,
    command: (command, session, s) => command.command === "subscribe" && held.push(() => confirm(session, command, s)),
  });
  const page = await pageOf(t, server);
  await eventually("the first", async () => held.length === 1);
  // The same words, from an older state of the page: as Turbo's cache brings it back.
  await page.evaluate(async () => {
    const tag = document.querySelector("turbo-cable-stream-source");
    tag.remove();
    await new Promise((resolve) => setTimeout(resolve));
    tag.setAttribute("signed-stream-name", "one.a.9");
    document.body.append(tag);
  });
  await eventually("the second", async () => held.length === 2);
  held[0]();
  server.session.send({ s: 1, o: 10, p: 9, m: append("row 10") });
  held[1]();
  server.session.send({ s: 2, o: 10, p: 9, m: append("row 10") });
  server.session.send({ s: 2, o: 11, p: 10, m: append("row 11") });
  await row(page, "row 11");
  assert.deepEqual(await shown(page), ["row 10", "row 11"]);
});

test("an address that no WebSocket can have is no end: the page tries the others, and says that it is stale", async (t) => {
  const server = await scriptedServerFor(t, { body: () => `<meta name="action-cable-url" content="ftp://nowhere/">${tag("one", "a.1")}${list}` });
  const page = await pageOf(t, server);
  await page.waitForSelector("turbo-cable-stream-source[stale]", { state: "attached" });
});

test("a custom action that never ends does not keep the others from being shown for ever", async (t) => {
  const server = await scriptedServerFor(t, { body: () => tag("one", "a.1") + list });
  const page = await pageOf(t, server, (page) => page.clock.install(), [/takes too long/]);
  await waitForConnected(page);
  await page.evaluate(() => (window.Turbo.StreamActions.hang = () => new Promise(() => {})));
  server.session.send({ s: 1, o: 2, p: 1, m: '<turbo-stream action="hang"></turbo-stream>' });
  server.session.send({ s: 1, o: 3, p: 2, m: append("row 3") });
  await eventually("the row behind it", async () => {
    await page.clock.runFor(500);
    return (await shown(page)).length === 1;
  });
  await page.waitForFunction(() => window.said.includes("error error"));
});

test("what is performed before the subscription is confirmed, or after it was left, is not sent, and the caller is told", async (t) => {
  const server = await scriptedServerFor(t, { body: () => tag("one", "a.1") + list });
  const page = await open(t, server);
  const performed = await page.evaluate(async () => {
    let confirmed;
    const connected = new Promise((resolve) => (confirmed = resolve));
    const echo = window.forebay.subscribe({ channel: "Echo" }, { connected: confirmed });
    const early = echo.perform("say");
    await connected;
    const live = echo.perform("say");
    echo.unsubscribe();
    return [early, live, echo.perform("say")];
  });
  assert.deepEqual(performed, [false, true, false]);
  await eventually("the last command", async () => server.session.commands.at(-1).command === "unsubscribe");
  assert.equal(server.session.commands.filter(({ command }) => command === "message").length, 1);
});

/** A page with two streams, of which the server answers the first; the other when `answers` says so. */
async function halfAnswered(t, answers, prepare = movableTime) {
  const server = await scriptedServerFor(t, {
    body: () => tag("one", "a.1") + tag("two", "a.1") + list,
    command(command, session, s) {
      if (command.command === "subscribe" && (command.identifier.includes('"one.') || answers(server))) confirm(session, command, s);
    },
  });
  const page = await pageOf(t, server, prepare);
  await page.waitForSelector("[signed-stream-name^=one][connected]", { state: "attached" });
  return { server, page };
}

test("S44 a living server that never answers for one stream is asked again, less and less often, while the other stream is live", async (t) => {
  const moved = async (page) => {
    await movableTime(page);
    await recordAttempts(page);
  };
  const { server, page } = await halfAnswered(t, ({ sessions }) => sessions.length > 5, moved);
  /** Lets time pass until the server has been asked so often; never while the page connects. */
  const untilAsked = (often) =>
    eventually(`${often} sessions`, async () => {
      await page.waitForSelector("[signed-stream-name^=one][connected]", { state: "attached" });
      await page.clock.runFor(1_000);
      return server.sessions.length >= often;
    });
  await untilAsked(5);
  const asked = (await attempts(page)).map(({ at }) => at / 1_000);
  // Three seconds for which entries are held, and then ten, twenty, forty, sixty.
  for (const [index, least] of [13, 23, 43, 63].entries()) {
    const pause = asked[index + 1] - asked[index];
    assert.ok(pause >= least && pause < least + 10, `${pause} s instead of ${least}`);
  }
  await page.waitForSelector("[signed-stream-name^=one][connected]", { state: "attached" });
  server.session.send({ s: 1, o: 2, p: 1, m: append("row 2") });
  await eventually("a row of the other stream", async () => {
    await page.clock.runFor(250);
    return (await shown(page)).length === 1;
  });
  await untilAsked(6);
  await waitForConnected(page);
  server.session.send({ s: 2, o: 3, p: 1, m: append("row 3") });
  await row(page, "row 3");
  assert.deepEqual(await shown(page), ["row 2", "row 3"]);
  await waitForNone(page, "[stale]");
});

test("S44 a subscription that is answered late begins where it was asked for: each row once, and the other stream was live meanwhile", async (t) => {
  const { server, page } = await halfAnswered(t, () => false);
  server.session.send({ s: 1, o: 3, p: 1, m: append("row 3") });
  await eventually("a row of the other stream", async () => {
    await page.clock.runFor(250);
    return (await shown(page)).length === 1;
  });
  const [, two] = server.session.commands;
  confirm(server.session, two, 2);
  server.session.send({ s: 2, o: 2, p: 1, m: append("row 2") });
  server.session.send({ s: 2, o: 4, p: 2, m: append("row 4") });
  await row(page, "row 4");
  await waitForConnected(page);
  assert.deepEqual(await shown(page), ["row 3", "row 2", "row 4"]);
  // And is not asked for again.
  await page.clock.runFor(60_000);
  assert.equal(server.sessions.length, 1);
});

test("S44 a subscription that is confirmed twice goes on from where it is: each row comes once", async (t) => {
  const server = await scriptedServerFor(t, { body: () => tag("one", "a.1") + list });
  const page = await open(t, server);
  const { session } = server;
  session.send({ s: 1, o: 2, p: 1, m: append("row 2") });
  session.send({ s: 1, o: 3, p: 2, m: append("row 3") });
  confirm(session, session.commands[0], 1);
  session.send({ s: 1, o: 2, p: 1, m: append("row 2") });
  session.send({ s: 1, o: 4, p: 3, m: append("row 4") });
  await row(page, "row 4");
  assert.deepEqual(await shown(page), ["row 2", "row 3", "row 4"]);
  assert.equal(server.sessions.length, 1);
  assert.deepEqual(await said(page), ["connected"]);
});

test("S44 a subscription that is told twice that history is gone: the page is rendered again once, and is live", async (t) => {
  let n = 1;
  const server = await scriptedServerFor(t, {
    body: () => tag("one", `a.${n}`) + list,
    command(command, session, s) {
      if (command.command !== "subscribe") return;
      n = 5;
      for (let times = 0; times < 2; times += 1) {
        session.send({ type: "confirm_subscription", identifier: command.identifier, s, at: "a.5", resync: true });
      }
    },
  });
  const page = await pageOf(t, server);
  await page.waitForSelector('[signed-stream-name$=".a.5"][connected]:not([stale])', { state: "attached" });
  server.session.send({ s: 1, o: 6, p: 5, m: append("row 6") });
  await row(page, "row 6");
  assert.deepEqual(await shown(page), ["row 6"]);
  assert.deepEqual([server.loads, server.sessions.length], [2, 1]);
});

test("S44 a subscription that is refused, and answered again, stays refused; the other stream is live", async (t) => {
  const { server, page } = await halfAnswered(t, () => false);
  const [, { identifier }] = server.session.commands;
  for (let times = 0; times < 2; times += 1) server.session.send({ type: "reject_subscription", identifier, reason: "unauthorized" });
  confirm(server.session, server.session.commands[1], 2);
  server.session.send({ s: 1, o: 2, p: 1, m: append("row 2") });
  await row(page, "row 2");
  assert.equal(await page.locator("[connected]").count(), 1);
  assert.equal(await page.locator("[rejected=unauthorized][stale]").count(), 1);
  assert.deepEqual([server.loads, server.sessions.length], [1, 1]);
});

test("two subscriptions to the same channel with the same words both hear what is said to them", async (t) => {
  const server = await scriptedServerFor(t, { body: () => tag("one", "a.1") + list });
  const page = await open(t, server);
  await page.evaluate(() => {
    window.heard = [];
    window.connected = 0;
    for (const number of [1, 2]) {
      const receiver = { connected: () => (window.connected += 1), received: (message) => window.heard.push([number, message]) };
      window.forebay.subscribe({ channel: "Echo" }, receiver);
    }
  });
  await page.waitForFunction(() => window.connected === 2);
  for (const { identifier } of server.session.commands.slice(1)) server.session.send({ identifier, message: identifier.length });
  await page.waitForFunction(() => window.heard.length === 2);
  const [[first, length], [second, other]] = await page.evaluate(() => window.heard);
  assert.deepEqual([first, second, other - length], [1, 2, 1]);
});

for (const reason of ["expired", "unauthorized"]) {
  const most = reason === "expired" ? 2 : 1;
  test(`S66 a tag that is refused as ${reason} whenever it is rendered: the page is loaded ${most === 2 ? "once more" : "no more"}, and the other stream is live`, async (t) => {
    let n = 1;
    const server = await scriptedServerFor(t, {
      body: () => tag("one", "a.1") + tag(`refused ${(n += 1)}`, "a.1") + list,
      command(command, session, s) {
        if (command.command !== "subscribe") return;
        if (command.identifier.includes('"one.')) return confirm(session, command, s);
        session.send({ type: "reject_subscription", identifier: command.identifier, reason });
      },
    });
    const page = await pageOf(t, server);
    await page.waitForSelector(`[signed-stream-name^="refused ${most + 1}."][rejected=${reason}]`, { state: "attached" });
    await page.waitForSelector("[signed-stream-name^=one][connected]", { state: "attached" });
    server.session.send({ s: 1, o: 2, p: 1, m: append("row 2") });
    await row(page, "row 2");
    // Behind whatever the page may have asked for.
    await page.evaluate(() => fetch("/").then((response) => response.text()));
    assert.equal(server.loads, most + 1);
  });
}
