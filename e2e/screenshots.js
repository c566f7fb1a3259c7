// Makes the pictures of docs/inspector.md: the inspector and the panel, in light and dark, at a desk and on a phone. `cargo xtask
// screenshots` builds what it needs and runs it.

import { mkdir, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { launchChromium } from "./support/chromium.js";
import { within } from "./support/deadline.js";
import { Fixture } from "./support/fixture.js";
import { waitForConnected } from "./support/page.js";
import { Server } from "./support/server.js";

const FOLDER = resolve(import.meta.dirname, "../docs/images");

/** What a reader loads with the page. */
const BYTES_MAX = 150 << 10;

const SIZES = { desktop: { width: 1180, height: 760 }, phone: { width: 390, height: 780 } };

/** A page as people have them, with one mistake in it. */
const PAGE = `
<style>
  body { margin: 0; font: 15px/1.6 system-ui, "Liberation Sans", sans-serif; background: light-dark(#f4f6f5, #0e1413); color: light-dark(#17211f, #e7eeec); color-scheme: light dark }
  main { max-width: 620px; margin: 0 auto; padding: 28px 20px }
  h1 { font-size: 22px } ul { display: grid; gap: 8px; padding: 0; list-style: none }
  li, turbo-frame { display: block; padding: 10px 14px; border-radius: 10px; background: light-dark(#fff, #161e1d) }
</style>
<main>
  {source}<turbo-cable-stream-source channel="Turbo::StreamsChannel" signed-stream-name="Im5vdGljZXM6NyI=--c0ffee"></turbo-cable-stream-source>
  <h1>Release day</h1>
  <turbo-frame id="checklist">Checklist: 3 of 5 done</turbo-frame>
  <ul id="messages"><li id="message_1">Ada: the build is green.</li></ul>
</main>`;

const action = (name, target, html) => `<turbo-stream action="${name}" target="${target}"><template>${html}</template></turbo-stream>`;

/** Somebody's working day, in a second. */
async function populate(fixture) {
  const post = (path, form) => fetch(fixture.url + path, { method: "POST", body: new URLSearchParams(form) });
  for (const room of [1, 2, 3]) await fixture.createMessages(room, ["morning", "on it"]);
  await fixture.rollback(2);
  await fixture.broadcast(1, action("replace", "message_1", '<li id="message_1">Ada: the build is green again.</li>'));
  await post("/test/rooms/1/append", { target: "mesages", text: "Grace: shipping." });
  await fixture.broadcast(2, action("update", "typing", "Linus is typing"), "region");
  await post("/test/streams/publish", { stream: "notices:8", json: JSON.stringify(action("append", "notices", "<li>maintenance</li>")) });
  await fixture.createMessage(1, "tagged 1.0");
}

/** What makes plots: until it is stopped. */
async function chatter(fixture, { signal }) {
  for (let count = 1; !signal.aborted; count += 1) await fixture.createMessage(3, `note ${count}`);
}

async function shoot(page, name) {
  const path = `${FOLDER}/${name}.png`;
  await page.screenshot({ path });
  const { size } = await stat(path);
  if (size > BYTES_MAX) throw new Error(`${path} has ${size} bytes`);
  console.log(`${path} ${Math.ceil(size / 1024)} KB`);
}

/** A broadcast's way to a page, and that page's life. */
async function oneWay(inspector, colorScheme) {
  await inspector.locator(".rows li", { hasText: "mesages" }).first().locator("a").click();
  await inspector.locator(".asked li.bad a").first().click();
  await inspector.locator(".answer.bad").waitFor();
  await shoot(inspector, `way-desktop-${colorScheme}`);
  await inspector.locator("p.quiet a").first().click();
  await inspector.locator(".life").waitFor();
  await shoot(inspector, `life-desktop-${colorScheme}`);
}

async function pictures(browser) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      // Each with pages of its own, and none that has left.
      const server = new Server();
      await server.ready();
      const fixture = new Fixture(server);
      const context = await browser.newContext({ baseURL: server.url, viewport, colorScheme, reducedMotion: "reduce" });
      const page = await context.newPage();
      await page.goto(`/planted/1?${new URLSearchParams({ html: PAGE, script: "forebay" })}`);
      const others = await Promise.all([1, 2, 3].map(() => context.newPage()));
      await Promise.all(others.map((other, at) => other.goto(`/rooms/${at + 1}`).then(() => waitForConnected(other))));
      const inspector = await context.newPage();
      await inspector.goto("/forebay/inspect");
      await populate(fixture);
      await page.locator("forebay-inspect .badge").click();
      await page.locator("forebay-inspect .changes li.bad").waitFor();
      await page.locator("forebay-inspect .tags li.bad").waitFor();
      const stop = new AbortController();
      const noise = chatter(fixture, stop);
      await shoot(page, `panel-${size}-${colorScheme}`);
      // The plots have a point for each second.
      await inspector.waitForFunction(() => document.querySelector(".plots polyline")?.getAttribute("points").split(" ").length > 12);
      stop.abort();
      await noise;
      await populate(fixture);
      await inspector.locator(".rows li", { hasText: "mesages" }).waitFor();
      await shoot(inspector, `inspector-${size}-${colorScheme}`);
      if (size === "desktop") await oneWay(inspector, colorScheme);
      await context.close();
      await server.stop();
    }
  }
}

await mkdir(FOLDER, { recursive: true });
const browser = await launchChromium();
try {
  await within("the pictures", pictures(browser), { ms: 180_000 });
} finally {
  await browser.close();
}
