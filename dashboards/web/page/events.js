// The latest logs and the slowest spans, through the same SQL that everybody has.

import { $, el, table, tag } from "./dom.js";
import { clock, duration } from "./format.js";
import { traceLink } from "./links.js";
import { sql } from "./server.js";

// The window grows until something is in it, and shrinks when data flows again.
const windows = [[1, "last minute"], [15, "last 15 minutes"], [1440, "last 24 hours"]];

function bounds(minutes) {
  // The bucket, which leads the order of rows, keeps the query from reading more.
  return `bucket >= toStartOfInterval(now() - INTERVAL ${minutes} MINUTE, INTERVAL 30 MINUTE) AND time >= now() - INTERVAL ${minutes} MINUTE`;
}

async function widening(state, query) {
  for (let i = Math.max(0, state.at - 1); i < windows.length; i++) {
    const result = await sql(query(bounds(windows[i][0])), 8000);
    state.at = i;
    if (result.data.length > 0 || i === windows.length - 1) return [result.data, windows[i][1]];
  }
}

const kinds = { error: "bad", fatal: "bad", warn: "warn" };
const logs = { at: 0 };
const spans = { at: 1 };

export async function showLogs() {
  const [rows, span] = await widening(logs, (where) => `SELECT toUnixTimestamp64Milli(time), service, toString(severity_class), left(body, 400), if(trace_id = unhex(repeat('00', 16)), '', lower(hex(trace_id)))
FROM logs WHERE ${where} ORDER BY time DESC LIMIT 12`);
  $("logs-window").textContent = rows.length ? `· ${span}` : "";
  table($("logs"), [{ title: "time" }, { title: "service" }, { title: "severity" }, { title: "body" }, { title: "trace" }],
    rows.map(([time, service, severity, body, trace]) => [
      { text: clock(Number(time)), class: "mono nowrap" }, { text: service, class: "nowrap" }, tag(severity, kinds[severity]),
      { text: el("div", { title: body }, body), class: "body" },
      { text: traceLink(trace), class: "mono nowrap" },
    ]), "no logs in the last 24 hours");
}

export async function showSpans() {
  const [rows, span] = await widening(spans, (where) => `SELECT toUnixTimestamp64Milli(time), service, name, toString(kind), toString(status), duration_ns, lower(hex(trace_id))
FROM spans WHERE ${where} ORDER BY duration_ns DESC LIMIT 10`);
  $("spans-window").textContent = rows.length ? `· ${span}` : "";
  table($("spans"), [{ title: "duration", number: true }, { title: "service" }, { title: "operation" }, { title: "kind" }, { title: "status" }, { title: "start" }, { title: "trace" }],
    rows.map(([time, service, name, kind, status, ns, trace]) => [
      duration(Number(ns)), { text: service, class: "nowrap" }, { text: el("div", { title: name }, name), class: "body" }, kind,
      tag(status, status === "error" ? "bad" : ""), { text: clock(Number(time)), class: "mono nowrap" },
      { text: traceLink(trace), class: "mono nowrap" },
    ]), "no spans in the last 24 hours");
}
