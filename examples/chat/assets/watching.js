// Says to the server which card of the board one looks at: where the pointer or the focus is. What pages show of it comes from
// there, to all alike.

/** Who only passes by looks at nothing. */
const STAY_MS = 400;

let card;
let timer;
/** One word after the other, so that the last one stands. */
let said = Promise.resolve();

for (const event of ["pointerover", "focusin"]) {
  addEventListener(event, ({ target }) => {
    const board = target.closest?.("[data-watching]");
    if (!board) return;
    const looked = target.closest(".card")?.id.replace("card_", "");
    clearTimeout(timer);
    if (looked !== card) timer = setTimeout(() => say(board, looked), STAY_MS);
  });
}
addEventListener("turbo:load", () => (card = undefined));

function say(board, looked) {
  card = looked;
  const body = new URLSearchParams({ as: board.dataset.as, ...(looked && { card: looked }) });
  const send = () => fetch(board.dataset.watching, { method: "POST", body });
  // A server that is away learns nothing, and its pages show nothing new either.
  said = said.then(send).catch(() => {});
}
