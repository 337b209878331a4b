// Who calls whom, drawn from left to right, with what the services answer below.

import { $, el, svg, table, tag } from "./dom.js";
import { duration, rate, share, short } from "./format.js";
import { traceLink } from "./links.js";
import { operations, serviceMap } from "./server.js";

const COLUMN = 230;
const ROW = 58;
const WIDTH = 156;
const HEIGHT = 38;
const FAILING = 0.01; // share of failed calls from which on an edge is red
const LABELLED = 16; // edges, up to which each has a label

let chosen = ""; // the service whose operations are shown

/** columns gives each node one more than the furthest of its callers; a cycle ends where it began. */
function columns(nodes, edges) {
  const names = nodes.map((n) => n.id);
  const at = new Map(names.map((n) => [n, 0]));
  for (let round = 0, moved = true; moved && round < names.length; round++) {
    moved = false;
    for (const e of edges) {
      if (e.from !== e.to && at.get(e.to) <= at.get(e.from) && at.get(e.from) + 1 < names.length) {
        at.set(e.to, at.get(e.from) + 1);
        moved = true;
      }
    }
  }
  // Cycles push each other along: close the gaps that this leaves.
  const used = [...new Set(at.values())].sort((a, b) => a - b);
  const byColumn = used.map(() => []);
  for (const n of nodes) byColumn[used.indexOf(at.get(n.id))].push(n);
  return byColumn;
}

const label = (n) => n.name || (n.kind === "entry" ? "visitors" : n.kind);
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const took = (e) => e.client ?? e.server;

/** changed says in words how something differs from before, "" where it does not. */
function changed(thing) {
  if (!thing.state || thing.state === "same") return "";
  if (thing.state !== "changed" || !thing.difference) return thing.state;
  const d = thing.difference;
  const parts = [`${d.calls_per_second >= 0 ? "+" : "−"}${rate(Math.abs(d.calls_per_second))}/s`];
  if (Math.abs(d.error_ratio) >= 0.001) parts.push(`${d.error_ratio >= 0 ? "+" : "−"}${share(Math.abs(d.error_ratio))} failed`);
  if (d.p95_ns) parts.push(`p95 ${d.p95_ns >= 0 ? "+" : "−"}${duration(Math.abs(d.p95_ns))}`);
  return parts.join(", ");
}

function edgeText(e, from, to) {
  const lines = [`${label(from)} → ${label(to)} (${e.kind})`, `${short(e.calls)} calls, ${rate(e.calls_per_second)}/s, ${share(e.error_ratio)} failed`];
  for (const [name, l] of [["caller waits", e.client], ["callee works", e.server], ["network", e.network]]) {
    if (l) lines.push(`${name}: p50 ${duration(l.p50_ns)}, p95 ${duration(l.p95_ns)}, p99 ${duration(l.p99_ns)}`);
  }
  const now = changed(e);
  if (now) lines.push(now);
  return lines.join("\n");
}

function nodeText(n) {
  const lines = [`${label(n)} (${n.kind})`, `${short(n.calls)} calls, ${share(n.error_ratio)} failed`];
  if (n.duration) lines.push(`p50 ${duration(n.duration.p50_ns)}, p95 ${duration(n.duration.p95_ns)}, p99 ${duration(n.duration.p99_ns)}`);
  const now = changed(n);
  if (now) lines.push(now);
  return lines.join("\n");
}

function draw({ nodes, edges }) {
  const byID = new Map(nodes.map((n) => [n.id, n]));
  const byColumn = columns(nodes, edges);
  const tall = Math.max(...byColumn.map((c) => c.length));
  const place = new Map();
  byColumn.forEach((column, x) => column.forEach((n, y) => {
    place.set(n.id, { x: x * COLUMN, y: (y + (tall - column.length) / 2) * ROW });
  }));
  const most = Math.max(1, ...edges.map((e) => e.calls));
  const wide = (byColumn.length - 1) * COLUMN + WIDTH + 8;
  const drawing = svg("svg", {
    viewBox: `-4 -14 ${wide} ${tall * ROW + 8}`, role: "img",
    "aria-label": edges.map((e) => `${label(byID.get(e.from))} calls ${label(byID.get(e.to))} ${e.calls} times`).join("; "),
  });
  drawing.style.maxWidth = `${wide}px`;
  for (const e of edges) {
    const a = place.get(e.from), b = place.get(e.to);
    const x1 = a.x + WIDTH, y1 = a.y + HEIGHT / 2, x2 = b.x, y2 = b.y + HEIGHT / 2;
    const bend = Math.max(40, Math.abs(x2 - x1) / 2);
    const state = [e.error_ratio >= FAILING ? "bad" : "", e.state === "new" || e.state === "vanished" ? e.state : ""].join(" ");
    const time = took(e);
    drawing.append(svg("g", {},
      svg("title", {}, edgeText(e, byID.get(e.from), byID.get(e.to))),
      svg("path", {
        class: `edge ${state}`, d: `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`,
        "stroke-width": 1.2 + (3 * Math.log1p(e.calls)) / Math.log1p(most),
      })));
    if (edges.length <= LABELLED || e.error_ratio >= FAILING) {
      drawing.lastChild.append(svg("text", { class: "calls", x: (x1 + x2) / 2, y: (y1 + y2) / 2 - 4, "text-anchor": "middle" },
        e.state === "vanished" ? "vanished" : `${rate(e.calls_per_second)}/s${time ? ` · ${duration(time.p95_ns)}` : ""}`));
    }
  }
  for (const [id, p] of place) {
    const n = byID.get(id);
    const g = svg("g", { class: `node ${n.kind} ${n.state ?? ""}${n.error_ratio >= FAILING ? " bad" : ""}` },
      svg("title", {}, nodeText(n)),
      svg("rect", { x: p.x, y: p.y, width: WIDTH, height: HEIGHT, rx: n.kind === "service" ? 8 : 19 }),
      svg("text", { x: p.x + WIDTH / 2, y: p.y + 16, "text-anchor": "middle" }, cut(label(n), 21)),
      svg("text", { class: "calls", x: p.x + WIDTH / 2, y: p.y + 30, "text-anchor": "middle" },
        n.calls > 0 ? `${rate(n.calls_per_second)}/s · ${share(n.error_ratio)} failed` : n.kind));
    if (n.kind === "service") g.addEventListener("click", () => choose(n.name));
    drawing.append(g);
  }
  return drawing;
}

const LATENCY = [{ title: "p50", number: true }, { title: "p95", number: true }, { title: "p99", number: true }];
const quantiles = (l) => (l ? [duration(l.p50_ns), duration(l.p95_ns), duration(l.p99_ns)] : ["", "", ""]);
const failedCell = (thing) => ({ text: share(thing.error_ratio), class: thing.error_ratio >= FAILING ? "bad" : "" });
const apdex = (value) => (value === null || value === undefined ? "" : value.toFixed(2));

function showServices(nodes) {
  const rows = nodes.filter((n) => n.kind === "service" && (n.calls > 0 || n.state === "vanished"))
    .sort((a, b) => b.calls - a.calls)
    .map((n) => {
      const button = el("button", { type: "button", class: "link", title: `Operations of ${n.name}` }, n.name);
      button.addEventListener("click", () => choose(n.name));
      const versions = n.versions.map((v) => v.version).filter(Boolean).join(", ");
      const now = changed(n);
      return [button, versions, rate(n.calls_per_second), failedCell(n), ...quantiles(n.duration), apdex(n.apdex),
        now ? tag(now, n.state === "vanished" ? "bad" : "warn") : "", traceLink(n.slow_trace_id), traceLink(n.error_trace_id)];
    });
  table($("services"), [{ title: "service" }, { title: "version" }, { title: "calls/s", number: true }, { title: "failed", number: true },
    ...LATENCY, { title: "Apdex", number: true }, { title: "against before" }, { title: "slow trace" }, { title: "failed trace" }], rows);
}

async function choose(service) {
  chosen = service;
  await showOperations();
  $("operations-card").scrollIntoView({ block: "nearest" });
}

async function showOperations() {
  $("operations-card").hidden = chosen === "";
  if (chosen === "") return;
  const found = await operations(chosen, minutes());
  $("operations-of").textContent = `· ${chosen}, the last ${minutes()} minutes`;
  table($("operations"), [{ title: "operation" }, { title: "kind" }, { title: "version" }, { title: "calls/s", number: true }, { title: "failed", number: true },
    ...LATENCY, { title: "Apdex", number: true }, { title: "slow trace" }, { title: "failed trace" }],
  found.operations.toSorted((a, b) => b.calls - a.calls).map((o) => [o.operation, o.kind, o.version, rate(o.calls_per_second), failedCell(o),
    ...quantiles(o.duration), apdex(o.apdex), traceLink(o.slow_trace_id), traceLink(o.error_trace_id)]));
}

const minutes = () => Number($("map-minutes").value);

/** showServiceMap draws the calls of the last minutes. */
export async function showServiceMap() {
  const compare = $("map-compare").value;
  const found = await serviceMap(minutes(), compare);
  $("map-card").hidden = false;
  $("map-note").textContent = found.note ?? "";
  $("map").replaceChildren(found.nodes.length > 0 ? draw(found)
    : el("p", { class: "none" }, "no calls in this time; they are counted by the minute, and shown when it is over"));
  showServices(found.nodes);
  await showOperations();
}

/** startServiceMap makes the card's settings work. */
export function startServiceMap() {
  for (const id of ["map-minutes", "map-compare"]) $(id).addEventListener("change", showServiceMap);
  $("operations-close").addEventListener("click", () => { chosen = ""; $("operations-card").hidden = true; });
}
