// An inspector's checks: kept on the phone first, sent as soon as there is a connection, counted once.
const AGAIN_MS = 15000;
const LONGEST_EDGE = 2048;
const notice = document.getElementById("waiting-checks");
const csrf = () => document.querySelector('input[name="csrf"]')?.value ?? "";
const retaken = new Map(); // photos of a form that came back: a browser does not let us put them into its field again
let isSending = false;

// --- what waits, in the phone's own store ----------------------------------------------------------

const store = new Promise((resolve, reject) => {
  const opening = indexedDB.open("gatehouse-rounds", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("checks", { keyPath: "id" });
  opening.onsuccess = () => resolve(opening.result);
  opening.onerror = () => reject(opening.error);
});

async function stored(mode, work) {
  const transaction = (await store).transaction("checks", mode);
  const asked = work(transaction.objectStore("checks"));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(asked.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

const waiting = () => stored("readonly", (checks) => checks.getAll());
const put = (check) => stored("readwrite", (checks) => checks.put(check));
const drop = (id) => stored("readwrite", (checks) => checks.delete(id));

// --- sending -----------------------------------------------------------------------------------------

/** Tell what came of it: "sent", "refused" (a page says why), "later" or "signed-out". */
async function send(check, token = csrf(), isSecond = false) {
  const form = new FormData();
  for (const [name, value] of check.entries) form.append(name, value);
  form.set("csrf", token);
  form.set("done_at", check.doneAt);
  form.set("sent_at", Date.now());
  const response = await fetch(check.path, { method: "POST", body: form }).catch(() => null);
  if (!response || response.status >= 500) return { outcome: "later" };
  if (new URL(response.url).pathname.startsWith("/sign-in")) return { outcome: "signed-out" };
  if (response.status === 403 && !isSecond) {
    const fresh = await freshToken();
    return fresh ? send(check, fresh, true) : { outcome: "later" };
  }
  // What needs another look stays with everything that was entered; what came too late or twice does not.
  if (response.status === 422) await put({ ...check, isRefused: true });
  else await drop(check.id);
  return { outcome: response.ok ? "sent" : "refused", html: await response.text() };
}

/** A page kept on the phone may hold the token of a session that is over. */
async function freshToken() {
  const response = await fetch("/rounds?fresh", { cache: "no-store" }).catch(() => null);
  if (!response?.ok || response.redirected) return "";
  return new DOMParser().parseFromString(await response.text(), "text/html").querySelector('input[name="csrf"]')?.value;
}

async function sendAll() {
  if (isSending) return;
  isSending = true;
  let outcome = "";
  try {
    for (const check of (await waiting()).filter((each) => !each.isRefused)) {
      ({ outcome } = await send(check));
      if (outcome !== "sent" && outcome !== "refused") break;
      document.dispatchEvent(new CustomEvent("gatehouse:refresh"));
    }
  } finally {
    isSending = false;
  }
  await say(outcome);
}

// --- saying ------------------------------------------------------------------------------------------

async function say(outcome) {
  const kept = await waiting();
  const checks = kept.filter((each) => !each.isRefused);
  const refused = kept.find((each) => each.isRefused);
  const path = refused && outcome !== "signed-out" ? refused.path : "/sign-in?next=/rounds";
  const told = outcome === "signed-out" ? notice?.dataset.signedOut : refused && notice?.dataset.refused;
  if (notice) {
    notice.hidden = !kept.length;
    notice.querySelector("b").textContent = told ?? (checks.length === 1 ? notice.dataset.one : notice.dataset.many.replace("{n}", checks.length));
    const link = notice.querySelector("a");
    link.hidden = !told;
    link.href = path;
    link.textContent = "→";
  }
  mark(new Set(checks.map((check) => check.point)));
}

/** Points that wait are made for whoever walks; the next step is the one behind them. */
function mark(points) {
  for (const row of document.querySelectorAll("a[data-point]")) {
    if (!points.has(row.dataset.point)) continue;
    row.removeAttribute("data-open");
    row.querySelector("[data-state]").textContent = notice.dataset.word;
  }
  const next = document.getElementById("next-point");
  const open = document.querySelector("a[data-point][data-open]");
  if (next && points.has(next.pathname.split("/").pop())) {
    next.href = open?.href ?? "/rounds";
    next.textContent = open?.querySelector("b").textContent ?? notice.dataset.word;
  }
}

// --- the form of a point -----------------------------------------------------------------------------

async function shrunk(file) {
  try {
    const picture = await createImageBitmap(file);
    const scale = Math.min(1, LONGEST_EDGE / Math.max(picture.width, picture.height));
    const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    return new File([await canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 })], "photo.jpg", { type: "image/jpeg" });
  } catch {
    return file; // no picture that this browser can read: the centre says so
  }
}

async function entriesOf(form) {
  const entries = [];
  for (const [name, value] of new FormData(form)) {
    if (name === "csrf") continue;
    if (!(value instanceof File)) entries.push([name, value]);
    else if (value.size) entries.push([name, await shrunk(value)]);
  }
  const chosen = new Set(entries.map(([name]) => name));
  for (const [name, files] of retaken) if (!chosen.has(name)) for (const file of files) entries.push([name, file]);
  return entries;
}

async function take(form) {
  const doneAt = Date.now();
  const button = form.querySelector("button.primary");
  button.disabled = true;
  const entries = await entriesOf(form);
  const id = form.elements.client_id.value;
  const check = { id, point: form.dataset.check, path: new URL(form.action).pathname, doneAt, entries };
  await put(check);
  await deliver(check, form.dataset.back);
}

/** Send a check and go on; or show what the centre says of it, with all that was entered. */
async function deliver(check, back) {
  const { outcome, html } = await send(check);
  if (outcome !== "refused") return location.assign(back);
  retaken.clear();
  for (const [name, value] of check.entries) if (value instanceof File) retaken.set(name, [...(retaken.get(name) ?? []), value]);
  const main = new DOMParser().parseFromString(html, "text/html").querySelector("main");
  document.querySelector("main").replaceChildren(...main.childNodes);
  for (const [name, files] of retaken) {
    document.querySelector(`input[type="file"][name="${name}"]`)?.insertAdjacentText("afterend", `✓ ${files.length}`);
    document.querySelector(`input[type="file"][name="${name}"]`)?.removeAttribute("required");
  }
  document.getElementById("problems")?.focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("form[data-check]")) {
    event.preventDefault();
    take(form).catch(() => form.submit()); // without a store of its own a browser sends as it always did
  }
  if (form.getAttribute("action") === "/sign-out") caches?.delete("gatehouse-rounds");
});

/** A point whose check was refused while nobody looked shows why. */
async function resume() {
  const form = document.querySelector("form[data-check]");
  const check = form && (await waiting()).find((each) => each.isRefused && each.point === form.dataset.check);
  if (check) await deliver(check, form.dataset.back);
}

resume();
addEventListener("online", sendAll);
document.addEventListener("visibilitychange", () => { if (!document.hidden) sendAll(); });
setInterval(sendAll, AGAIN_MS);
sendAll();

// --- pages for where there is no connection -----------------------------------------------------------

if (navigator.serviceWorker) {
  navigator.serviceWorker.register("/rounds.worker.js", { scope: "/rounds" });
  navigator.serviceWorker.ready.then((registration) => {
    const paths = [...document.querySelectorAll("a[data-keep]")].map((each) => each.pathname);
    registration.active.postMessage({ keep: ["/rounds", ...paths] });
  });
}
