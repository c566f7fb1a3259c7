/**
 * The page's source tags, and how far each has come.
 *
 * @typedef {"connected" | "waiting" | "stale" | "rejected" | "undefined" | "unsigned"} State
 * @typedef {{ stream: string, title: string, state: State, detail: string }} Tag
 */
import { SOURCES } from "./judge.js";
import { cursorOf, readable, streamName } from "./names.js";

/** Tags that are told apart in the panel. */
const TAGS_MAX = 100;

/** @returns {Tag[]} */
export function tags() {
  return [...document.querySelectorAll(SOURCES)].slice(0, TAGS_MAX).map(describe);
}

/** @param {Element} tag @returns {Tag} */
function describe(tag) {
  const signed = tag.getAttribute("signed-stream-name");
  const name = signed === null ? null : streamName(signed);
  const stream = name === null ? (tag.getAttribute("channel") ?? tag.localName) : readable(name);
  const state = signed !== null && name === null ? "unsigned" : stateOf(tag);
  return { stream, title: name ?? "", state, detail: detailOf(tag, state) };
}

/** @param {Element} tag @returns {State} */
function stateOf(tag) {
  if (!customElements.get(tag.localName)) return "undefined";
  if (tag.hasAttribute("rejected")) return "rejected";
  if (tag.hasAttribute("stale")) return "stale";
  const events = /** @type {any} */ (tag).streamSource;
  const isOpen = events instanceof EventSource ? events.readyState === EventSource.OPEN : tag.hasAttribute("connected");
  return isOpen ? "connected" : "waiting";
}

/** @param {Element} tag @param {State} state */
function detailOf(tag, state) {
  switch (state) {
    case "undefined":
      return `No script of this page has defined <${tag.localName}>: load @hotwired/turbo-rails, or forebay.js.`;
    case "unsigned":
      return "Its name is not signed: render the tag with stream_from (Rails: turbo_stream_from).";
    case "rejected":
      return `The server has refused it: ${tag.getAttribute("rejected")}.`;
    case "stale":
      return "The page may lack something: its server is away.";
    case "waiting":
      return "Not confirmed. The inspector knows whether the server has refused it.";
    default:
      return cursorOf(tag) !== null || tag.localName === "turbo-stream-source" ? "" : "It has no cursor: what was broadcast while the page was rendered is missing.";
  }
}
