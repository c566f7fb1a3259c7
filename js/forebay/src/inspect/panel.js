/**
 * The panel in the page: a badge that opens it, the page's tags, and what the last broadcasts did. One element beside the body, with a
 * shadow root: Turbo renders bodies, so neither a visit nor a morph comes near it, and where something takes it away it comes back.
 *
 * @typedef {import("./watch.js").Change} Change
 * @typedef {import("./watch.js").Watch} Watch
 */
import { element } from "./element.js";
import { Outlines } from "./frames.js";
import { readable, streamName } from "./names.js";
import { sentence } from "./sentences.js";
import { STYLE } from "./style.js";
import { tags } from "./tags.js";
import { isFinding } from "./watch.js";

const NAME = "forebay-inspect";

/** Under which a tab remembers that its panel is open. */
const OPEN = "forebay.inspect";

/** What a tag's state is like, and what it is called. @type {Record<string, [string, string]>} */
const STATES = {
  connected: ["good", "connected"],
  waiting: ["wait", "waiting"],
  stale: ["wait", "stale"],
  rejected: ["bad", "refused"],
  undefined: ["bad", "no script"],
  unsigned: ["bad", "not signed"],
};

class Panel {
  #host = element(NAME);
  #root = this.#host.attachShadow({ mode: "open" });
  #badge = element("button", { className: "badge", type: "button" });
  #title = element("h1");
  #body = element("div", { className: "body", tabIndex: 0 });
  #section = element("section");
  #outlines = new Outlines(this.#root);
  #isScheduled = false;

  /** @param {Watch} watch @param {string} inspector */
  constructor(watch, inspector) {
    this.watch = watch;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    this.#root.adoptedStyleSheets = [sheet];
    this.#badge.setAttribute("aria-expanded", "false");
    this.#badge.addEventListener("click", () => this.#open(true));
    const frames = element("button", { type: "button", title: "Outline the page's frames" }, "Frames");
    frames.setAttribute("aria-pressed", "false");
    frames.addEventListener("click", () => frames.setAttribute("aria-pressed", String(this.#outlines.toggle())));
    const close = element("button", { type: "button", title: "Close (Esc)", ariaLabel: "Close" }, "✕");
    close.addEventListener("click", () => this.#open(false));
    const all = element("a", { href: inspector, target: "_blank", rel: "noopener", title: "All pages and broadcasts" }, "Inspector");
    this.#section.setAttribute("aria-label", "Forebay: the wiring of this page");
    this.#section.append(element("header", {}, this.#title, frames, all, close), this.#body);
    this.#section.addEventListener("keydown", (event) => {
      // The page's own shortcuts are not meant in here.
      event.stopPropagation();
      if (event.key === "Escape") this.#open(false);
    });
    this.#root.append(this.#badge, this.#section);
    this.#show(remembered());
    new MutationObserver(() => this.changed()).observe(document, { subtree: true, childList: true, attributeFilter: ["connected", "stale", "rejected", "signed-stream-name"] });
    this.changed();
  }

  /** Something may look different: drawn with the next frame, however often it is said until then. */
  changed() {
    if (!this.#host.isConnected) document.documentElement.append(this.#host);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      this.#draw();
    });
  }

  /** @param {boolean} isOpen */
  #open(isOpen) {
    this.#show(isOpen);
    remember(isOpen);
    this.#draw();
    (isOpen ? this.#body : this.#badge).focus();
  }

  /** @param {boolean} isOpen */
  #show(isOpen) {
    this.#section.hidden = !isOpen;
    this.#badge.hidden = isOpen;
  }

  #draw() {
    const all = tags();
    const { changes, findings } = this.watch;
    const worst = findings > 0 ? "bad" : (["bad", "wait", "good"].find((like) => all.some(({ state }) => STATES[state][0] === like)) ?? "");
    const dot = () => element("span", { className: `dot ${worst}` });
    const summary = `${counted(all.length, "tag")}${findings > 0 ? ` · ${counted(findings, "finding")}` : ""}`;
    this.#badge.replaceChildren(dot(), summary);
    this.#badge.setAttribute("aria-label", `Forebay: ${summary}`);
    if (this.#section.hidden) return;
    this.#title.replaceChildren(dot(), element("span", {}, summary));
    this.#body.replaceChildren(
      element("h2", {}, "Tags"),
      all.length > 0 ? element("ul", { className: "tags" }, ...all.map(tagRow)) : element("p", { className: "none" }, "No source tag: this page hears of nothing."),
      element("h2", {}, "Broadcasts"),
      changes.length > 0 ? element("ul", { className: "changes" }, ...[...changes].reverse().map(changeRow)) : element("p", { className: "none" }, "None yet."),
    );
  }
}

/** @param {import("./tags.js").Tag} tag */
function tagRow({ stream, title, state, detail }) {
  const [like, called] = STATES[state];
  const row = element("li", { className: like }, element("span", { className: "dot" }), element("code", { title }, stream), element("em", {}, called));
  if (detail) row.append(element("p", {}, detail));
  return row;
}

/** @param {Change} change @param {number} at @param {Change[]} all */
function changeRow(change, at, all) {
  // A name stands once over those of its stream.
  const isNews = change.stream !== all[at - 1]?.stream;
  const { action, state, seen, stream } = change;
  const target = change.target ?? change.targets;
  const like = isFinding(change) ? "bad" : state === "done" ? "good" : state === "waiting" ? "wait" : "";
  const what = element("code", {}, action, ...(target ? [element("i", {}, " → "), target] : []));
  const time = element("time", {}, new Date(change.at).toLocaleTimeString([], { hour12: false }));
  const row = element("li", { className: like }, element("span", { className: "dot" }), what, time);
  const name = stream && streamName(stream);
  const said = state === "left" ? ["not shown by Turbo: left out, or rendered by the page itself"] : seen.map((one) => sentence(one, change));
  row.append(...said.map((text) => element("p", { className: "said" }, ...prose(text))));
  if (name && isNews) row.append(element("p", {}, element("code", { title: name }, readable(name))));
  return row;
}

/** With its code as such. @param {string} text */
const prose = (text) => text.split("`").map((part, at) => (at % 2 === 1 ? element("code", {}, part) : part));

/** @param {number} count @param {string} what */
const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

function remembered() {
  try {
    return sessionStorage.getItem(OPEN) === "open";
  } catch {
    return false; // A page without storage.
  }
}

/** @param {boolean} isOpen */
function remember(isOpen) {
  try {
    if (isOpen) sessionStorage.setItem(OPEN, "open");
    else sessionStorage.removeItem(OPEN);
  } catch {
    // The same.
  }
}

/** @param {Watch} watch @param {string} inspector */
export const install = (watch, inspector) => new Panel(watch, inspector);
