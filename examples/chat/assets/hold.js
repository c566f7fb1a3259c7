// Holds the page's subscription back: takes its stream sources out of the document and puts the same elements back later.
// That is the gap of every page between rendering and subscribing, made long enough to watch. A Turbo visit ends it early.

import { streamSources } from "./sources.js";

const SECONDS = 5;

/**
 * @param {(secondsLeft: number) => void} tick called at once, every second and, with 0, when it is over
 */
export function holdSubscription(tick) {
  const places = streamSources().map(takeOut);
  let left = SECONDS;
  const timer = setInterval(() => (left > 1 ? tick((left -= 1)) : finish()), 1000);
  // Another page is about to take this one's place: give its cached snapshot its sources back.
  const leave = new AbortController();
  addEventListener("turbo:before-cache", finish, { signal: leave.signal });
  addEventListener("turbo:before-render", finish, { signal: leave.signal });
  tick(left);

  function finish() {
    clearInterval(timer);
    leave.abort();
    for (const putBack of places) putBack();
    tick(0);
  }
}

/** @param {Element} source @returns {() => void} puts it back where it was */
function takeOut(source) {
  const place = document.createComment("held back");
  source.replaceWith(place);
  return () => place.replaceWith(source);
}
