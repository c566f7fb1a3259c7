/**
 * Whether one `<turbo-stream>` does what it says, judged by the document at the moment at which Turbo performs it, and right behind.
 *
 * Earlier is too early: an action before it in the same message may make its target.
 *
 * @typedef {{ is: string, ids?: string[], count?: number, nested?: boolean, id?: string, frame?: string, element?: string, parent?: string,
 *   error?: string }} Seen what the server takes as `forebay_inspect::Seen`
 */
import { streamName } from "./names.js";
import { nearest } from "./nearest.js";

export const SOURCES = "turbo-cable-stream-source, turbo-stream-source, turbo-cable-presence-source";

const INTO = ["append", "prepend", "update"];
const BUILT_IN = [...INTO, "before", "after", "replace", "remove"];

/** Where the parts of a table may stand. @type {Record<string, string[]>} */
const PARENTS = {
  tr: ["tbody", "thead", "tfoot", "table"],
  td: ["tr"],
  th: ["tr"],
  tbody: ["table"],
  thead: ["table"],
  tfoot: ["table"],
};

/** Ids of a template that are looked for in the page. */
const IDS_MAX = 100;

/** @param {string} id */
const byId = (id) => [...document.querySelectorAll(`#${CSS.escape(id)}`)];

function* idsOfPage() {
  for (const { id } of document.body.querySelectorAll("[id]")) if (id) yield id;
}

/**
 * @param {Element} stream
 * @param {Element | null} source the tag that it came through
 * @returns {() => Seen[]} to call when Turbo has performed it: all that is wrong, the worst first
 */
export function judge(stream, source) {
  const action = stream.getAttribute("action") ?? "";
  /** @type {Seen[]} */
  const seen = [];
  const actions = /** @type {any} */ (globalThis).Turbo?.StreamActions;
  if (actions && !(action in actions)) seen.push({ is: "unknown_action" });
  if (action === "refresh") seen.push(...judgeRefresh(stream));
  const judged = BUILT_IN.includes(action) ? judgeChange(stream, action, source, seen) : () => {};
  if (document.documentElement.hasAttribute("data-turbo-preview")) seen.push({ is: "preview" });
  return () => {
    judged();
    return seen;
  };
}

/** What Turbo will not do: it knows its own requests. @param {Element} stream @returns {Seen[]} */
function judgeRefresh(stream) {
  const requests = /** @type {any} */ (globalThis).Turbo?.session?.recentRequests;
  return requests?.has(stream.getAttribute("request-id")) ? [{ is: "own_refresh" }] : [];
}

/** @param {Element} stream @param {string} action @param {Element | null} source @param {Seen[]} seen @returns {() => void} */
function judgeChange(stream, action, source, seen) {
  const target = stream.getAttribute("target");
  const found = targetsOf(stream, seen);
  const first = stream.firstElementChild;
  const content = action !== "remove" && first instanceof HTMLTemplateElement ? first.content : null;
  if (action !== "remove") seen.push(...judgeContent(action, target, content, found));
  const hadSource = source !== null && action !== "remove" && found.some((element) => element.contains(source));
  const counts = new Map(idsOf(content).map((id) => [id, byId(id).length]));
  return () => {
    if (hadSource) seen.push(...judgeSource(source));
    for (const [id, before] of counts) {
      const count = byId(id).length;
      if (count > 1 && before < 2 && id !== target) seen.push({ is: "target_doubled", id, count });
    }
  };
}

/** The elements that Turbo acts on. @param {Element} stream @param {Seen[]} seen @returns {Element[]} */
function targetsOf(stream, seen) {
  const target = stream.getAttribute("target");
  const selector = stream.getAttribute("targets");
  if (target) {
    const all = byId(target);
    if (all.length > 1) seen.push({ is: "target_doubled", count: all.length });
    const ids = all.length === 0 ? idsLike(target) : [];
    // What is not there is removed, but for a slip of the pen.
    const isRemoved = stream.getAttribute("action") === "remove" && ids.length === 0;
    if (all.length === 0 && !isRemoved) seen.push({ is: "target_missing", ids });
    return all.slice(0, 1);
  }
  try {
    // Without either, and with what is no selector, Turbo throws and says so.
    if (!selector) return [];
    const all = [...document.querySelectorAll(selector)];
    if (all.length === 0) seen.push({ is: "target_missing", ids: /^[\w-]+$/.test(selector) && byId(selector).length > 0 ? [`#${selector}`] : [] });
    return all;
  } catch {
    return [];
  }
}

/** @param {string} target @returns {string[]} the nearest first */
function idsLike(target) {
  const bare = target.replace(/^[#.]+/, "");
  return bare && byId(bare).length > 0 ? [bare] : nearest(target, idsOfPage());
}

/** @param {string} action @param {string | null} target @param {DocumentFragment | null} content @param {Element[]} found @returns {Seen[]} */
function judgeContent(action, target, content, found) {
  if (!content) return [{ is: "empty_template" }];
  const isEmpty = content.childElementCount === 0 && content.textContent?.trim() === "";
  // To empty an element is what an update is used for, too.
  if (isEmpty) return action === "update" ? [] : [{ is: "empty_template" }];
  /** @type {Seen[]} */
  const seen = [];
  const own = target && content.querySelector(`#${CSS.escape(target)}`);
  if (own && found.length > 0) {
    if (INTO.includes(action)) seen.push({ is: "target_doubled", count: 2, nested: true });
    const arePermanent = [own, found[0]].every((element) => element.hasAttribute("data-turbo-permanent"));
    if (action === "replace" && arePermanent) seen.push({ is: "permanent" });
  }
  const parent = INTO.includes(action) ? found[0] : found[0]?.parentElement;
  const stray = parent && [...content.children].find(({ localName }) => PARENTS[localName]?.includes(parent.localName) === false);
  if (stray) seen.push({ is: "misplaced", element: stray.localName, parent: parent.localName });
  return seen;
}

/** The tag that the message came through was in what it has replaced. Another one of its stream goes on for it. @param {Element} source @returns {Seen[]} */
function judgeSource(source) {
  const nameOf = (/** @type {Element} */ tag) => streamName(tag.getAttribute("signed-stream-name") ?? "");
  const isRead = [...document.querySelectorAll(SOURCES)].some((tag) => nameOf(tag) === nameOf(source));
  return source.isConnected || isRead ? [] : [{ is: "source_removed" }];
}

/** @param {DocumentFragment | null} content @returns {string[]} */
const idsOf = (content) => [...(content?.querySelectorAll("[id]") ?? [])].map(({ id }) => id).filter(Boolean).slice(0, IDS_MAX);
