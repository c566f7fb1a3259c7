// What can be seen of the page's stream sources from outside: the stock element's attributes and the events it dispatches.
// The stock client has no public state, so this is all that a page (or a person with the inspector) has to go by.

const SELECTOR = "turbo-cable-stream-source";

/** @typedef {"none" | "connecting" | "live" | "offline"} SourceState */
/** @typedef {{action: string, target: string, text: string, offset: string, found: boolean, at: number}} AppliedAction */

/** Sources that were live once: without `connected` they are offline rather than connecting. @type {WeakSet<Element>} */
const wereLive = new WeakSet();

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
  return waiting.some((source) => wereLive.has(source)) ? "offline" : "connecting";
}

/** Where this page begins to listen, as rendered: `epoch.offset.page.mac`. @returns {string} empty without a source */
export function pageCursor() {
  return document.querySelector(`${SELECTOR}[data-cursor]`)?.dataset.cursor ?? "";
}

// A morph would take `connected` off a source that is still subscribed, since the server's HTML hasn't got it.
addEventListener("turbo:before-morph-attribute", (event) => {
  if (event.detail.attributeName === "connected" && event.target.matches(SELECTOR)) event.preventDefault();
});

/** Calls back whenever {@link sourceState} or {@link pageCursor} may have changed. @param {() => void} changed */
export function watchSources(changed) {
  new MutationObserver(changed).observe(document, { subtree: true, attributeFilter: ["connected", "data-cursor"] });
  addEventListener("turbo:load", changed);
  addEventListener("turbo:render", changed);
}

/**
 * Calls back for every action that came over the cable and is about to be applied; not for those in a form's own answer.
 *
 * @param {(applied: AppliedAction) => void} applied
 * @param {() => void} entry once per entry of the log, which may carry several actions
 */
export function watchActions(applied, entry) {
  // The source's `message` event doesn't bubble, but it is captured. Turbo dispatches before-stream-render while handling
  // it, and microtasks run only after that: in between, an action belongs to this entry.
  let delivering = false;
  const deliver = ({ target }) => {
    if (!(target instanceof Element && target.matches(SELECTOR))) return;
    delivering = true;
    queueMicrotask(() => (delivering = false));
    entry();
  };
  document.addEventListener("message", deliver, { capture: true });
  addEventListener("turbo:before-stream-render", ({ detail: { newStream } }) => {
    if (delivering) applied(describe(newStream));
  });
}

/** @returns {AppliedAction} */
function describe(stream) {
  const action = stream.getAttribute("action") ?? "";
  return {
    action,
    target: stream.getAttribute("target") ?? stream.getAttribute("targets") ?? "",
    text: stream.querySelector("template")?.content.querySelector(".message-body, .room-name")?.textContent ?? "",
    offset: stream.dataset.offset ?? "",
    found: action === "refresh" || stream.targetElements.length > 0,
    at: Date.now(),
  };
}
