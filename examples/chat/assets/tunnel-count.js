// Tells the page around a pane which numbers it shows, in their order. Rows are only appended, so that is how they came; a pane that
// lacks something loads itself again, and then shows what was sent.

new MutationObserver(tell).observe(document.documentElement, { childList: true, subtree: true });

/** What the pane has, for whoever embeds it. */
export function tell() {
  const numbers = [...document.querySelectorAll("#events > [data-number]")].map(({ dataset }) => Number(dataset.number));
  const transport = window.forebay ? window.forebay.transport : "websocket";
  const isLive = document.querySelector("turbo-cable-stream-source[connected]") !== null;
  parent.postMessage({ numbers, transport: isLive ? transport : "nothing" }, "*");
}

setInterval(tell, 500);
