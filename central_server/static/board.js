// The dispatcher's board: a card dragged onto a name is given out, onto the pool offered to all.
// Whoever has no mouse uses the buttons; the server decides either way.

const board = () => document.getElementById("board");
const notice = document.getElementById("board-notice");
let held = null;

const target = (event) => event.target.closest?.("[data-drop]");

document.addEventListener("dragstart", (event) => {
  held = event.target.closest?.("[data-order]");
  if (!held) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", held.dataset.order);
});

document.addEventListener("dragover", (event) => {
  const over = held && target(event);
  document.querySelectorAll(".is-target").forEach((each) => each.classList.toggle("is-target", each === over));
  if (!over) return;
  over.classList.add("is-target");
  event.preventDefault();
});

document.addEventListener("dragend", () => {
  held = null;
  document.querySelectorAll(".is-target").forEach((each) => each.classList.remove("is-target"));
});

document.addEventListener("drop", async (event) => {
  const over = held && target(event);
  if (!over) return;
  event.preventDefault();
  const { order, version } = held.dataset;
  const to = over.dataset.drop;
  const form = new FormData(document.getElementById("board-move"));
  form.set("version", version);
  form.set("to", to === "pool" ? "pool" : "lead");
  if (to !== "pool") form.set("lead", to);
  held.classList.add("is-held");
  const answer = await fetch(`/orders/${order}/move`, { method: "POST", body: form }).catch(() => null);
  notice.hidden = answer?.ok ?? false;
  if (!answer) document.getElementById("request-failed").hidden = false;
  document.dispatchEvent(new CustomEvent("gatehouse:refresh"));
});

// A card in the hand must not be taken out of it by news.
document.addEventListener("gatehouse:region", (event) => {
  if (held && event.detail.region === board()) event.preventDefault();
});
