// Live pages: values change where they stand, ages tick, silence is said within 15 seconds.
import { openStream } from "./stream.js";

const SILENT_MS = 12000;
const meta = (name) => document.querySelector(`meta[name="gatehouse-${name}"]`)?.content;
const words = JSON.parse(meta("words") ?? "{}");

let skew = Number(meta("now")) - Date.now(); // the server's clock is the one that counts
let heardAt = Date.now();
let hasHeard = false;
let isSignedOut = false;
let touchedAt = Date.now();
for (const name of ["pointerdown", "pointermove", "keydown", "wheel"]) {
  addEventListener(name, () => { touchedAt = Date.now(); }, { passive: true });
}
const now = () => Date.now() + skew;

// --- words and numbers, as the server prints them -------------------------------------------

export function age(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  if (s < 60) return fill(words.s, { s });
  if (s < 3600) return fill(words.m, { m: Math.floor(s / 60) });
  if (s < 86400) return fill(words.h, { h: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60) });
  return fill(words.d, { d: Math.floor(s / 86400), h: Math.floor((s % 86400) / 3600) });
}

/** Round half up on the decimal digits themselves: a register never passes through a float. */
export function decimal(text, digits) {
  let [whole, part = ""] = text.replace("-", "").split(".");
  let sign = text.startsWith("-") ? "-" : "";
  if (digits !== undefined) {
    const scaled = BigInt(whole + part.padEnd(digits, "0").slice(0, digits)) + (part[digits] >= "5" ? 1n : 0n);
    const figures = scaled.toString().padStart(digits + 1, "0");
    whole = figures.slice(0, figures.length - digits);
    part = figures.slice(figures.length - digits);
    if (scaled === 0n) sign = "";
  }
  return sign + whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part && "." + part);
}

// --- values ----------------------------------------------------------------------------------

function show(item) {
  const key = `${item.device}:${item.point}`;
  for (const element of document.querySelectorAll(`[data-live="${key}"]`)) {
    if (Number(element.dataset.at) > item.at) continue;
    element.dataset.at = item.at;
    element.textContent = written(element, item);
  }
  for (const element of document.querySelectorAll(`[data-age-of~="${key}"]`)) {
    if (Number(element.dataset.age) < item.at) element.dataset.age = item.at;
  }
  for (const car of document.querySelectorAll(`[data-car="${key}"]`)) moveCar(car, Number(item.value));
}

function written(element, item) {
  if (item.value === null) return "–";
  const states = element.dataset.states && JSON.parse(element.dataset.states);
  if (states) return states[Number(item.value)] ?? item.value;
  const digits = element.dataset.digits;
  return decimal(item.value, digits === undefined ? undefined : Number(digits));
}

function moveCar(car, floor) {
  const { low, high, travel } = car.dataset;
  const share = Math.min(1, Math.max(0, (floor - low) / Math.max(1, high - low)));
  car.setAttribute("y", 2 + (1 - share) * travel);
}

// --- time ------------------------------------------------------------------------------------

function tick() {
  const at = now();
  for (const element of document.querySelectorAll("[data-age]")) {
    const passed = at - Number(element.dataset.age);
    const text = age(passed);
    if (element.textContent !== text) element.textContent = text;
    const row = element.closest("[data-stale]");
    if (row) row.classList.toggle("is-stale", passed > Number(row.dataset.stale));
  }
  watchSilence();
}

function watchSilence() {
  const silent = Date.now() - heardAt;
  const banner = document.getElementById("stream-banner");
  const isLost = silent > SILENT_MS || isSignedOut;
  if (!banner) return;
  banner.querySelector("[data-lost]").hidden = isSignedOut;
  banner.querySelector("[data-signed-out]").hidden = !isSignedOut;
  if (banner.hidden === !isLost) return;
  banner.hidden = !isLost;
  document.documentElement.classList.toggle("is-lost", isLost);
  if (!isLost) return;
  refreshIn(0); // tells a server that is gone from a session that is over
  const since = new Intl.DateTimeFormat(document.documentElement.lang, {
    hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZone: meta("zone"),
  }).format(heardAt + skew);
  banner.querySelector("time").textContent = since;
}

// --- regions: parts of the page that the server writes anew ------------------------------------

const served = new Map();
let timer = 0;
let dueAt = Infinity;

function refreshIn(ms) {
  const at = Date.now() + ms;
  if (at >= dueAt) return;
  clearTimeout(timer);
  dueAt = at;
  timer = setTimeout(refresh, ms);
}

async function refresh() {
  dueAt = Infinity;
  if (document.hidden || !getSelection().isCollapsed) return refreshIn(3000);
  // A page may name a more exact address than the one it was asked for by, so that a choice stays chosen.
  const address = new URL(document.querySelector("[data-self]")?.dataset.self ?? location.href, location.href);
  // While nobody touches anything the page says that it asks by itself: that must not keep a session open.
  const headers = Date.now() - touchedAt > 60000 ? { "X-Background": "1" } : {};
  const response = await fetch(address, { headers }).catch(() => null);
  if (!response?.ok) return;
  if (new URL(response.url).pathname !== address.pathname) {
    isSignedOut = true; // we were led to the sign-in page; what is on the screen stays, with a word about it
    return tick();
  }
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const region of document.querySelectorAll("[data-region]")) {
    const next = fresh.getElementById(region.id);
    if (next) replace(region, next);
  }
  tick();
}

/** A region as the server wrote it, but for the ages, which count on by themselves. */
function ageless(region) {
  const copy = region.cloneNode(true);
  for (const each of copy.querySelectorAll("[data-age]")) each.textContent = "";
  return copy.outerHTML;
}

function replace(region, next) {
  const html = ageless(next);
  if (served.get(region.id) === html) return;
  const held = new CustomEvent("gatehouse:region", { cancelable: true, detail: { region, next } });
  if (!document.dispatchEvent(held)) return;
  served.set(region.id, html);
  const focus = region.contains(document.activeElement) ? document.activeElement : null;
  const selector = focus && (focus.id ? `#${CSS.escape(focus.id)}` : focus.getAttribute("href") && `[href="${CSS.escape(focus.getAttribute("href"))}"]`);
  const values = new Map([...region.querySelectorAll("[data-live]")].map((each) => [each.dataset.live, each]));
  for (const each of next.querySelectorAll("[data-live]")) keepNewer(each, values.get(each.dataset.live));
  region.replaceWith(next);
  window.htmx?.process(next);
  if (selector) next.querySelector(selector)?.focus({ preventScroll: true });
}

/** A value that came by the stream while the server wrote the page must not step back. */
function keepNewer(next, old) {
  if (!old || Number(old.dataset.at) <= Number(next.dataset.at)) return;
  next.dataset.at = old.dataset.at;
  next.textContent = old.textContent;
}

// --- the stream --------------------------------------------------------------------------------

const told = new Map();

/** Gateways report every few seconds; only another state of a device is worth a new page. */
function hearGateway(message) {
  for (const element of document.querySelectorAll(`[data-age-of="gateway:${message.id}"]`)) element.dataset.age = now();
  const states = JSON.stringify(message.devices);
  if (told.get(message.id) === states) return;
  told.set(message.id, states);
  refreshIn(1000);
}

const REFRESHING = new Set(["alarms", "orders", "inspection", "doors", "lifts", "visitors", "notices", "commands"]);

function receive(message) {
  hasHeard = true;
  heardAt = Date.now();
  if (message.type === "beat") skew = message.at - Date.now();
  if (message.type === "values") message.items.forEach(show);
  if (REFRESHING.has(message.type)) refreshIn(200);
  if (message.type === "gateway") hearGateway(message);
  if (message.type === "signed-out") isSignedOut = true;
  if (message.type === "open") {
    isSignedOut = false;
    // What happened between the asking for this page, or the loss of the stream, and its opening was not heard.
    if (message.at > performance.timeOrigin) refreshIn(0);
  }
  if (message.type !== "beat") tick();
}

function listen() {
  if (!meta("worker")) return;
  if (!window.SharedWorker) return openStream("/live", receive);
  const worker = new SharedWorker(meta("worker"), { type: "module", name: "gatehouse" });
  worker.port.onmessage = (event) => receive(event.data);
  worker.port.start();
  // A worker that never speaks, for whatever reason, must not leave the page deaf.
  setTimeout(() => { if (!hasHeard) openStream("/live", receive); }, 6000);
  addEventListener("pagehide", () => worker.port.postMessage("bye"));
}

addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) refreshIn(0); });
document.addEventListener("gatehouse:refresh", () => refreshIn(0));
for (const region of document.querySelectorAll("[data-region]")) served.set(region.id, ageless(region));
if (meta("worker")) {
  listen();
  setInterval(() => refreshIn(0), 30000);
}
setInterval(tick, 1000);
tick();
