// One trace as a waterfall: a row for each span, under its parent.

import { $, el } from "./dom.js";
import { clock, duration } from "./format.js";
import { trace } from "./server.js";

const MOST = 500; // rows; a longer trace is cut, and says so

/** traceLink is a button that opens a trace. */
export function traceLink(id) {
  if (!id) return "";
  const button = el("button", { type: "button", class: "link", title: `Show trace ${id}` }, id.slice(0, 8));
  button.addEventListener("click", () => openTrace(id));
  return button;
}

/** inOrder lists spans below their parents, each with its depth. Those whose parent is missing stand as roots. */
function inOrder(spans) {
  const known = new Set(spans.map((s) => s.spanID));
  const children = new Map();
  const roots = [];
  for (const s of [...spans].sort((a, b) => a.startTime - b.startTime)) {
    const parent = s.references.find((r) => r.refType === "CHILD_OF")?.spanID;
    if (parent && parent !== s.spanID && known.has(parent)) {
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(s);
    } else roots.push(s);
  }
  const rows = [];
  const seen = new Set();
  const walk = (top) => {
    const stack = [[top, 0]];
    while (stack.length > 0) {
      const [s, depth] = stack.pop();
      if (seen.has(s)) continue;
      seen.add(s);
      rows.push([s, depth]);
      for (const child of (children.get(s.spanID) ?? []).toReversed()) stack.push([child, depth + 1]);
    }
  };
  roots.forEach(walk);
  spans.forEach(walk); // what is left is in a cycle
  return rows;
}

const tagOf = (span, key) => span.tags.find((t) => t.key === key)?.value;
const failed = (span) => tagOf(span, "error") === true || tagOf(span, "otel.status_code") === "ERROR";

function details(span, process) {
  const line = (t) => [el("dt", {}, t.key), el("dd", {}, String(t.value))];
  const events = span.logs.flatMap((l) => line({
    key: `+${duration((l.timestamp - span.startTime) * 1000)}`,
    value: l.fields.map((f) => (f.key === "event" ? f.value : `${f.key}=${f.value}`)).join(" "),
  }));
  return el("dl", { class: "tags" }, ...span.tags.flatMap(line), ...events, ...process.tags.flatMap(line));
}

function row(span, depth, processes, from, width) {
  const process = processes[span.processID];
  const bar = el("span", { class: failed(span) ? "bar bad" : "bar" });
  bar.style.left = `${(100 * (span.startTime - from)) / width}%`;
  bar.style.width = `${Math.min(100, (100 * Math.max(span.duration, 0)) / width)}%`;
  const name = el("span", { class: "name" }, el("b", {}, process.serviceName), " ", span.operationName);
  name.style.paddingLeft = `${Math.min(depth, 30) * 12}px`;
  const summary = el("summary", {}, name, el("span", { class: "track" }, bar), el("span", { class: "took" }, duration(span.duration * 1000)));
  const node = el("details", {}, summary);
  // Most spans are never opened.
  node.addEventListener("toggle", () => { if (node.open && node.children.length === 1) node.append(details(span, process)); });
  return node;
}

async function openTrace(id) {
  history.replaceState(null, "", `#trace=${id}`); // what is on the page can be passed on
  const card = $("trace");
  card.hidden = false;
  $("trace-id").textContent = `· ${id}`;
  $("trace-text").textContent = "asking";
  $("trace-rows").replaceChildren();
  card.scrollIntoView({ block: "start" });
  try {
    const found = await trace(id);
    const from = Math.min(...found.spans.map((s) => s.startTime));
    const to = Math.max(...found.spans.map((s) => s.startTime + Math.max(s.duration, 0)));
    const rows = inOrder(found.spans);
    const services = new Set(Object.values(found.processes).map((p) => p.serviceName));
    const errors = found.spans.filter(failed).length;
    $("trace-text").textContent = [
      `${clock(from / 1000)}`, duration((to - from) * 1000), `${rows.length} spans`, `${services.size} services`,
      errors ? `${errors} failed` : "", rows.length > MOST ? `the first ${MOST} are shown` : "", ...(found.warnings ?? []),
    ].filter(Boolean).join(" · ");
    $("trace-rows").replaceChildren(...rows.slice(0, MOST).map(([s, depth]) => row(s, depth, found.processes, from, Math.max(to - from, 1))));
  } catch (error) {
    $("trace-text").textContent = error.message;
  }
}

/** startTrace makes the card's button work, and opens the trace that the address names. */
export function startTrace() {
  $("trace-close").addEventListener("click", () => {
    $("trace").hidden = true;
    history.replaceState(null, "", location.pathname);
  });
  const named = /^#trace=([0-9a-f]{1,32})$/i.exec(location.hash);
  if (named) openTrace(named[1]);
}
