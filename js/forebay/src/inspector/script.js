/**
 * What the inspector's pages run. Their stream says that something has happened; then what is marked with `data-live` is fetched
 * again, as this very view, and exchanged where it differs. It needs no Turbo: it is the app's, which may have none.
 */
import { forebay } from "./forebay.js";

/** Between two fetches of one page. A list of pages is made from all of them. */
const EVERY_MS = /view=(pages|streams)/.test(location.search) ? 2_000 : 500;

/** A page that may not connect, or whose node says nothing, asks by itself. */
const ALONE_MS = 2_000;

const button = /** @type {HTMLButtonElement} */ (document.querySelector("#live"));
const signed = document.querySelector("meta[name=forebay-inspector]")?.getAttribute("content");

let isLive = true;
let isFetching = false;
let isWanted = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let alone;

async function update() {
  clearTimeout(alone);
  alone = setTimeout(update, ALONE_MS);
  isWanted = true;
  if (isFetching || !isLive || document.hidden) return;
  isFetching = true;
  isWanted = false;
  const pause = new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  try {
    const answer = await fetch(location.href);
    if (answer.ok) exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The server is away. The next message, or the next turn, tries again.
  }
  await pause;
  isFetching = false;
  if (isWanted) void update();
}

/** @param {Document} next */
function exchange(next) {
  for (const region of document.querySelectorAll("[data-live]")) {
    const other = next.getElementById(region.id);
    if (!other || other.innerHTML === region.innerHTML) continue;
    const focused = region.contains(document.activeElement) ? document.activeElement?.getAttribute("href") : null;
    const known = new Set(hrefs(region));
    region.replaceChildren(...other.childNodes);
    for (const link of region.querySelectorAll("li > a")) {
      const href = link.getAttribute("href") ?? "";
      if (known.size > 0 && !known.has(href)) link.classList.add("new");
      if (href === focused) /** @type {HTMLElement} */ (link).focus({ preventScroll: true });
    }
  }
}

/** @param {Element} region */
const hrefs = (region) => [...region.querySelectorAll("li > a")].map((link) => link.getAttribute("href") ?? "");

function toggle() {
  isLive = !isLive;
  button.setAttribute("aria-pressed", String(isLive));
  button.textContent = isLive ? "Live" : "Paused";
  if (isLive) void update();
}

/** Down and up the rows, from where the focus is. @param {number} by */
function move(by) {
  const links = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".rows li > a")]);
  const at = links.findIndex((link) => link === document.activeElement);
  links[at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
}

/** @type {Record<string, () => void>} */
const KEYS = {
  p: toggle,
  j: () => move(1),
  k: () => move(-1),
  "/": () => /** @type {HTMLElement | null} */ (document.querySelector("input[type=search]"))?.focus(),
};

document.addEventListener("keydown", (event) => {
  const isTyping = event.target instanceof HTMLInputElement && event.target.type === "search";
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
document.querySelector("input[type=checkbox]")?.addEventListener("change", ({ target }) => /** @type {HTMLInputElement} */ (target).form?.submit());
document.addEventListener("visibilitychange", () => void update());
button.addEventListener("click", toggle);
button.hidden = false;

if (signed) {
  const params = { channel: "Turbo::StreamsChannel", signed_stream_name: signed };
  forebay.subscribe(params, { received: () => void update(), connected: () => void update() });
}
alone = setTimeout(update, ALONE_MS);
