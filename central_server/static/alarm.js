// The sound of alarms: twice for a major one that has come, again every 15 s for a critical one nobody has seen.
const KEY = "gatehouse_sound";
const AGAIN_MS = 15000;
let context = null;
let lastAt = 0;

const isOn = () => localStorage.getItem(KEY) === "on";
const count = (root, priority) => Number(root?.querySelector(`[data-waiting="${priority}"]`)?.dataset.count ?? 0);
const strip = () => document.getElementById("strip-alarms");

function wake() {
  if (!isOn()) return;
  context ??= new AudioContext();
  context.resume().then(say).catch(() => {});
}

function tone(at, frequency, length) {
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  oscillator.frequency.value = frequency;
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(0.25, at + 0.02);
  gain.gain.setValueAtTime(0.25, at + length - 0.04);
  gain.gain.linearRampToValueAtTime(0, at + length);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(at);
  oscillator.stop(at + length);
}

function ring(priority) {
  if (!isOn() || context?.state !== "running") return;
  lastAt = Date.now();
  document.documentElement.dataset.rang = String(Number(document.documentElement.dataset.rang ?? 0) + 1);
  const steps = priority === 1 ? [880, 660, 880, 660] : [660, 660];
  steps.forEach((frequency, index) => tone(context.currentTime + 0.02 + index * 0.22, frequency, 0.18));
}

/** The button says what will be heard, and that a browser asks for a click before anything is. */
function say() {
  const button = document.getElementById("alarm-sound");
  if (!button) return;
  const state = !isOn() ? "off" : context?.state === "running" ? "on" : "asks";
  button.setAttribute("aria-pressed", String(isOn()));
  for (const each of button.querySelectorAll("[data-sound]")) each.hidden = each.dataset.sound !== state;
}

document.addEventListener("click", (event) => {
  if (event.target.closest("#alarm-sound")) {
    const wasAsking = isOn() && context?.state !== "running";
    localStorage.setItem(KEY, isOn() && !wasAsking ? "off" : "on");
  }
  wake();
  say();
});
document.addEventListener("keydown", wake);

document.addEventListener("gatehouse:region", (event) => {
  const { region, next } = event.detail;
  if (region.id !== "strip-alarms") return;
  for (const priority of [1, 2]) if (count(next, priority) > count(region, priority)) return ring(priority);
});
setInterval(() => { if (count(strip(), 1) && Date.now() - lastAt > AGAIN_MS) ring(1); }, 1000);
document.addEventListener("htmx:afterSettle", say);
wake();
say();
