// Keeps the inspector's pages on the phone: the network first, what was kept where there is none.
const KEPT = "gatehouse-rounds";
const PATIENCE_MS = 5000;
const KEEP_AGAIN_MS = 600000;
const fetched = new Map();

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", (event) => { if (event.data.keep) event.waitUntil(keep(event.data.keep)); });

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/static/")) event.respondWith(asset(request));
  else if (/^\/rounds(\/\d+){0,2}$/.test(url.pathname)) event.respondWith(page(request, url.pathname));
});

/** Assets carry their version in their address: one that was kept is the right one. */
async function asset(request) {
  const kept = await caches.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) (await caches.open(KEPT)).put(request, response.clone());
  return response;
}

async function page(request, path) {
  const kept = await caches.match(path);
  const asking = fetch(request).then(async (response) => {
    if (response.ok && !response.redirected) await (await caches.open(KEPT)).put(path, response.clone());
    return response;
  });
  // Rather the list of rounds than the browser's own page about a missing connection.
  if (!kept) return asking.catch(async () => (await caches.match("/rounds")) ?? Response.error());
  asking.catch(() => {}); // the kept page stands in for it
  const late = new Promise((resolve) => setTimeout(() => resolve(kept), PATIENCE_MS));
  return Promise.race([asking.catch(() => kept), late]);
}

/** Fetch pages before they are asked for, and the points of a round with it. */
async function keep(paths) {
  const cache = await caches.open(KEPT);
  for (const path of paths) {
    if (Date.now() - (fetched.get(path) ?? 0) < KEEP_AGAIN_MS) continue;
    const response = await fetch(path).catch(() => null);
    if (!response?.ok || response.redirected) return;
    fetched.set(path, Date.now());
    const text = await response.clone().text();
    await cache.put(path, response);
    if (/^\/rounds\/\d+$/.test(path)) await keep([...new Set(text.match(/\/rounds\/\d+\/\d+(?=")/g))]);
  }
}
