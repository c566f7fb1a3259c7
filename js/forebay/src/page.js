/**
 * Showing entries in a page with Turbo: strictly one after the other, whatever renders them takes.
 *
 * @typedef {import("./queue.js").Item} Item
 * @typedef {(kind: string, subscription: import("./subscription.js").Subscription | null, detail: string, offset?: number) => void} Trouble
 */

/** For the answer to one of the page's own requests, whose effect has come as an entry already. */
const OWN_ANSWER_MS = 10_000;

/** For one action to be shown. */
const RENDER_MS = 10_000;

/** Refreshes that heal, one after the other. A page that needs more may run over its application: each of the next waits. */
const HEALS_MAX = 5;

/** A page may heal itself once more after so long. */
const HEAL_EVERY_MS = 12_000;

/** @returns {any} the page's Turbo */
const turbo = () => /** @type {any} */ (globalThis).Turbo;

export class Page {
  /** The requests of this page that were answered. @type {Set<string>} */
  #answered = new Set();
  /** @type {Set<() => void>} */
  #onAnswer = new Set();
  /** What is being appended now. @type {{ item: Item, isCurrent: () => boolean } | null} */
  #current = null;
  #chain = Promise.resolve();
  #wantsRefresh = false;
  /** A refresh is on its way: owed until the page is rendered. What is found missing until then, it shows as well. */
  #isOwed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** When a page that healed itself in an even pace would heal itself next. */
  #nextHeal = 0;
  /** The wanted refresh has to wait until then. */
  #notBefore = 0;

  /** @param {Trouble} trouble */
  constructor(trouble) {
    this.trouble = trouble;
    document.addEventListener("turbo:before-stream-render", (event) => this.#beforeRender(/** @type {CustomEvent} */ (event)));
    document.addEventListener("turbo:before-fetch-response", (event) => this.#response(/** @type {CustomEvent} */ (event)));
    document.addEventListener("turbo:render", () => (this.#isOwed = false));
    for (const name of ["turbo:load", "turbo:render", "turbo:submit-end", "turbo:fetch-request-error"]) {
      document.addEventListener(name, () => setTimeout(() => this.#refreshIfIdle()));
    }
  }

  /** @param {Item} item */
  async prepare({ message }) {
    if (typeof message === "string") await this.#ownAnswers(message);
  }

  /**
   * Begins to show an entry at once, behind those before it; returns when it is shown.
   * @param {Item} item
   * @param {() => boolean} isCurrent whether the page still lacks it when its turn has come
   */
  async show(item, isCurrent) {
    const { message, subscription, offset } = item;
    const fail = (/** @type {unknown} */ why) => this.trouble("error", subscription, String(why), offset ?? undefined);
    const { received } = subscription.receiver;
    if (received) {
      try {
        received(message);
      } catch (error) {
        fail(error);
      }
      return;
    }
    if (typeof message !== "string") return fail("not a string");
    const html = this.#withoutReflected(message);
    const root = document.documentElement;
    const last = root.lastElementChild;
    this.#current = { item, isCurrent };
    // For inspect.js, which can't see otherwise what has brought it.
    document.dispatchEvent(new CustomEvent("forebay:show", { detail: { identifier: subscription.identifier, offset } }));
    try {
      if (turbo()) {
        turbo().renderStreamMessage(html);
      } else {
        root.append(document.createRange().createContextualFragment(html));
      }
    } catch (error) {
      fail(error);
    } finally {
      this.#current = null;
    }
    /** @type {Promise<unknown>[]} */
    const renders = [];
    for (let element = last?.nextElementSibling; element; element = element.nextElementSibling) {
      const stream = /** @type {any} */ (element);
      if (stream.renderPromise) renders.push(stream.renderPromise);
    }
    for (const { reason } of /** @type {any[]} */ (await Promise.allSettled(renders))) {
      if (reason) fail(reason);
    }
  }

  /** Puts our rules around the rendering of an element of ours. @param {CustomEvent} event */
  #beforeRender(event) {
    if (!this.#current) return;
    const { item, isCurrent } = this.#current;
    const render = event.detail.render;
    event.detail.render = (/** @type {any} */ element) => {
      const turn = this.#chain.then(() => {
        if (!isCurrent()) return;
        if (element.action === "refresh") return this.#refresh(element.getAttribute("request-id"));
        const selects = element.hasAttribute("target") || element.hasAttribute("targets");
        if (selects && element.targetElements?.length === 0) {
          const target = element.getAttribute("target") ?? element.getAttribute("targets");
          this.trouble("no_target", item.subscription, `${element.action} ${target}`, item.offset ?? undefined);
        }
        let timer = 0;
        const late = new Promise((_, reject) => {
          timer = setTimeout(() => reject(new Error(`${element.action} takes too long`)), RENDER_MS);
        });
        return Promise.race([render(element), late]).finally(() => clearTimeout(timer));
      });
      this.#chain = turn.catch(() => {});
      return turn;
    };
  }

  // --- what the page's own responses have shown already ----------------------------------------

  /** @param {CustomEvent} event */
  #response(event) {
    const response = event.detail.fetchResponse?.response;
    const id = response?.headers.get("x-turbo-request-id");
    if (!id || !response.ok) return;
    this.#answered.add(id);
    if (this.#answered.size > 20) this.#answered.delete(/** @type {string} */ (this.#answered.values().next().value));
    for (const check of this.#onAnswer) check();
  }

  /** What the page shows already leaves the message. @param {string} html */
  #withoutReflected(html) {
    if (![...this.#answered].some((id) => html.includes(id))) return html;
    const template = document.createElement("template");
    template.innerHTML = html;
    for (const element of template.content.querySelectorAll("turbo-stream[request-id]:not([action=refresh])")) {
      if (this.#answered.has(element.getAttribute("request-id") ?? "")) element.remove();
    }
    return template.innerHTML;
  }

  /** Waits for the answers to our own requests that the message names. @param {string} html */
  async #ownAnswers(html) {
    const recent = turbo()?.session?.recentRequests;
    if (!recent) return;
    for (const [, id] of html.matchAll(/<turbo-stream(?![^>]* action="refresh")[^>]* request-id="([^"]+)"/g)) {
      if (!recent.has(id) || this.#answered.has(id)) continue;
      await new Promise((/** @type {(_: void) => void} */ resolve) => {
        const end = () => {
          clearTimeout(timer);
          this.#onAnswer.delete(check);
          resolve();
        };
        const check = () => this.#answered.has(id) && end();
        const timer = setTimeout(end, OWN_ANSWER_MS);
        this.#onAnswer.add(check);
      });
    }
  }

  // --- refreshes ---------------------------------------------------------------------------------

  /**
   * The page lacks something that nobody can give it any more.
   * @param {import("./subscription.js").Subscription | null} subscription
   */
  heal(subscription) {
    if (this.#wantsRefresh || this.#isOwed) return;
    const now = performance.now();
    this.#notBefore = Math.max(now, this.#nextHeal - (HEALS_MAX - 1) * HEAL_EVERY_MS);
    this.#nextHeal = Math.max(this.#nextHeal, this.#notBefore) + HEAL_EVERY_MS;
    const seconds = Math.ceil((this.#notBefore - now) / 1_000);
    if (seconds > 0) this.trouble("error", subscription, `healed too often: the page loads itself again in ${seconds} s`);
    this.#wantsRefresh = true;
    this.#refreshIfIdle();
  }

  /** @param {string | null} requestId */
  #refresh(requestId) {
    if (requestId && turbo()?.session?.recentRequests?.has(requestId)) return;
    this.#notBefore = 0;
    this.#wantsRefresh = true;
    this.#refreshIfIdle();
  }

  /** Turbo drops a refresh that comes during a visit; here it waits for the visit's end. */
  #refreshIfIdle() {
    clearTimeout(this.#timer);
    if (!this.#wantsRefresh && !this.#isOwed) return;
    // Not every end of a visit is announced.
    this.#timer = setTimeout(() => this.#refreshIfIdle(), 1_000);
    if (this.#wantsRefresh && performance.now() < this.#notBefore) return;
    const session = turbo()?.session;
    const html = document.documentElement;
    if (session?.navigator.currentVisit || document.querySelector("form[aria-busy]") || html.hasAttribute("data-turbo-preview")) return;
    if (!this.#wantsRefresh) {
      // Nothing was rendered: a form that was submitted, say, has cancelled it.
      this.#isOwed = false;
      if (session) this.heal(null);
      return;
    }
    this.#wantsRefresh = false;
    this.#isOwed = true;
    if (session) session.refresh(document.baseURI);
    else location.reload();
  }
}
