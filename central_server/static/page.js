// Small comforts of every page: keys, theme, menus, printing with every reason open.

const inField = (element) => element.closest("input, textarea, select, [contenteditable]");
const byId = (id) => document.getElementById(id);

// --- theme: the server reads the cookie, so no page flashes in the wrong light -------------------

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.id !== "theme-form") return;
  event.preventDefault();
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  document.cookie = `gatehouse_theme=${root.dataset.theme};path=/;max-age=31536000;samesite=lax`;
  document.dispatchEvent(new CustomEvent("gatehouse:theme"));
});

// --- menus close by Escape and by a click elsewhere ---------------------------------------------

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// --- keys ---------------------------------------------------------------------------------------

const PLACES = { o: "/", a: "/alarms", d: "/devices", b: "/bills" };
let isGoing = false;

function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (!rows.length) return;
  const at = rows.findIndex((row) => row === document.activeElement || row.hasAttribute("aria-current"));
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
  next.focus();
  if (next.hasAttribute("hx-get") && !next.hasAttribute("aria-current")) next.click();
}

const KEYS = {
  "/": () => byId("search")?.focus(),
  "?": () => byId("keys")?.showModal(),
  j: () => step(1),
  k: () => step(-1),
  a: () => document.querySelector("[data-key=a]")?.click(),
  c: () => document.querySelector("[data-key=c]")?.focus(),
  m: () => byId("alarm-sound")?.click(),
  n: () => document.querySelector("[data-key=n]:not([hidden])")?.click(),
  p: () => document.querySelector("[data-key=p]")?.click(),
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    document.querySelectorAll("details.menu[open]").forEach((menu) => { menu.open = false; });
    if (inField(event.target)) event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || inField(event.target) || document.querySelector("dialog[open]")) return;
  if (isGoing && PLACES[event.key]) {
    isGoing = false;
    location.assign(PLACES[event.key]);
    return;
  }
  isGoing = event.key === "g";
  if (!KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

// --- the alarm list does not jump under the hand: new rows wait until they are asked for ---------

let waiting = null;

function isReading(region) {
  return region.matches(":hover") || region.contains(document.activeElement) || scrollY > 0;
}

document.addEventListener("gatehouse:region", (event) => {
  const { region, next } = event.detail;
  if (!region.hasAttribute("data-hold")) return;
  const shown = new Set([...region.querySelectorAll("li[id]")].map((row) => row.id));
  const fresh = [...next.querySelectorAll("li[id]")].filter((row) => !shown.has(row.id));
  if (!fresh.length || !isReading(region)) {
    waiting = null;
    byId("fresh-bar").hidden = true;
    return;
  }
  event.preventDefault();
  waiting = next;
  for (const row of next.querySelectorAll("li[id]")) byId(row.id)?.replaceChildren(...row.cloneNode(true).childNodes);
  const bar = byId("fresh-bar");
  bar.hidden = false;
  bar.querySelector("b").textContent = fresh.length;
});

document.addEventListener("click", (event) => {
  if (!event.target.closest("#fresh-bar") || !waiting) return;
  byId("fresh-bar").hidden = true;
  byId(waiting.id).replaceWith(waiting);
  window.htmx?.process(waiting);
  waiting = null;
  scrollTo(0, 0);
});

// The chosen row is marked at once; the details follow from the server.
document.addEventListener("click", (event) => {
  const row = event.target.closest("[data-row][hx-get]");
  if (!row) return;
  document.querySelectorAll("[data-row][aria-current]").forEach((each) => each.removeAttribute("aria-current"));
  row.setAttribute("aria-current", "true");
});

// Where the details stand below the list and not beside it, they are brought into sight.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "detail" && innerWidth <= 1180) event.target.scrollIntoView({ block: "start", behavior: "smooth" });
});

// --- printing -------------------------------------------------------------------------------------

addEventListener("beforeprint", () => {
  document.querySelectorAll("details.bill-line:not([open])").forEach((each) => { each.open = true; each.dataset.forPrint = "1"; });
});
addEventListener("afterprint", () => {
  document.querySelectorAll("details[data-for-print]").forEach((each) => { each.open = false; delete each.dataset.forPrint; });
});
document.addEventListener("click", (event) => { if (event.target.closest("[data-print]")) print(); });

// --- whoever loses the connection while pressing a button is told, not left waiting ----------------

for (const name of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(name, () => { const notice = byId("request-failed"); if (notice) notice.hidden = false; });
}
document.addEventListener("htmx:afterSwap", () => { const notice = byId("request-failed"); if (notice) notice.hidden = true; });
