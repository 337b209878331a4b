// Asks the service every second and shows what it says.

import { $, copy } from "./dom.js";
import { startErrors } from "./errors.js";
import { showLogs, showSpans } from "./events.js";
import { showComponents, showDisk, showLag, showLedger, showSignals, showTables } from "./flow.js";
import { clock, rate } from "./format.js";
import { showHosts } from "./hosts.js";
import { startLogs } from "./logs.js";
import { startPatterns } from "./patterns.js";
import { startSecurity } from "./security.js";
import { NoAnswer, Refused, flow, ledger, setToken } from "./server.js";
import { showServiceMap, startServiceMap } from "./servicemap.js";
import { startSQLBox } from "./sqlbox.js";
import { startTrace } from "./trace.js";
import { refresh, shown, startViews } from "./views.js";
import { startWeb } from "./web.js";

let ever = false; // whether anything has arrived, as far as this page knows
let verifying = false;
let traced = false; // whether there are spans
let usable = false; // whether the service and ClickHouse answered the last time

function state(text, kind) {
  const pill = $("state");
  if (pill.textContent !== text) pill.textContent = text;
  pill.className = `pill ${kind}`;
}

function away(title, text) {
  $("away").hidden = false;
  $("away-title").textContent = title;
  $("away-text").textContent = text;
}

function showEmpty(listeners) {
  const at = (name, fallback) => listeners.find((l) => l.name.toLowerCase().includes(name))?.address ?? fallback;
  const address = at("otlp/http", "127.0.0.1:4318");
  $("empty-code").textContent = [
    `export OTEL_EXPORTER_OTLP_ENDPOINT=http://${address}`,
    "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
    "export OTEL_SERVICE_NAME=my-service",
  ].join("\n");
}

function showFlow(f) {
  $("version").textContent = [f.version ? `version ${f.version}` : "", `as of ${clock(Date.parse(f.time)).slice(0, 8)}`].filter(Boolean).join(" · ");
  usable = !f.errors.signals;
  // While ClickHouse is away, what it said last stays on the page.
  if (usable || !ever) {
    showSignals(f.signals);
    showDisk(f.disk, f.errors.disk);
    showTables(f.tables, f.errors.tables);
  }
  showLag(f.lag, f.errors.lag);
  showComponents(f.components, f.listeners);
  const total = f.signals.reduce((sum, s) => sum + s.events_per_second, 0);
  const recent = f.signals.some((s) => s.history.some((n) => n > 0));
  ever ||= recent || f.tables.some((t) => t.rows > 0);
  traced ||= f.tables.some((t) => t.name === "spans" && t.rows > 0);
  $("empty").hidden = ever || Boolean(f.errors.signals);
  if (!ever) showEmpty(f.listeners);
  document.title = total > 0 ? `${rate(total)}/s · Goshawk` : "Goshawk";
  if (f.errors.signals) {
    state("ClickHouse is away", "bad");
    away("ClickHouse does not answer.", `Events wait in Kafka until it is back. (${f.errors.signals})`);
    return;
  }
  $("away").hidden = true;
  if (f.components.some((c) => c.state === "down")) state("a part is down", "bad");
  else if (recent) state("events are flowing", "good");
  else state(ever ? "quiet" : "waiting for data", "");
}

function showFailure(error) {
  usable = false;
  if (error instanceof Refused && error.status === 401) {
    $("token").hidden = false;
    $("content").hidden = true;
    $("token-error").textContent = sessionStorage.getItem("goshawk-token") ? error.message : "";
    state("token needed", "");
  } else if (error instanceof NoAnswer) {
    state("no answer", "bad");
    away("The query service does not answer.", "What you see is from before. This page keeps trying.");
  } else {
    state("trouble", "bad");
    away("The query service answers with an error.", error.message);
  }
}

/** every runs work again and again, pause milliseconds after it ended; slower in a hidden tab. */
async function every(pause, work) {
  for (;;) {
    try { await work(); } catch (error) { console.debug(error.message); }
    await new Promise((done) => { setTimeout(done, document.hidden ? pause * 10 : pause); });
  }
}

async function pollFlow() {
  try {
    const f = await flow();
    $("token").hidden = true;
    $("content").hidden = false;
    showFlow(f);
  } catch (error) {
    showFailure(error);
  }
}

async function verify() {
  verifying = true;
  const button = $("ledger-verify");
  button.disabled = true;
  $("ledger-note").textContent = "comparing every block";
  try {
    const report = await ledger(true);
    showLedger(report);
    $("ledger-note").textContent = `${report.balanced ? "every block has its rows" : "see above"}, ${clock(Date.now()).slice(0, 8)}`;
  } catch (error) {
    $("ledger-note").textContent = error.message;
  } finally {
    button.disabled = false;
    // Leave the outcome on the page for a while.
    setTimeout(() => { verifying = false; }, 15000);
  }
}

$("token").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken($("token-input").value.trim());
  pollFlow();
  refresh();
});
$("ledger-verify").addEventListener("click", verify);
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => copy($(button.dataset.copy).textContent, button));
}
startSQLBox();
startTrace();
startServiceMap();
startLogs();
startPatterns();
startErrors();
startWeb();
startSecurity();
startViews();
await pollFlow();
every(1000, pollFlow);
// The other views ask for themselves.
const overview = () => usable && shown() === "";
every(1000, async () => { if (overview() && !verifying) showLedger(await ledger(false)); });
every(2000, async () => { if (overview()) await showLogs(); });
every(5000, async () => { if (overview()) await showSpans(); });
every(10000, async () => { if (overview()) await showHosts(); });
every(10000, async () => { if (overview() && traced) await showServiceMap(); });
