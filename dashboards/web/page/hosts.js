// What the agents and probes say of hosts and services, asked for in PromQL.

import { $, el, table, tag } from "./dom.js";
import { bytes } from "./format.js";
import { promql } from "./server.js";
import { Sparkline } from "./sparkline.js";

const MINUTES = 30;
const percent = (n) => `${n.toFixed(n < 10 ? 1 : 0)} %`;
const speed = (n) => `${bytes(n)}/s`;

// Of several hosts, the busiest is shown for shares, and all together for rates;
// the network is shown without loopback.
const CHARTS = [
  { title: "CPU", unit: percent, note: "busy", query: 'max(100 * (1 - sum by (host_name) (rate(system_cpu_time_seconds_total{state="idle"}[1m])) / sum by (host_name) (rate(system_cpu_time_seconds_total[1m]))))' },
  { title: "Memory", unit: percent, note: "used", query: 'max(100 * sum by (host_name) (system_memory_usage_bytes{state="used"}) / sum by (host_name) (system_memory_usage_bytes))' },
  { title: "Disk I/O", unit: speed, note: "", query: "sum(rate(system_disk_io_bytes_total[1m]))" },
  { title: "Network I/O", unit: speed, note: "", query: 'sum(rate(system_network_io_bytes_total{device!="lo"}[1m]))' },
];

function card(chart) {
  chart.figure = el("span", {}, "–");
  chart.spark = new Sparkline();
  chart.peak = el("span");
  $("hosts").append(el("article", { class: "card signal host" },
    el("h2", {}, chart.title),
    el("p", { class: "figure" }, chart.figure, " ", el("span", { class: "unit" }, chart.note)),
    chart.spark.node,
    el("p", { class: "axis" }, el("span", {}, `${MINUTES} min ago`), chart.peak, el("span", {}, "now"))));
}

async function draw(chart) {
  const values = (await promql(chart.query, MINUTES)).flatMap((s) => s.values.map(([, v]) => Number(v))).filter(Number.isFinite);
  if (values.length === 0) return false;
  const last = values.at(-1);
  chart.figure.textContent = chart.unit(last);
  const most = chart.spark.draw(values, `${chart.title}: ${chart.unit(last)} ${chart.note}, last ${MINUTES} minutes`);
  chart.peak.textContent = `peak ${chart.unit(most)}`;
  return true;
}

const key = (labels) => `${labels.job ?? ""}\n${labels.instance ?? ""}\n${labels.site ?? ""}`;

async function showProbes() {
  const [success, seconds] = await Promise.all([promql("probe_success"), promql("probe_duration_seconds")]);
  const took = new Map(seconds.map((s) => [key(s.metric), Number(s.value[1])]));
  const rows = success.map((s) => {
    const up = Number(s.value[1]) === 1;
    const t = took.get(key(s.metric));
    return [tag(up ? "up" : "down", up ? "good" : "bad"), s.metric.job ?? "", s.metric.instance ?? "", s.metric.site ?? "",
      t === undefined ? "" : `${(t * 1000).toFixed(t < 0.01 ? 1 : 0)} ms`];
  });
  rows.sort((a, b) => a[1].localeCompare(b[1]) || a[2].localeCompare(b[2]));
  table($("probes"), [{ title: "" }, { title: "probe" }, { title: "target" }, { title: "from" }, { title: "took", number: true }], rows, "no probes");
  return rows.length > 0;
}

/** showHosts asks for everything and hides what nobody reports. */
export async function showHosts() {
  if (!CHARTS[0].spark) CHARTS.forEach(card);
  const found = await Promise.all(CHARTS.map(draw));
  $("hosts").hidden = !found.some(Boolean);
  $("probes-card").hidden = !(await showProbes());
}
