// The live part of the page: what /api/v1/flow and /api/v1/ledger say.

import { $, el, fact, table, tag } from "./dom.js";
import { bytes, rate, short, whole } from "./format.js";
import { Sparkline, smooth } from "./sparkline.js";

// The seconds at the end of the history whose blocks are still being stored.
const UNFINISHED = 2;

const cards = new Map();

function card(signal) {
  let c = cards.get(signal);
  if (!c) {
    c = { figure: el("span"), spark: new Sparkline(), peak: el("span"), facts: el("p", { class: "facts" }) };
    c.node = el("article", { class: `card signal ${signal}` },
      el("h2", {}, signal.replaceAll("_", " ")),
      el("p", { class: "figure" }, c.figure, " ", el("span", { class: "unit" }, "events/s")),
      c.spark.node,
      el("p", { class: "axis" }, el("span", {}, "2 min ago"), c.peak, el("span", {}, "now")),
      c.facts);
    cards.set(signal, c);
    $("signals").append(c.node);
  }
  return c;
}

export function showSignals(signals) {
  for (const s of signals) {
    const c = card(s.signal);
    c.figure.textContent = rate(s.events_per_second);
    const values = smooth(s.history).slice(4, s.history.length - UNFINISHED);
    const most = c.spark.draw(values, `${s.signal}: ${rate(s.events_per_second)} events per second, last two minutes`);
    c.peak.textContent = most > 0 ? `peak ${rate(most)}/s` : "quiet";
    c.facts.replaceChildren(
      fact("blocks/s", rate(s.blocks_per_second)),
      fact("events a block", rate(s.events_per_block)),
      ...(s.rejected_per_second > 0 ? [fact("rejected/s", rate(s.rejected_per_second), true)] : []),
      ...(s.repeated_per_second > 0 ? [fact("repeated/s", rate(s.repeated_per_second))] : []));
  }
}

export function showLag(lag, error) {
  $("lag").textContent = lag ? short(lag.records) : "–";
  if (!lag) {
    $("lag-topics").replaceChildren(el("p", { class: "quiet" }, error ?? "Kafka is not asked by this process"));
    return;
  }
  const topics = new Map();
  for (const p of lag.partitions) {
    const t = topics.get(p.topic) ?? { lag: 0, worst: 0, partitions: 0 };
    t.lag += p.lag;
    t.worst = Math.max(t.worst, p.lag);
    t.partitions++;
    topics.set(p.topic, t);
  }
  const most = Math.max(...[...topics.values()].map((t) => t.lag), 1);
  const bars = el("div", { class: "bars" });
  for (const [name, t] of topics) {
    const bar = el("span");
    bar.style.width = `${(t.lag / most) * 100}%`;
    bars.append(el("span", {}, name), el("div", { class: "meter" }, bar),
      el("span", { title: `worst of ${t.partitions} partitions: ${whole(t.worst)}` }, short(t.lag)));
  }
  $("lag-topics").replaceChildren(bars);
}

export function showDisk(disk, error) {
  const meter = $("disk-meter");
  if (!disk || !disk.total_bytes) {
    $("disk").textContent = "–";
    $("disk-text").textContent = error ?? "unknown";
    return;
  }
  const used = 1 - disk.free_bytes / disk.total_bytes;
  $("disk").textContent = bytes(disk.free_bytes);
  meter.firstElementChild.style.width = `${(used * 100).toFixed(1)}%`;
  meter.classList.toggle("bad", used > 0.9);
  meter.setAttribute("aria-label", `${(used * 100).toFixed(0)} % of the disk is in use`);
  const own = disk.data_bytes ? `${bytes(disk.data_bytes)} of goshawk's data; ` : "";
  $("disk-text").textContent = `${own}${(used * 100).toFixed(0)} % of ${bytes(disk.total_bytes)} in use, ${disk.path}`;
}

const stateKind = { up: "good", down: "bad", starting: "warn", stopping: "warn" };

export function showComponents(components, listeners) {
  $("components").hidden = components.length === 0;
  table($("components"),
    [{ title: "part" }, { title: "state" }, { title: "pid", number: true }, { title: "restarts", number: true }, { title: "memory", number: true }],
    components.map((c) => [
      { text: c.name, class: "nowrap" },
      el("span", { title: c.detail || false }, tag(c.state, stateKind[c.state])),
      c.pid || "", c.restarts, c.rss_bytes ? bytes(c.rss_bytes) : "",
    ]));
  table($("listeners"), [{ title: "listens for" }, { title: "at" }],
    listeners.map((l) => [{ text: l.name, class: "nowrap" }, { text: l.address, class: "mono" }]),
    "the other roles run as processes of their own");
}

export function showTables(tables, error) {
  const empty = tables.filter((t) => t.rows === 0).length;
  const rows = tables.filter((t) => t.rows > 0);
  table($("tables"),
    [{ title: "table" }, { title: "rows", number: true }, { title: "on disk", number: true }, { title: "a row", number: true }, { title: "parts", number: true }],
    [...rows.map((t) => [t.name, short(t.rows), bytes(t.bytes), t.bytes_per_row < 1000 ? `${t.bytes_per_row.toFixed(1)} B` : bytes(t.bytes_per_row), t.parts]),
      ...(empty && rows.length ? [[{ text: `and ${empty} empty ones`, class: "none" }, "", "", "", ""]] : [])],
    error ?? "not for this token");
}

export function showLedger(report) {
  const verdict = $("ledger-verdict");
  const t = report.totals;
  verdict.className = `verdict ${t.blocks === 0 ? "" : report.balanced ? "good" : "bad"}`;
  verdict.textContent = t.blocks === 0 ? "no blocks yet" : report.balanced ? "balanced"
    : `${whole(report.problem_count)} ${report.problem_count === 1 ? "problem" : "problems"}`;
  const counts = [["accepted", t.accepted], ["stored", t.stored], ["rejected", t.rejected], ["dropped", t.dropped], ["repeated", t.repeated], ["blocks", t.blocks]];
  $("ledger-counts").replaceChildren(...counts.map(([name, n]) =>
    el("div", {}, el("dt", {}, name), el("dd", { title: whole(n) }, n < 1e9 ? whole(n) : short(n)))));
  $("ledger-problems").replaceChildren(...report.problems.slice(0, 5).map((p) =>
    el("p", { class: "problem" }, `${p.kind}: ${p.topic}/${p.partition} [${p.from},${p.to < 0 ? "?" : p.to}) ${p.detail}`)));
}
