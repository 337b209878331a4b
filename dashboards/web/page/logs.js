// Logs: a LogQL query, how many lines of which level there are over time, and the
// lines.

import { TimeChart } from "./chart.js";
import { $ } from "./dom.js";
import { moment, short, whole } from "./format.js";
import { showLabels } from "./labels.js";
import { byLevel, linesOf, newestFirst, showLines, styleOf } from "./logline.js";
import { slotsOf, stepOf } from "./range.js";
import { filtering, selecting } from "./selector.js";
import { Refused, logQuery, tail } from "./server.js";
import { change, changeTime, view } from "./views.js";

const FIRST = '{service_name=~".+"}';
const MOST = 2000; // lines on the page
const SERIES = 8; // of a query for numbers

let lines = [];
let range;
let asked = FIRST; // the query whose lines are shown
let stopTail = null;
let chart;

const query = () => $("logs-query").value.trim();
const fit = () => { $("logs-query").rows = Math.min(8, $("logs-query").value.split("\n").length); };

function filter(kind, name, value, equal) {
  run(kind === "stream" ? selecting(query(), name, value, equal) : filtering(query(), name, value, equal));
}

const options = { filter, none: "no lines in this time" };

function run(text = query()) {
  $("logs-query").value = text;
  change({ query: text === FIRST ? "" : text, limit: $("logs-limit").value === "200" ? "" : $("logs-limit").value });
}

/** showError shows what is wrong with a query, and where. */
function showError(error) {
  const place = error instanceof Refused ? /line (\d+), col (\d+)/.exec(error.message) : null;
  const line = place ? query().split("\n")[Number(place[1]) - 1] : undefined;
  $("logs-error").textContent = line === undefined ? error.message : `${line}\n${" ".repeat(Math.max(0, Number(place[2]) - 1))}^\n${error.message}`;
  $("logs-error").hidden = false;
}

/** valuesAt are the values of a series for slots; a value at a time is about the step before it. */
function valuesAt(values, slots, step, none) {
  const byTime = new Map(values.map(([t, v]) => [Math.round(Number(t) - step) * 1000, Number(v)]));
  return slots.map((t) => byTime.get(t) ?? none);
}

/** stepRange is the range in whole steps, whose values are about the slots. */
const stepRange = (slots, step) => ({ from: slots[0] + step * 1000, to: slots.at(-1) + step * 1000 });

async function showVolume(text, slots, step, signal) {
  const found = await logQuery(`sum by (level) (count_over_time(${text} [${step}s]))`, stepRange(slots, step), { step }, signal);
  const series = found.result.map((s) => ({ name: s.metric.level || "unknown", values: valuesAt(s.values, slots, step, 0) }))
    .sort((a, b) => byLevel(a.name, b.name)).map((s) => ({ ...s, style: styleOf(s.name) }));
  const total = series.reduce((sum, s) => sum + s.values.reduce((n, v) => n + v, 0), 0);
  chart.kind = "bars";
  chart.draw({ slots, step, series, label: `${whole(total)} lines by level` });
  return total;
}

function showNumbers(found, slots, step) {
  const values = found.result.map((s) => ({ name: Object.entries(s.metric).map(([k, v]) => `${k}=${v}`).join(" ") || "value", values: valuesAt(s.values, slots, step, null) }));
  const size = (s) => s.values.reduce((sum, v) => sum + Math.abs(v ?? 0), 0);
  const series = values.sort((a, b) => size(b) - size(a)).slice(0, SERIES).map((s, i) => ({ ...s, style: `series-${i}` }));
  chart.kind = "lines";
  chart.draw({ slots, step, series, label: series.map((s) => s.name).join("; ") });
  $("logs-note").textContent = values.length > SERIES ? `· ${SERIES} of ${values.length} series are drawn` : "";
  lines = [];
  showLines($("logs-lines"), [], { none: "a query for numbers has no lines" });
}

function showFound(all) {
  lines = all.slice(0, MOST);
  showLines($("logs-lines"), lines, options);
}

function showNote(total) {
  const oldest = lines.at(-1);
  $("logs-note").textContent = lines.length === 0 ? "" : `· newest first, ${whole(lines.length)}${total > lines.length && Number.isFinite(total) ? ` of ${short(total)}` : ""}, back to ${moment(Number(oldest.time.slice(0, -6)), true)}`;
  $("logs-older").hidden = lines.length === 0 || lines.length >= MOST || !(total > lines.length);
}

async function refresh({ parameters, range: wanted, signal }) {
  range = wanted;
  const text = (parameters.get("query") ?? FIRST).trim();
  asked = text;
  $("logs-query").value = text;
  fit();
  $("logs-limit").value = parameters.get("limit") ?? "200";
  const step = stepOf(range);
  const slots = slotsOf(range, step);
  const labels = showLabels($("logs-labels"), text, range, signal, run).catch((error) => { if (!signal.aborted) console.debug(error.message); });
  try {
    // A query for numbers has a value for each slot, and none for lines.
    const numbers = !/^\s*\{/.test(text);
    const found = await logQuery(text, numbers ? stepRange(slots, step) : range, { limit: $("logs-limit").value, ...(numbers ? { step } : {}) }, signal);
    if (signal.aborted) return;
    $("logs-error").hidden = true;
    $("logs-live").disabled = numbers;
    $("logs-older").hidden = numbers;
    if (found.resultType === "streams") {
      showFound(linesOf(found.result));
      showNote(0);
      showNote(await showVolume(text, slots, step, signal));
    } else {
      showNumbers(found, slots, step);
    }
  } catch (error) {
    if (signal.aborted) return;
    showError(error);
  }
  await labels;
}

async function showOlder() {
  const oldest = lines.at(-1);
  $("logs-older").disabled = true;
  try {
    // Other lines may have the same time as the oldest one.
    const found = await logQuery(query(), { from: range.from, end: String(BigInt(oldest.time) + 1n) }, { limit: $("logs-limit").value });
    const seen = new Set(lines.map((l) => l.key));
    const more = linesOf(found.result).filter((l) => !seen.has(l.key));
    showFound([...lines, ...more]);
    showNote(more.length > 0 ? Infinity : 0);
  } catch (error) {
    showError(error);
  } finally {
    $("logs-older").disabled = false;
  }
}

function endTail() {
  stopTail?.();
  stopTail = null;
  $("logs-live").setAttribute("aria-pressed", "false");
}

function startTail() {
  let count = 0, dropped = 0;
  $("logs-live").setAttribute("aria-pressed", "true");
  $("logs-status").textContent = "waiting for lines";
  $("logs-older").hidden = true;
  stopTail = tail(query(), 500, (message) => {
    const fresh = linesOf(message.streams ?? []);
    count += fresh.length;
    dropped += message.dropped_entries?.length ?? 0;
    const all = [...fresh, ...lines].sort(newestFirst);
    showFound(all.slice(0, 500));
    $("logs-note").textContent = "· newest first, as they come";
    $("logs-status").textContent = `${whole(count)} lines came${dropped ? `, ${whole(dropped)} more than are shown` : ""}`;
  }, (why) => {
    stopTail = null;
    $("logs-live").setAttribute("aria-pressed", "false");
    $("logs-status").textContent = why ? `ended: ${why}` : "";
  });
}

/** startLogs adds the view of logs. */
export function startLogs() {
  chart = new TimeChart({ height: 110, choose: changeTime });
  $("logs-chart").append(chart.node);
  $("logs-form").addEventListener("submit", (event) => { event.preventDefault(); endTail(); run(); });
  $("logs-query").addEventListener("input", fit);
  $("logs-query").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); endTail(); run(); }
  });
  $("logs-limit").addEventListener("change", () => run());
  $("logs-older").addEventListener("click", showOlder);
  $("logs-live").addEventListener("click", () => { if (stopTail) endTail(); else startTail(); });
  view("logs", {
    refresh: (given) => { endTail(); return refresh(given); },
    leave: endTail,
    // Who follows, reads a line or older ones, or types is not disturbed.
    busy: () => stopTail !== null || lines.length > Number($("logs-limit").value) || $("logs-lines").querySelector("details[open]") !== null || query() !== asked,
  });
}
