/**
 * Sees each `<turbo-stream>` that Turbo renders in this page, whichever client has brought it, and each frame that finds no match.
 * It only listens, and puts a look before and behind the rendering: what is rendered, and when, stays as it is.
 *
 * @typedef {import("./judge.js").Seen} Seen
 * @typedef {object} Change one stream action, or one frame
 * @property {number} at
 * @property {string} action
 * @property {string | null} target an id
 * @property {string | null} targets a selector
 * @property {string | null} stream the signed name of the tag that it came through
 * @property {string | null} page the cursor of that tag
 * @property {number} [offset] where the client knows it
 * @property {"waiting" | "done" | "left"} state `left`: cancelled, or rendered by somebody else
 * @property {Seen[]} seen
 */
import { judge, SOURCES } from "./judge.js";
import { cursorOf, withoutCursor } from "./names.js";

/** Changes that the panel can show: each some 300 bytes. */
const CHANGES_MAX = 50;

/** What is no fault: Turbo does it on purpose. */
const HARMLESS = ["own_refresh"];

/** Whether somebody should look at it. @param {Change} change */
export const isFinding = ({ seen }) => seen.some(({ is }) => !HARMLESS.includes(is));

export class Watch {
  /** The newest last. @type {Change[]} */
  changes = [];
  /** How many findings there were since the page was loaded. */
  findings = 0;
  /** The tag that brings something just now, and where that is in the log. @type {{ tag: Element, offset?: number } | null} */
  #bringing = null;

  /** @param {(change: Change) => void} judged @param {() => void} changed */
  constructor(judged, changed) {
    this.judged = judged;
    this.changed = changed;
    // The event of a tag does not bubble. Turbo renders while it is dispatched.
    addEventListener("message", ({ target }) => target instanceof Element && target.matches(SOURCES) && this.#bring({ tag: target }), true);
    // forebay.js says what it is about to show.
    document.addEventListener("forebay:show", (event) => {
      const { identifier, offset } = /** @type {CustomEvent} */ (event).detail;
      const tag = tagOf(identifier);
      if (tag) this.#bring({ tag, offset: offset ?? undefined });
    });
    // First of all listeners, so that what the others put around the rendering is around this, too.
    addEventListener("turbo:before-stream-render", (event) => this.#before(/** @type {CustomEvent} */ (event)), true);
    // Of a message without a template Turbo renders nothing, not even what has one.
    addEventListener("error", ({ error }) => this.#unrendered(String(error), this.#bringing?.tag));
    document.addEventListener("forebay:error", (event) => {
      const { identifier, offset, detail } = /** @type {CustomEvent} */ (event).detail;
      this.#unrendered(detail, tagOf(identifier), offset);
    });
    addEventListener("turbo:frame-missing", ({ target }) => this.#frameMissing(/** @type {Element} */ (target)));
  }

  /** @param {{ tag: Element, offset?: number }} bringing */
  #bring(bringing) {
    this.#bringing = bringing;
    queueMicrotask(() => (this.#bringing = null));
  }

  /** @param {CustomEvent} event */
  #before(event) {
    const { newStream, render } = event.detail;
    const { tag, offset } = this.#bringing ?? {};
    const said = (/** @type {string} */ name) => newStream.getAttribute(name);
    const change = this.#add(said("action") ?? "", { target: said("target"), targets: said("targets"), ...of(tag), offset });
    event.detail.render = async (/** @type {Element} */ stream) => {
      const judged = judge(stream, tag ?? null);
      /** @type {Seen[]} */
      let thrown = [];
      try {
        await render(stream);
      } catch (error) {
        thrown = [{ is: "threw", error: error instanceof Error ? error.message : String(error) }];
        throw error;
      } finally {
        const seen = judged();
        this.#end(change, seen.length > 0 ? seen : thrown);
      }
    };
    const own = event.detail.render;
    // Behind all listeners. Whoever has put something of their own there may never come to ours.
    queueMicrotask(() => {
      if (event.defaultPrevented) return this.#leave(change);
      const outer = event.detail.render;
      if (outer === own) return;
      event.detail.render = async (/** @type {Element} */ stream) => {
        try {
          await outer(stream);
        } finally {
          if (change.state === "waiting") this.#leave(change);
        }
      };
    });
  }

  /** @param {string} error @param {Element | null} [tag] @param {number} [offset] */
  #unrendered(error, tag, offset) {
    const [, html] = /(<turbo-stream.*>): first child element must be a <template>/s.exec(error) ?? [];
    if (!html) return;
    const template = document.createElement("template");
    template.innerHTML = html;
    const said = (/** @type {string} */ name) => template.content.firstElementChild?.getAttribute(name) ?? null;
    const change = this.#add(said("action") ?? "", { target: said("target"), targets: said("targets"), ...of(tag), offset });
    this.#end(change, [{ is: "empty_template" }]);
  }

  /** @param {Element} frame */
  #frameMissing({ id }) {
    this.#end(this.#add("frame", { target: id }), [{ is: "frame_without_match", frame: id }]);
  }

  /** @param {string} action @param {Partial<Change>} known @returns {Change} */
  #add(action, known) {
    /** @type {Change} */
    const change = { at: Date.now(), action, target: null, targets: null, ...of(), ...known, state: "waiting", seen: [] };
    this.changes.push(change);
    if (this.changes.length > CHANGES_MAX) this.changes.shift();
    this.changed();
    return change;
  }

  /** @param {Change} change @param {Seen[]} seen */
  #end(change, seen) {
    change.state = "done";
    change.seen = seen;
    if (isFinding(change)) this.findings += 1;
    this.judged(change);
    this.changed();
  }

  /** @param {Change} change */
  #leave(change) {
    change.state = "left";
    this.changed();
  }
}

/** @param {Element | null} [tag] */
function of(tag) {
  const signed = tag?.getAttribute("signed-stream-name");
  return { stream: signed ? withoutCursor(signed) : null, page: tag ? cursorOf(tag) : null };
}

/** @param {string} identifier */
function tagOf(identifier) {
  try {
    const { signed_stream_name: signed } = JSON.parse(identifier);
    return document.querySelector(`[signed-stream-name=${JSON.stringify(signed)}]`);
  } catch {
    return null;
  }
}
