// Says to the server that somebody types, and that they have stopped. What pages show of it comes from there, to all alike.

/** Who has paused for so long has stopped. */
const QUIET_MS = 4000;

/** The form that is being typed in. @type {HTMLFormElement | undefined} */
let typing;
let timer;
/** One word after the other, so that the last one stands. */
let said = Promise.resolve();

addEventListener("input", ({ target }) => {
  const form = target.closest("form[data-typing]");
  if (!form) return;
  clearTimeout(timer);
  timer = setTimeout(stop, QUIET_MS);
  if (typing === form) return;
  stop();
  typing = form;
  say(form, true);
});
for (const event of ["submit", "focusout", "pagehide", "turbo:before-visit"]) addEventListener(event, stop);

function stop() {
  if (!typing) return;
  say(typing, false);
  typing = undefined;
}

function say(form, isTyping) {
  const body = new URLSearchParams({ as: new FormData(form).get("as") ?? "guest", typing: String(isTyping) });
  const send = () => fetch(form.dataset.typing, { method: "POST", body, keepalive: true });
  // A server that is away learns nothing, and its pages show nothing new either.
  said = said.then(send).catch(() => {});
}
