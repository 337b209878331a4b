// One trace as a waterfall: a row for each span, under its parent, and whose time
// its time is.

import { $, el, table } from "./dom.js";
import { clock, duration, share } from "./format.js";
import { lineOfContext, showLines } from "./logline.js";
import { trace, traceLogs } from "./server.js";
import { before, view } from "./views.js";

const MOST = 500; // rows; a longer trace is cut, and says so
let shownID = ""; // the trace that is shown

/** inOrder lists spans below their parents. */
function inOrder(spans) {
  const children = new Map();
  const roots = [];
  spans.forEach((s, i) => {
    const siblings = s.parent < 0 ? roots : (children.get(s.parent) ?? children.set(s.parent, []).get(s.parent));
    siblings.push(i);
  });
  const rows = [];
  const stack = roots.toReversed();
  while (stack.length > 0) {
    const i = stack.pop();
    rows.push(spans[i]);
    stack.push(...(children.get(i) ?? []).toReversed());
  }
  return rows;
}

const text = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

function details(span) {
  const lines = [];
  const add = (key, value) => lines.push(el("dt", {}, key), el("dd", {}, text(value)));
  add("kind", span.kind);
  add("exclusive", duration(span.exclusive_ns));
  if (span.on_critical_path) add("critical path", `${duration(span.critical_path_ns)}, ${(100 * span.critical_path_share).toFixed(1)} %`);
  if (span.network_ns !== undefined) add("network", duration(span.network_ns));
  if (span.status_message) add("status", span.status_message);
  for (const [key, value] of Object.entries(span.attributes ?? {})) add(key, value);
  for (const e of span.events ?? []) {
    add(`+${duration((Date.parse(e.time) - Date.parse(span.start)) * 1e6)}`,
      [e.name, ...Object.entries(e.attributes).map(([key, value]) => `${key}=${text(value)}`)].join(" "));
  }
  for (const l of span.links ?? []) add("link", `trace ${l.trace_id}`);
  for (const [key, value] of Object.entries(span.resource ?? {})) add(key, value);
  return el("dl", { class: "tags" }, ...lines);
}

const failed = (span) => span.status === "error";

function row(span, width) {
  const bar = el("span", { class: ["bar", failed(span) ? "bad" : "", span.on_critical_path ? "critical" : ""].join(" ").trim() });
  bar.style.left = `${(100 * span.offset_ns) / width}%`;
  bar.style.width = `${Math.min(100, (100 * Math.max(span.duration_ns, 0)) / width)}%`;
  const name = el("span", { class: "name" }, el("b", {}, span.service), " ", span.name);
  name.style.paddingLeft = `${Math.min(span.level, 30) * 12}px`;
  const summary = el("summary", {}, name, el("span", { class: "track" }, bar), el("span", { class: "took" }, duration(span.duration_ns)));
  const node = el("details", {}, summary);
  // Most spans are never opened.
  node.addEventListener("toggle", () => { if (node.open && node.children.length === 1) node.append(details(span)); });
  return node;
}

function showServices(found) {
  table($("trace-services"), [{ title: "service" }, { title: "spans", number: true }, { title: "failed", number: true },
    { title: "exclusive time", number: true }, { title: "on the critical path", number: true }, { title: "share", number: true }],
  found.services.toSorted((a, b) => b.critical_path_ns - a.critical_path_ns || b.exclusive_ns - a.exclusive_ns)
    .map((s) => [s.service, s.spans, s.errors || "", duration(s.exclusive_ns), duration(s.critical_path_ns), share(s.critical_path_share)]));
}

/** offsetText says by how much the clock of one host is ahead of another's. */
function offsetText(o) {
  if (o.known) return `${o.estimate_ns < 0 ? "−" : "+"}${duration(Math.abs(o.estimate_ns))} ± ${duration(o.uncertainty_ns)}`;
  return { one_way: "unknown: calls go one way only", contradictory: "unknown: the clock was set, or drifts fast" }[o.state] ?? "unknown";
}

function showClocks(found) {
  $("trace-clocks-part").hidden = found.hosts.length === 0;
  table($("trace-clocks"), [{ title: "caller's host" }, { title: "callee's host" }, { title: "calls", number: true }, { title: "callee's clock is ahead by" }],
    found.hosts.map((h) => [h.caller_host, h.callee_host, h.calls, offsetText(h.offset)]));
}

/** showLogs shows the lines of a trace, where logs have any. */
async function showLogs(id) {
  $("trace-logs-card").hidden = true;
  try {
    const found = await traceLogs(id);
    if (shownID !== id) return;
    $("trace-logs-card").hidden = found.lines.length === 0;
    $("trace-logs-note").textContent = `· ${found.lines.length}${found.more ? "; there are more" : ""}`;
    showLines($("trace-logs"), found.lines.map(lineOfContext));
  } catch (error) {
    console.debug(error.message);
  }
}

async function openTrace(id) {
  shownID = id;
  $("trace-id").textContent = `· ${id}`;
  $("trace-text").textContent = "asking";
  $("trace-rows").replaceChildren();
  $("trace-split").hidden = true;
  showLogs(id);
  try {
    const found = await trace(id);
    if (shownID !== id) return;
    const rows = inOrder(found.spans);
    const first = Math.min(0, ...rows.map((s) => s.offset_ns));
    const width = Math.max(1, ...rows.map((s) => s.offset_ns - first + Math.max(s.duration_ns, 0)));
    if (first < 0) for (const s of rows) s.offset_ns -= first;
    const origin = found.error_origin;
    $("trace-text").textContent = [
      clock(Date.parse(found.start)), duration(found.duration_ns), `${found.span_count} spans`, `${found.services.length} services`,
      found.errors ? `${found.errors} failed${origin ? `, first in ${origin.service} ${origin.name}` : ""}` : "",
      rows.length > MOST ? `the first ${MOST} are shown` : "", found.note,
    ].filter(Boolean).join(" · ");
    $("trace-rows").replaceChildren(...rows.slice(0, MOST).map((s) => row(s, width)));
    $("trace-split").hidden = false;
    showServices(found);
    showClocks(found);
  } catch (error) {
    if (shownID === id) $("trace-text").textContent = error.message;
  }
}

/** startTrace adds the view of the trace that the address names. */
export function startTrace() {
  $("trace-close").addEventListener("click", () => { location.hash = before(); });
  view("trace", {
    timed: false,
    refresh: ({ parameters }) => openTrace(parameters.get("id").toLowerCase()),
    leave: () => { shownID = ""; },
  });
}
