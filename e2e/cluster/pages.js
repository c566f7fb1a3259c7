// The pages of the kill loop, in Chromium. `node pages.js URL COUNT` opens COUNT of them with the stock client and COUNT with ours, says
// `ready`, and answers each line on standard input with a line of JSON about all pages. It ends when its input does.

import { createInterface } from "node:readline";
import { launchChromium } from "../support/chromium.js";
import { comeBack } from "../support/page.js";

const [url, count] = [process.argv[2], Number(process.argv[3])];

/** A page may take as long as the front waits for a node, and a little longer. */
const LOAD_MS = 45_000;

const browser = await launchChromium();
const pages = await Promise.all(["stock", "forebay"].flatMap((client) => Array.from({ length: count }, (_, index) => open(client, index))));
console.log("ready");

for await (const line of createInterface({ input: process.stdin })) {
  const expected = JSON.parse(line);
  console.log(JSON.stringify(await Promise.all(pages.map((page) => look(page, expected)))));
}
await browser.close();

/** In a browser of its own, as far as connections and storage go. */
async function open(client, index) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(LOAD_MS);
  await page.addInitScript(watch);
  const counts = { reloads: 0, visits: 0, again: 0 };
  await page.exposeFunction("noticed", (what) => (counts[what] += 1));
  const opened = { name: `${client} ${index + 1}`, client, page, counts, url: `${url}/?client=${client}` };
  await page.goto(opened.url);
  await page.waitForSelector("turbo-cable-stream-source[connected]", { state: "attached" });
  return opened;
}

/** In the page: what Turbo does there, over all its visits, and what its sockets hear. */
function watch() {
  window.sockets = [];
  window.WebSocket = class extends WebSocket {
    constructor(...how) {
      super(...how);
      const socket = { messages: 0, entries: 0, heardAt: 0, last: "" };
      window.sockets.push(socket);
      this.addEventListener("message", ({ data }) => {
        socket.messages += 1;
        if (data.includes("<turbo-stream")) [socket.entries, socket.last] = [socket.entries + 1, data.slice(-200)];
        socket.heardAt = performance.now();
      });
      this.addEventListener("close", ({ code }) => (socket.closed = code));
    }
  };
  addEventListener("turbo:visit", () => window.noticed("visits"));
  addEventListener("turbo:before-stream-render", ({ detail: { newStream } }) => {
    const id = newStream.querySelector("template")?.content.firstElementChild?.id;
    if (newStream.getAttribute("action") === "append" && document.getElementById(id)) window.noticed("again");
  });
}

/** What the page shows beside what it should. A page that shows an error of the server's is loaded again, as its reader would. */
async function look(opened, expected) {
  const { name, client, page, counts } = opened;
  try {
    const shown = await page.evaluate(compare, expected);
    if (!shown.isPage) {
      counts.reloads += 1;
      await page.goto(opened.url);
      return { name, client, ...counts, error: shown.text };
    }
    if (!shown.isLive) await comeBack(page);
    return { name, client, ...counts, ...shown };
  } catch (error) {
    return { name, client, ...counts, error: String(error).split("\n")[0] };
  }
}

/** In the page. */
function compare(expected) {
  const list = document.getElementById("rows");
  if (!list) return { isPage: false, text: document.body?.textContent.trim().slice(0, 200) ?? "" };
  const rows = [...list.children].map((row) => Number(row.textContent));
  const [shown, wanted] = [new Set(rows), new Set(expected)];
  const lost = expected.filter((row) => !shown.has(row));
  const heard = window.sockets.slice(-2).map(({ heardAt, ...socket }) => ({ ...socket, silentMs: Math.round(performance.now() - heardAt) }));
  return {
    isPage: true,
    isLive: document.querySelector("turbo-cable-stream-source[connected]") !== null,
    rows: rows.length,
    lost: lost.length,
    // For people, where something is lost.
    story: lost.length > 0 ? `${window.sockets.length} sockets, of ${expected.length} rows without ${lost}: ${JSON.stringify(heard)}` : null,
    doubled: rows.length - shown.size,
    misordered: rows.filter((row, index) => index > 0 && row < rows[index - 1]).length,
    unknown: rows.filter((row) => !wanted.has(row)).length,
  };
}
