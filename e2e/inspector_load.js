// What it costs to look: the server's CPU for a delivery, and how long deliveries take, with the inspector open in Chromium and without,
// in turns. `cargo xtask inspector-load` builds what it needs and runs it.

import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { WebSocket } from "ws";
import { launchChromium } from "./support/chromium.js";
import { within } from "./support/deadline.js";
import { Server } from "./support/server.js";

const PAGES = Number(process.env.FOREBAY_LOAD_PAGES ?? 5_000);
const RATE = Number(process.env.FOREBAY_LOAD_RATE ?? 1_000);
const SECONDS = Number(process.env.FOREBAY_LOAD_SECONDS ?? 8);
const TURNS = Number(process.env.FOREBAY_LOAD_TURNS ?? 6);
const STREAMS = Math.ceil(PAGES / 2);
/** Posts that are on their way at once: what two cores answer in some milliseconds. */
const POSTS_MAX = 64;

const server = new Server({ env: { RUST_LOG: "error" } });
const browser = await launchChromium();
const delays = [];

/** Clock ticks of the server's process, of 10 ms each. */
function ticks() {
  const fields = readFileSync(`/proc/${server.pid}/stat`, "utf8").split(") ")[1].split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function connect(source) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/cable`, ["actioncable-v1-json"], { perMessageDeflate: false });
    socket.once("error", reject);
    socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      if (message.type === "welcome") {
        const identifier = JSON.stringify({ channel: "Turbo::StreamsChannel", signed_stream_name: source.signed_stream_name });
        socket.send(JSON.stringify({ command: "subscribe", identifier }));
      } else if (message.type === "confirm_subscription") resolve(socket);
      else if (message.type === undefined && typeof message.message === "number") delays.push(performance.now() - message.message);
    });
  });
}

/** In tens: a burst of thousands would only fill the backlog. */
async function connectAll() {
  const sockets = [];
  for (let at = 0; at < PAGES; at += 10) {
    const some = Array.from({ length: Math.min(10, PAGES - at) }, async (_, more) => {
      const room = ((at + more) % STREAMS) + 1;
      const source = await (await fetch(`${server.url}/test/rooms/${room}/source`)).json();
      names[room - 1] = source.stream;
      return connect(source);
    });
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

const names = [];

/** Publishes for some seconds at the rate, and gives what each delivery has cost. */
async function measure() {
  delays.length = 0;
  const [from, start, count] = [ticks(), performance.now(), RATE * SECONDS];
  let under = 0;
  for (let sent = 0; sent < count; sent += 1) {
    const due = start + (sent * 1_000) / RATE;
    if (due > performance.now() + 1) await pause(due - performance.now());
    while (under >= POSTS_MAX) await pause(1);
    under += 1;
    const body = new URLSearchParams({ stream: names[sent % STREAMS], json: String(performance.now()) });
    void fetch(`${server.url}/test/streams/publish`, { method: "POST", body }).then((answer) => answer.text()).finally(() => (under -= 1));
  }
  const expected = Math.floor((count * PAGES) / STREAMS);
  while (delays.length < expected * 0.999 && performance.now() - start < (SECONDS + 20) * 1_000) await pause(20);
  const seconds = (performance.now() - start) / 1_000;
  const cpu = ((ticks() - from) * 10_000) / delays.length;
  const sorted = [...delays].sort((a, b) => a - b);
  const at = (part) => sorted[Math.floor(sorted.length * part)].toFixed(1);
  return { cpu, p50: at(0.5), p99: at(0.99), rate: (count / seconds).toFixed(0), deliveries: delays.length };
}

async function run() {
  await server.ready();
  const sockets = await connectAll();
  console.log(`${sockets.length} pages on ${STREAMS} streams; ${RATE} broadcasts a second for ${SECONDS} s, in ${TURNS} turns`);
  await measure();
  const sums = { closed: [], open: [] };
  for (let turn = 0; turn < TURNS; turn += 1) {
    const isOpen = turn % 2 === 1;
    const page = isOpen ? await browser.newPage() : null;
    await page?.goto(`${server.url}/forebay/inspect`);
    await page?.locator(".rows li").first().waitFor();
    const { cpu, ...rest } = await measure();
    await page?.close();
    sums[isOpen ? "open" : "closed"].push(cpu);
    console.log(isOpen ? "open  " : "closed", `${cpu.toFixed(2)} µs of CPU a delivery`, JSON.stringify(rest));
  }
  const mean = (values) => values.reduce((a, b) => a + b) / values.length;
  console.log(`the inspector costs ${((mean(sums.open) / mean(sums.closed) - 1) * 100).toFixed(1)} % of a delivery's CPU`);
  for (const socket of sockets) socket.terminate();
}

try {
  await within("the load", run(), { ms: 600_000 });
} finally {
  await browser.close();
  await server.stop();
}
