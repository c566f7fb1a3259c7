// The buttons that end nodes and their log, and start them again. They ask whoever has started them, so they work while no node does.

const { run } = document.querySelector(".tunnel").dataset;
const list = document.querySelector(".tunnel-cluster");

list.addEventListener("click", ({ target }) => {
  const { act } = target.dataset;
  // What it has done is what is shown next.
  if (act) fetch(`${run}${act}`, { method: "POST" });
});

setInterval(show, 500);
show();

async function show() {
  const { nodes, store } = await (await fetch(`${run}state`)).json();
  const parts = nodes.map((state, index) => [`Node ${index + 1}`, String(index), state]);
  if (store) parts.push(["Log", "store", store]);
  const shown = parts.map(([name, id, state]) => `${name}: ${state}`).join();
  // Buttons that stay where they are can be clicked.
  if (list.dataset.shown === shown) return;
  list.dataset.shown = shown;
  list.replaceChildren(...parts.map(part));
}

function part([name, id, state]) {
  const row = document.createElement("li");
  row.dataset.part = id;
  row.dataset.state = state;
  row.append(`${name} is ${state} `, button("Kill", `kill-${id}`), button("Restart", `restart-${id}`));
  return row;
}

function button(text, act) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  button.className = "button button-quiet";
  button.dataset.act = act;
  return button;
}
