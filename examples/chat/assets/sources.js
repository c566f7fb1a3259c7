// What can be seen of the page's stream sources from outside: the stock element's attributes, its subscription, and the events
// that it dispatches. The stock client has no public state, so this is all that a page has to go by.

import { offsetListener } from "./offsets.js";

const SELECTOR = "turbo-cable-stream-source";

/** @typedef {"none" | "connecting" | "live" | "offline" | "refused"} SourceState */
/** @typedef {{action: string, target: string, text: string, offset: number | undefined, found: boolean, at: number}} AppliedAction */

/** Sources that were live once: without `connected` they are offline rather than connecting. @type {WeakSet<Element>} */
const wereLive = new WeakSet();
let refused = false;

/** @returns {Element[]} the sources in the document */
export function streamSources() {
  return [...document.querySelectorAll(SELECTOR)];
}

/** @returns {SourceState} of the page as a whole: live only if every source is */
export function sourceState() {
  const sources = streamSources();
  if (sources.length === 0) return "none";
  const waiting = sources.filter((source) => !source.hasAttribute("connected"));
  for (const source of sources) if (!waiting.includes(source)) wereLive.add(source);
  if (waiting.length === 0) return "live";
  if (refused) return "refused";
  return waiting.some((source) => wereLive.has(source)) ? "offline" : "connecting";
}

/** Where this page began to listen: `epoch.offset.page.mac`, behind a signed name and a dot. @returns {string} empty without a source */
export function pageCursor() {
  const [, ...cursor] = document.querySelector(SELECTOR)?.getAttribute("signed-stream-name").split(".") ?? [];
  return cursor.join(".");
}

/**
 * @param {object} handlers
 * @param {() => void} handlers.changed called whenever {@link sourceState} or {@link pageCursor} may have changed
 * @param {(action: AppliedAction) => void} handlers.applied called for every action that came over the cable, once it is
 *   applied; not for those in a form's own answer
 */
export function watchSources({ changed, applied }) {
  // A source is confirmed before it gets anything, so this listens in time, also to the socket after a reconnect.
  const listen = offsetListener(watchActions(applied));
  const rejected = () => {
    refused = true;
    changed();
  };
  const look = () => {
    listen();
    // Action Cable calls it if it is there; the stock element has none.
    for (const { subscription } of streamSources()) if (subscription) subscription.rejected = rejected;
    changed();
  };
  new MutationObserver(look).observe(document, { subtree: true, attributeFilter: ["connected", "signed-stream-name"] });
  addEventListener("turbo:render", look);
  addEventListener("turbo:load", () => {
    refused = false;
    look();
  });
}

/** @returns {(offset: number) => void} to be told the offset of what was delivered just now */
function watchActions(applied) {
  // A source's `message` event doesn't bubble, but it is captured. Turbo dispatches before-stream-render while handling it,
  // and microtasks run only after that: in between, an action belongs to this entry.
  let entry;
  let delivering = false;
  const deliver = ({ target }) => {
    if (delivering || !(target instanceof Element && target.matches(SELECTOR))) return;
    entry = { offset: undefined };
    delivering = true;
    queueMicrotask(() => (delivering = false));
  };
  document.addEventListener("message", deliver, { capture: true });
  addEventListener("turbo:before-stream-render", ({ detail }) => {
    if (!delivering) return;
    const { render } = detail;
    const itsEntry = entry;
    // Turbo calls this at the next repaint: by then the offset is known.
    detail.render = async (stream) => {
      const action = describe(stream, itsEntry.offset);
      await render(stream);
      applied(action);
    };
  });
  return (offset) => {
    if (entry) entry.offset = offset;
    entry = undefined;
  };
}

/** Before it is applied: afterwards the target may be gone. @returns {AppliedAction} without an offset if it is a resync */
function describe(stream, offset) {
  const action = stream.getAttribute("action") ?? "";
  return {
    action,
    target: stream.getAttribute("target") ?? stream.getAttribute("targets") ?? "",
    text: stream.querySelector("template")?.content.querySelector(".message-body, .room-name")?.textContent ?? "",
    offset,
    found: action === "refresh" || stream.targetElements.length > 0,
    at: Date.now(),
  };
}
