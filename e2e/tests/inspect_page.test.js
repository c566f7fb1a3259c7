// Mistakes that are planted in a page or in what is broadcast to it, and what inspect.js says of each: in the panel, and to the server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { eventually } from "../support/deadline.js";
import { Fixture } from "../support/fixture.js";
import { waitForConnected, waitForRest, waitForRows } from "../support/page.js";
import { roomFor } from "../support/room.js";
import { builtBinary, serverFor } from "../support/server.js";

const browser = useBrowser();

const LIST = '{source}<ul id="messages"></ul>';
const append = (target, html) => `<turbo-stream action="append" target="${target}"><template>${html}</template></turbo-stream>`;
const act = (action, target, html) => `<turbo-stream action="${action}" target="${target}"><template>${html}</template></turbo-stream>`;

/**
 * @typedef {object} Planted
 * @property {string} body of the page
 * @property {string[]} broadcasts one after the other; what is expected is said of the last
 * @property {string[]} seen what the server is told, in this order
 * @property {RegExp} says the panel's sentence
 * @property {RegExp[]} [allow] what Turbo itself says of it in the console
 */

/** @type {Record<string, Planted>} */
const PLANTED = {
  "a target that is on no page, with the nearest id": {
    body: LIST,
    broadcasts: [append("mesages", "<li>one</li>")],
    seen: ["target_missing"],
    says: /no element `mesages`, but it has `messages`/,
  },
  "a target with its #": {
    body: LIST,
    broadcasts: [append("#messages", "<li>one</li>")],
    seen: ["target_missing"],
    says: /a target is an id without `#`, so write `messages`/,
  },
  "targets without its #": {
    body: LIST,
    broadcasts: ['<turbo-stream action="append" targets="messages"><template><li>one</li></template></turbo-stream>'],
    seen: ["target_missing"],
    says: /but it has `#messages`/,
  },
  "a target that is gone after the first replace": {
    body: '{source}<p id="score">0</p>',
    broadcasts: [act("replace", "score", "<p>1</p>"), act("replace", "score", "<p>2</p>")],
    seen: ["target_missing"],
    says: /no element `score`: it is on another page, or a `replace` brought it without its id/,
  },
  "two elements of one id": {
    body: '{source}<ul id="messages"></ul><ul id="messages"></ul>',
    broadcasts: [append("messages", "<li>one</li>")],
    seen: ["target_doubled"],
    says: /the page has 2 elements `messages`/,
  },
  "a row whose id is somewhere else, too": {
    body: '{source}<ul id="messages"></ul><p id="message_1"></p>',
    broadcasts: [append("messages", '<li id="message_1">one</li>')],
    seen: ["target_doubled"],
    says: /the page has 2 elements `message_1`/,
  },
  "an update with the wrapper in it": {
    body: '{source}<div id="score">0</div>',
    broadcasts: [act("update", "score", '<div id="score">1</div>')],
    seen: ["target_doubled"],
    says: /`score` is inside of another `score`/,
  },
  "a partial that renders nothing": {
    body: LIST,
    broadcasts: [append("messages", " ")],
    seen: ["empty_template"],
    says: /its template has nothing in it/,
  },
  "no template at all": {
    body: LIST,
    broadcasts: ['<turbo-stream action="append" target="messages"><li>one</li></turbo-stream>'],
    seen: ["empty_template"],
    says: /its template has nothing in it/,
    allow: [/first child element must be a <template>/],
  },
  "the tag inside of what is replaced": {
    body: '<div id="room">{source}<p>0</p></div>',
    broadcasts: [act("replace", "room", '<div id="room"><p>1</p></div>')],
    seen: ["source_removed"],
    says: /had the page's source tag in it/,
  },
  "a row outside of a table": {
    body: '{source}<div id="rows"></div>',
    broadcasts: [append("rows", "<tr><td>one</td></tr>")],
    seen: ["misplaced"],
    says: /put a `tr` into a `div`/,
  },
  "a permanent element that is to be replaced": {
    body: '{source}<p id="player" data-turbo-permanent>0</p>',
    broadcasts: [act("replace", "player", '<p id="player" data-turbo-permanent>1</p>')],
    seen: ["permanent"],
    says: /the element has `data-turbo-permanent`/,
  },
  "an action that nobody has made": {
    body: LIST,
    broadcasts: [act("appendd", "messages", "<li>one</li>")],
    seen: ["unknown_action"],
    says: /no action `appendd`/,
    allow: [/unknown action/],
  },
};

/** What the page has told the server, as it grows. */
async function watchReports(page) {
  const reports = [];
  page.on("response", (answer) => {
    const request = answer.request();
    if (request.url().endsWith("/forebay/inspect/reports")) reports.push(...request.postDataJSON().reports);
  });
  return reports;
}

/** What the server says of a page's last broadcast: the page is named by its tag. */
async function whyOf(server, signed) {
  const [stream, page] = signed.split(/\.(.*)/);
  const answer = await fetch(`${server.url}/forebay/inspect/why?${new URLSearchParams({ stream, page })}`);
  return (await answer.json()).sentence;
}

/** Before navigating: the page loads inspect.js, as an app's layout would have it. Gives what it tells the server, as it grows. */
async function inspected(page) {
  await page.addInitScript(() => {
    document.addEventListener("DOMContentLoaded", () => {
      const script = document.createElement("script");
      Object.assign(script, { type: "module", src: "/forebay/inspect.js" });
      document.head.append(script);
    });
  });
  return watchReports(page);
}

/** Waits until the badge is there, and gives its text later: `1 tag`, or `1 tag · 2 findings`. */
async function badgeOf(page) {
  const badge = page.locator("forebay-inspect .badge");
  await badge.waitFor();
  return badge;
}

/** The panel shows code as such, where the server has backticks. @param {RegExp} says */
const shown = (says) => new RegExp(says.source.replaceAll("`", ""));

const panelOf = (page) => page.locator("forebay-inspect section");

/** The newest change in the panel, when there are so many. */
async function newestOf(page, count) {
  const changes = panelOf(page).locator(".changes li");
  await changes.nth(count - 1).waitFor();
  return changes.first();
}

for (const script of ["stock", "forebay"]) {
  test(`each planted mistake is named in the panel and by why, with ${script}.js`, async (t) => {
    const server = await serverFor(t);
    const fixture = new Fixture(server);
    const allow = Object.values(PLANTED).flatMap(({ allow = [] }) => allow);
    let reports;
    const prepare = async (page) => (reports = await watchReports(page));
    const page = await browser.page(t, { baseURL: server.url, allow, prepare });
    for (const [at, [name, { body, broadcasts, says, seen }]] of Object.entries(PLANTED).entries()) {
      reports.length = 0;
      await page.goto(`/planted/${at}?${new URLSearchParams({ html: body, script })}`);
      await waitForConnected(page);
      const signed = await page.locator("turbo-cable-stream-source").getAttribute("signed-stream-name");
      const badge = page.locator("forebay-inspect .badge");
      if (at === 0) await badge.click();
      for (const html of broadcasts) await fixture.broadcast(at, html);
      const newest = await newestOf(page, broadcasts.length);
      await newest.locator("p.said").first().waitFor();
      assert.match(await newest.innerText(), shown(says), name);
      const expected = broadcasts.length - 1 + seen.length;
      await eventually(`the reports of ${name}`, async () => {
        await page.title();
        return reports.length >= expected;
      });
      const told = reports.map(({ seen }) => seen.is);
      assert.deepEqual(told, [...broadcasts.slice(1).map(() => "applied"), ...seen], name);
      assert.match(await whyOf(server, signed), says, name);
    }
  });
}

test("the page of the fixture app has no finding, over changes, a morph and a visit, and the panel stays", async (t) => {
  const room = await roomFor(t, browser);
  const { page } = await room.open({ refresh: "morph", tags: 2 }, { prepare: inspected });
  const plain = await room.open({ refresh: "morph", tags: 2 });
  const badge = await badgeOf(page);
  await room.create("one", "two");
  await room.fixture.updateMessage(1, "first");
  await room.fixture.deleteMessage(2);
  await room.broadcast('<turbo-stream action="refresh"></turbo-stream>');
  await room.create("three");
  for (const viewer of [page, plain.page]) await waitForRows(viewer, ["first", "three"]);
  // Each page has cursors of its own.
  const bodyOf = (page) => page.evaluate(() => document.body.outerHTML.replace(/<turbo-cable-stream-source[^>]*>/g, ""));
  assert.equal(await bodyOf(page), await bodyOf(plain.page));

  await page.evaluate(() => Turbo.visit(location.href));
  await waitForRest(page);
  await waitForConnected(page);
  await room.create("four");
  await waitForRows(page, ["first", "three", "four"]);
  assert.equal(await badge.count(), 1);
  assert.equal(await badge.textContent(), "2 tags");

  await badge.focus();
  await page.keyboard.press("Enter");
  await panelOf(page).waitFor();
  assert.match(await panelOf(page).locator(".tags li").first().innerText(), /gid:\/\/chat\/Room\/1:messages/);
  await page.evaluate(() => document.querySelector("forebay-inspect").remove());
  await panelOf(page).waitFor();
  await page.keyboard.press("Tab");
  await panelOf(page).press("Escape");
  await badge.waitFor();
});

test("the demo has no finding", async (t) => {
  const server = await serverFor(t, { binary: builtBinary("forebay-chat"), args: ["--port", "0"] });
  const page = await browser.page(t, { baseURL: server.url, prepare: inspected });
  await page.goto("/rooms/1?as=ada");
  const badge = await badgeOf(page);
  await waitForConnected(page);
  const messages = page.locator(".message");
  const before = await messages.count();
  await page.locator("#message_body").fill("seen by all");
  await page.locator("#message_body").press("Enter");
  await messages.nth(before).waitFor();
  assert.doesNotMatch(await badge.textContent(), /finding/);
  await page.goto("/board?as=ada");
  await waitForConnected(page);
  assert.doesNotMatch(await (await badgeOf(page)).textContent(), /finding/);
});

test("a tag that no script has defined, a refused one, and a frame without match are named", async (t) => {
  const server = await serverFor(t);
  const page = await browser.page(t, { baseURL: server.url, allow: [/404/, /TurboFrameMissingError|did not contain the expected/] });
  const plant = (html, script) => page.goto(`/planted/1?${new URLSearchParams({ html, script })}`);
  await plant("{source}", "nothing");
  await (await badgeOf(page)).click();
  const tag = panelOf(page).locator(".tags li");
  await tag.locator("p").waitFor();
  assert.match(await tag.innerText(), /no script of this page has defined <turbo-cable-stream-source>/i);

  await plant("{source}".replace("{source}", '<turbo-cable-stream-source channel="Turbo::StreamsChannel" signed-stream-name="ImNoYXQ6MSI=--00"></turbo-cable-stream-source>'), "forebay");
  await panelOf(page).locator(".tags li.bad").waitFor();
  assert.match(await tag.innerText(), /chat:1\s+refused/);

  await plant('<turbo-frame id="count" src="/blank"></turbo-frame>', "stock");
  const change = panelOf(page).locator(".changes li.bad");
  await change.waitFor();
  assert.match(await change.innerText(), /the answer has no frame count/);
});

test("what comes while Turbo shows a preview is named", async (t) => {
  const server = await serverFor(t);
  const page = await browser.page(t, { baseURL: server.url, prepare: watchReports });
  const url = (html, room) => `/planted/${room}?${new URLSearchParams({ html, script: "stock" })}`;
  await page.goto(url(LIST, 1));
  await waitForConnected(page);
  await (await badgeOf(page)).click();
  await page.evaluate((url) => Turbo.visit(url), url("elsewhere", 2));
  await page.getByText("elsewhere").waitFor();
  await waitForRest(page);
  let answer;
  const held = new Promise((resolve) => (answer = resolve));
  await page.route("**/planted/1?*", (route) => held.then(() => route.continue()));
  await page.evaluate((url) => Turbo.visit(url), url(LIST, 1));
  await page.locator("html[data-turbo-preview]").waitFor();
  await waitForConnected(page);
  await new Fixture(server).broadcast(1, append("messages", "<li>one</li>"));
  const newest = await newestOf(page, 1);
  await newest.locator("p.said").waitFor();
  assert.match(await newest.innerText(), /a preview of Turbo's cache/);
  answer();
  await waitForRest(page);
});
