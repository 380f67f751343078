// One connection to the server's stream of what happens, kept alive by watching for silence.

const SILENT_MS = 12000; // the server says something every 5 s
const RETRY_MS = [500, 1000, 2000, 3000, 5000];

/** Open the stream and call `emit` with every message; {type: "open"} comes first, after each reconnection too. */
export function openStream(url, emit) {
  let source = null;
  let heardAt = Date.now();
  let failures = 0;
  let retry = 0;

  function heard() {
    heardAt = Date.now();
    failures = 0;
  }

  function connect() {
    retry = 0;
    heardAt = Date.now();
    source = new EventSource(url);
    source.onopen = () => { heard(); emit({ type: "open", at: Date.now() }); };
    source.onmessage = (event) => { heard(); emit(JSON.parse(event.data)); };
    source.onerror = reconnect;
  }

  function reconnect() {
    if (retry) return;
    source.close();
    retry = setTimeout(connect, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]);
  }

  setInterval(() => { if (Date.now() - heardAt > SILENT_MS) reconnect(); }, 1000);
  connect();
}
