// One stream for all tabs of a browser: a server must not hold one connection for each.
import { openStream } from "./stream.js";

const ports = new Set();
const newest = new Map(); // what a tab that opens later has missed since its page was made
let open = null;

function remember(message) {
  if (message.type !== "values") return;
  for (const item of message.items) newest.set(`${item.device}:${item.point}`, item);
}

self.onconnect = (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.onmessage = (said) => { if (said.data === "bye") ports.delete(port); };
  if (open) port.postMessage(open);
  if (newest.size) port.postMessage({ type: "values", items: [...newest.values()] });
};

openStream("/live", (message) => {
  if (message.type === "open") {
    open = message;
    newest.clear();
  }
  remember(message);
  for (const port of ports) port.postMessage(message);
});
