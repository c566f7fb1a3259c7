// Tells the page around a pane which numbers have come, in the order in which they came.
const numbers = [];

new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) if (node.dataset?.number) numbers.push(Number(node.dataset.number));
  }
  tell();
}).observe(document.getElementById("events"), { childList: true });

/** What the pane has, for whoever embeds it. */
export function tell() {
  const transport = window.forebay ? window.forebay.transport : "websocket";
  const isLive = document.querySelector("turbo-cable-stream-source[connected]") !== null;
  parent.postMessage({ numbers, transport: isLive ? transport : "nothing" }, "*");
}

setInterval(tell, 500);
