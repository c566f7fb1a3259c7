// The tunnel's buttons, and what is counted of each pane.

/** What has been sent so long ago counts as missing if it isn't there. */
const PATIENCE_MS = 1_500;

const sides = [...document.querySelectorAll(".tunnel-side")];
/** When each number was known to be sent. @type {number[]} */
const sentAt = [];
/** @type {Map<Element, number[]>} */
const numbersOf = new Map();

/** Who sends the numbers: this node, or whoever has started the nodes. */
const { run } = document.querySelector(".tunnel").dataset;

const post = (path) => fetch(path, { method: "POST" });

document.querySelector("[data-start]").addEventListener("click", async () => {
  // A new run counts from one: both panes begin anew, and are asked when they are there.
  await post(`${run}reset`);
  sentAt.length = 0;
  const loaded = sides.map((side) => {
    const frame = side.querySelector("iframe");
    numbersOf.delete(side);
    return new Promise((resolve) => {
      frame.addEventListener("load", resolve, { once: true });
      frame.src = frame.src;
    });
  });
  await Promise.all(loaded);
  await post(`${run}start`);
});

for (const button of document.querySelectorAll("[data-fault]")) {
  button.addEventListener("click", async () => {
    const { fault } = button.dataset;
    await post(`/tunnel/fault/${fault}`);
    if (fault !== "cut") document.getElementById("line").value = fault === "heal" ? "whole" : button.textContent.toLowerCase();
  });
}

addEventListener("message", ({ data, source }) => {
  const side = sides.find((side) => side.querySelector("iframe").contentWindow === source);
  if (!side || !data.numbers) return;
  numbersOf.set(side, data.numbers);
  side.querySelector("[data-count=transport]").textContent = data.transport ?? "nothing";
  count(side);
});

setInterval(async () => {
  const answer = await fetch("/tunnel/published").catch(() => undefined);
  // No node may be there just now.
  if (!answer?.ok) return;
  const published = Number(await answer.text());
  document.getElementById("published").value = published;
  for (let number = sentAt.length + 1; number <= published; number += 1) sentAt.push(performance.now());
  sides.forEach(count);
}, 500);

function count(side) {
  const numbers = numbersOf.get(side) ?? [];
  const seen = new Set(numbers);
  const due = sentAt.filter((at) => performance.now() - at > PATIENCE_MS).length;
  const missing = Array.from({ length: due }, (_, index) => index + 1).filter((number) => !seen.has(number)).length;
  const misordered = numbers.filter((number, index) => index > 0 && number < numbers[index - 1]).length;
  const counts = { missing, doubled: numbers.length - seen.size, misordered };
  for (const [name, value] of Object.entries(counts)) {
    const cell = side.querySelector(`[data-count=${name}]`);
    cell.textContent = value;
    cell.classList.toggle("is-bad", value > 0);
  }
}
