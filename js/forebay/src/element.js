import { format, isBefore, parse } from "./position.js";

/**
 * `<turbo-cable-stream-source>`, the same markup as turbo-rails'.
 *
 * Tags of one stream share a source: one subscription, and one position, which is what the document shows. It is
 * written into the tags, so that a snapshot of the page (Turbo's cache) goes on from its own state when it is
 * brought back.
 *
 * @typedef {import("./client.js").Client} Client
 * @typedef {import("./subscription.js").Subscription} Subscription
 * @typedef {import("./position.js").Position} Position
 */

const NAME = "turbo-cable-stream-source";
const AT = "data-forebay-at";

/** As turbo-rails: `data-roomId` is `room_id`. @param {string} name */
const snake = (name) => name.replace(/([A-Z]+)/g, (capitals) => `_${capitals.toLowerCase()}`);

/** How long a page may be without its server before that shows. */
const STALE_MS = 1_000;

class Source {
  /** @type {Set<StreamSourceElement>} */
  tags = new Set();
  /** Tags whose HTML the document has shown since the source was last looked at. */
  settled = new Set();
  /** @type {Subscription | null} */
  subscription = null;
  isStale = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;
}

/** All sources of a page. */
export class Sources {
  /** @type {Map<string, Source>} */
  #sources = new Map();
  #isScheduled = false;

  /** @param {Client} client @param {(reason: string, subscription: Subscription) => void} rejected */
  constructor(client, rejected) {
    this.client = client;
    this.rejected = rejected;
  }

  /** @param {StreamSourceElement} tag */
  connect(tag) {
    // A preview is soon replaced by the page itself.
    if (document.documentElement.hasAttribute("data-turbo-preview")) return;
    const key = tag.key;
    const source = this.#sources.get(key) ?? new Source();
    this.#sources.set(key, source);
    source.tags.add(tag);
    source.settled.delete(tag);
    tag.source = source;
    this.#schedule();
  }

  /** @param {StreamSourceElement} tag */
  disconnect(tag) {
    tag.source?.tags.delete(tag);
    tag.source = null;
    this.#schedule();
  }

  /** The document shows everything up to here. @param {Subscription} subscription */
  shown(subscription) {
    for (const source of this.#sources.values()) {
      if (source.subscription === subscription) this.#write(source);
    }
  }

  /** The document has been rendered again: what was lost is shown. */
  healed() {
    for (const source of this.#sources.values()) {
      if (source.subscription?.state === "confirmed") this.#setStale(source, false);
    }
  }

  #schedule() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // A tag that is moved leaves and comes back in one turn.
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#settle();
    });
  }

  #settle() {
    for (const [key, source] of this.#sources) {
      if (source.tags.size === 0) {
        if (source.subscription) this.client.remove(source.subscription);
        clearTimeout(source.timer);
        this.#sources.delete(key);
      } else {
        this.#settleSource(source);
      }
    }
    this.client.changed();
  }

  /**
   * Where the document stands with this stream: where its tags that have been there all the time stand, or new ones,
   * if those are older. Twice is better than never.
   * @param {Source} source
   */
  #settleSource(source) {
    const tags = [...source.tags];
    const fresh = tags.filter((tag) => !source.settled.has(tag));
    const stayed = tags.length > fresh.length;
    source.settled = new Set(tags);
    const { subscription } = source;
    if (fresh.length > 0) {
      const oldest = fresh.reduce((a, b) => (isOlder(b.position, a.position) ? b : a));
      const position = oldest.position;
      // What was rejected before may be allowed to a page that was rendered anew.
      const isLive = subscription && subscription.state !== "rejected";
      const differs = !isLive || !stayed || isOlder(position, subscription.shown);
      if (differs && !(isLive && position && this.client.moveTo(subscription, position))) {
        if (subscription) this.client.remove(subscription);
        source.subscription = this.client.add(oldest.identifier, position, this.#receiver(source));
        this.#expect(source);
      }
    }
    this.#write(source);
    this.#mark(source);
  }

  /** @param {Source} source */
  #write(source) {
    const { shown } = source.subscription ?? {};
    for (const tag of source.tags) {
      if (shown) tag.setAttribute(AT, format(shown));
    }
  }

  /** @param {Source} source @returns {import("./subscription.js").Receiver} */
  #receiver(source) {
    return {
      connected: () => {
        clearTimeout(source.timer);
        this.#setStale(source, false);
        this.#write(source);
        dispatch(source, "connected");
      },
      disconnected: () => {
        this.#mark(source);
        this.#expect(source);
      },
      resync: () => {
        this.#setStale(source, true);
        dispatch(source, "resync");
      },
      rejected: (reason) => {
        for (const tag of source.tags) tag.setAttribute("rejected", reason);
        this.#setStale(source, true);
        dispatch(source, "rejected", { reason });
        if (source.subscription) this.rejected(reason, source.subscription);
      },
    };
  }

  /** It is to be connected soon. @param {Source} source */
  #expect(source) {
    clearTimeout(source.timer);
    source.timer = setTimeout(() => this.#setStale(source, true), STALE_MS);
  }

  /** @param {Source} source */
  #mark(source) {
    const { state } = source.subscription ?? {};
    const isConnected = state === "confirmed";
    for (const tag of source.tags) {
      if (state !== "rejected") tag.removeAttribute("rejected");
      tag.toggleAttribute("connected", isConnected);
      tag.toggleAttribute("stale", source.isStale);
    }
  }

  /** @param {Source} source @param {boolean} isStale */
  #setStale(source, isStale) {
    const changes = source.isStale !== isStale;
    source.isStale = isStale;
    this.#mark(source);
    if (changes && isStale) dispatch(source, "stale");
  }
}

/** @param {Position | null} a @param {Position | null} b */
const isOlder = (a, b) => a !== null && b !== null && isBefore(a, b);

/** @param {Source} source @param {string} name @param {object} [detail] */
function dispatch(source, name, detail) {
  for (const tag of source.tags) tag.dispatchEvent(new CustomEvent(`forebay:${name}`, { bubbles: true, detail }));
}

/** @type {Sources} */
let sources;

/** A server that renders pages may import this, too. @type {typeof HTMLElement} */
const Element = globalThis.HTMLElement ?? Object;

class StreamSourceElement extends Element {
  static observedAttributes = ["channel", "signed-stream-name", "data-cursor", AT];
  /** @type {Source | null} */
  source = null;

  connectedCallback() {
    sources.connect(this);
  }

  disconnectedCallback() {
    sources.disconnect(this);
  }

  /**
   * A morph changes tags in place: what the document shows is now what the new tag says. Where that is as old as the tag
   * was at first (from a cache), only our own attribute goes.
   * @param {string} name @param {string | null} _ @param {string | null} value
   */
  attributeChangedCallback(name, _, value) {
    if (!this.source || (name === AT && value !== null)) return;
    sources.disconnect(this);
    this.removeAttribute(AT);
    sources.connect(this);
  }

  get #params() {
    const { forebayAt, ...data } = this.dataset;
    const params = Object.fromEntries(Object.entries(data).map(([name, value]) => [snake(name), value]));
    return { channel: this.getAttribute("channel"), signed_stream_name: this.getAttribute("signed-stream-name"), ...params };
  }

  /** The signed name, and the cursor behind its dot. Tags of older servers have that in `data-cursor`. */
  get #parts() {
    return `${this.getAttribute("signed-stream-name")}`.split(/\.(.*)/);
  }

  /** Names the subscription for the server, as turbo-rails' element does. */
  get identifier() {
    return JSON.stringify(this.#params);
  }

  /** Equal for all tags of one source. */
  get key() {
    return JSON.stringify({ ...this.#params, signed_stream_name: this.#parts[0], cursor: undefined });
  }

  /** What the document shows, as far as this tag knows. @returns {Position | null} */
  get position() {
    const rendered = parse(this.#parts[1] ?? this.dataset.cursor);
    const shown = parse(this.getAttribute(AT));
    if (!shown || !rendered) return shown ?? rendered;
    return isBefore(shown, rendered) ? rendered : shown;
  }
}

/** Takes over the tags of this page, unless another library has. @param {Sources} all */
export function define(all) {
  if (customElements.get(NAME)) return false;
  sources = all;
  customElements.define(NAME, StreamSourceElement);
  return true;
}
