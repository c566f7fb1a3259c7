// The panel: shows the connection's state, the page's cursor and what was applied last, and has the button that holds the
// subscription back. It reads sources.js and writes the elements of templates/_panel.html; it changes nothing else.

import { holdSubscription } from "./hold.js";
import { pageCursor, sourceState, watchSources } from "./sources.js";

const ACTIONS_SHOWN = 5;
const WORDS = {
  none: ["Not live", "This page has no stream."],
  connecting: ["Connecting", "Subscribing from the cursor below: whatever is newer will be replayed."],
  live: ["Live", "Updates are applied as they are committed."],
  held: ["Held back", "Not subscribed. Updates made now will arrive when it is let go, in order."],
  offline: ["Offline", "The connection is gone; the client reconnects and resumes."],
  refused: ["Refused", "The server’s secret has changed, so it doesn’t know this page’s streams. Load the page again."],
};

const shown = { count: 0, offset: undefined, actions: [], heldSeconds: 0 };

const panel = () => document.getElementById("panel");
const part = (name) => panel()?.querySelector(`[data-panel=${name}]`);

document.addEventListener("click", ({ target }) => {
  const name = target.closest("button[data-panel]")?.dataset.panel;
  if (name === "toggle") toggle();
  if (name === "hold") holdSubscription(showHeld);
});
watchSources({
  changed: showState,
  applied(action) {
    // An entry may carry several actions; a resync is none.
    if (action.offset !== undefined && action.offset !== shown.offset) shown.count += 1;
    shown.offset = action.offset;
    shown.actions = [action, ...shown.actions].slice(0, ACTIONS_SHOWN);
    showActions();
  },
});
// Where the panel has a column of its own it begins open.
if (matchMedia("(min-width: 1120px)").matches) toggle();
// Only to count up "3 s ago".
setInterval(showLast, 1000);
showState();
showActions();

function showHeld(seconds) {
  shown.heldSeconds = seconds;
  showState();
}

function showState() {
  if (!panel()) return;
  const state = shown.heldSeconds > 0 ? "held" : sourceState();
  const [word, explanation] = WORDS[state];
  panel().dataset.state = state;
  write("state", word);
  write("announcement", word);
  write("countdown", String(shown.heldSeconds));
  write("explanation", explanation);
  if (state !== "held") showCursor();
  part("hold").disabled = state === "held" || state === "none";
}

function showCursor() {
  const [epoch = "", offset = ""] = pageCursor().split(".");
  const short = epoch.length > 8 ? `${epoch.slice(0, 8)}…` : epoch;
  write("cursor", offset ? `${short}.${offset}` : "–");
  part("cursor").title = pageCursor();
}

function showActions() {
  if (!panel()) return;
  write("count", String(shown.count));
  write("glance", shown.actions.length > 0 ? entryName(shown.offset) : "0");
  part("actions").replaceChildren(...shown.actions.map(actionRow));
  showLast();
}

function showLast() {
  if (!panel()) return;
  const [latest] = shown.actions;
  if (!latest) return write("last", "nothing yet");
  const seconds = Math.floor((Date.now() - latest.at) / 1000);
  const ago = seconds < 2 ? "just now" : seconds < 120 ? `${seconds} s ago` : `${Math.floor(seconds / 60)} min ago`;
  write("last", shown.offset === undefined ? `resync, ${ago}` : `offset ${shown.offset}, ${ago}`);
}

/** @param {import("./sources.js").AppliedAction} applied */
function actionRow({ action, target, text, offset, found }) {
  const row = document.createElement("li");
  row.className = "panel-action";
  const where = element("code", found ? target : `${target}: no such target`);
  row.append(element("b", action), where, element("span", text), element("small", entryName(offset)));
  row.classList.toggle("panel-action-missed", !found);
  return row;
}

/** A page whose cursor history doesn't reach is told to load itself again: a refresh that is no entry of the log. */
function entryName(offset) {
  return offset === undefined ? "resync" : `#${offset}`;
}

function element(name, text) {
  return Object.assign(document.createElement(name), { textContent: text });
}

/** Leaves equal text alone: the announcement is read out when it is written. */
function write(name, text) {
  const target = part(name);
  if (target && target.textContent !== text) target.textContent = text;
}

function toggle() {
  const button = part("toggle");
  button?.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
}
