/**
 * Tells the server what the page saw, so that `why` can answer for both. Four times a second at the most, and no more than a queue holds:
 * what is left out is counted and told, too.
 *
 * @typedef {import("./watch.js").Change} Change
 */

import { cursorOf } from "./names.js";

const EVERY_MS = 250;

/** The server takes 32 KB at once; a browser sends 64 KB even while the page is left. */
const BYTES_MAX = 30_000;

/** Longer texts are cut: ids and messages of errors are not. */
const TEXT_MAX = 200;

/** A signed name with its cursor: the longest name that is taken has 1 024 bytes, and its base64 and all else half as much again. */
const NAME_MAX = 1_700;

export class Reports {
  /** Encoded. @type {string[]} */
  #queue = [];
  #bytes = 0;
  #dropped = 0;
  /** The cursor of a tag, by which the server knows whose connection it is. @type {string | null} */
  #page = null;
  #isClosed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {string} url */
  constructor(url) {
    this.url = url;
    addEventListener("pagehide", () => void this.#send());
  }

  /** @param {Change} change */
  add({ at, action, target, targets, stream, page, offset, seen }) {
    if (this.#isClosed) return;
    this.#page = page ?? this.#page;
    const about = { at, stream, offset, action, target, targets };
    const all = seen.length > 0 ? seen : [{ is: "applied" }];
    // The worst comes last: of several the server takes the newest.
    for (const one of [...all].reverse()) this.#push(JSON.stringify({ ...about, target: one.id ?? target, seen: one }, cut));
    this.#timer ??= setTimeout(() => void this.#send(), EVERY_MS);
  }

  /** @param {string} report */
  #push(report) {
    // In UTF-8 a character has three bytes at the most, but where two stand for one with four.
    const bytes = /^[\0-\x7f]*$/.test(report) ? report.length : report.length * 3;
    if (this.#bytes + bytes > BYTES_MAX) return void (this.#dropped += 1);
    this.#bytes += bytes + 1;
    this.#queue.push(report);
  }

  async #send() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#queue.length === 0) return;
    const tag = document.querySelector("[signed-stream-name]");
    const page = this.#page ?? (tag && cursorOf(tag));
    const about = JSON.stringify({ page, path: cut("path", location.pathname), dropped: this.#dropped });
    const body = `${about.slice(0, -1)},"reports":[${this.#queue.join(",")}]}`;
    this.#queue = [];
    this.#bytes = this.#dropped = 0;
    try {
      const { ok } = await fetch(this.url, { method: "POST", body, keepalive: true, headers: { "content-type": "application/json" } });
      // Nobody there wants to know.
      this.#isClosed = !ok;
    } catch {
      // The server is away. The panel goes on by itself.
    }
  }
}

/** @param {string} name @param {unknown} value */
const cut = (name, value) => (typeof value === "string" ? value.slice(0, name === "stream" ? NAME_MAX : TEXT_MAX) : value);
