// Patterns of log lines: how often they come, and which are new.

import { $, el, fact, tag } from "./dom.js";
import { ago, clock, moment, percent, short, whole } from "./format.js";
import { traceLink } from "./links.js";
import { styleOf } from "./logline.js";
import { openTable } from "./opentable.js";
import { slotsOf, stepOf } from "./range.js";
import { ofPattern } from "./selector.js";
import { sql } from "./server.js";
import { sparkline } from "./sparkline.js";
import { address, change, view } from "./views.js";

const MOST = 200;
const LINES = 20; // of a pattern that is opened
const LEARN = 300; // seconds from the first pattern of a service, in which none is new

const text = (s) => `'${s.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
const at = (ms) => `fromUnixTimestamp(${Math.floor(ms / 1000)})`;

const ORDERS = { "": "counted DESC", new: "earliest DESC, counted DESC", rare: "counted ASC" };

/**
 * statement counts lines by pattern. Patterns that differ only in words that
 * vary are one: the table log_patterns knows which.
 */
function statement(range, step, { service, level, search, order }) {
  const where = [`time >= ${at(range.from)}`, `time < ${at(range.to)}`];
  if (service) where.push(`service = ${text(service)}`);
  if (level) where.push(`severity_class = ${text(level)}`);
  return `SELECT service, toString(if(merged_id = 0, pattern_id, merged_id)) AS id, any(if(merged_id = 0, pattern, merged)) AS shown,
  toString(max(severity_class)) AS level, sum(lines) AS counted, toUnixTimestamp(min(if(books.first = 0, time, books.first))) AS earliest, toUnixTimestamp(max(began)) AS learned,
  groupUniqArray(200)(toString(pattern_id)) AS members, sumMap([toUInt32(intDiv(toUnixTimestamp(time), ${step}))], [lines]) AS trend,
  sum(sum(lines)) OVER () AS total, count() OVER () AS patterns
FROM log_patterns_1m
LEFT JOIN (
  SELECT service, pattern_id, argMax(merged_id, revision) AS merged_id, argMax(merged, revision) AS merged, argMax(first_seen, revision) AS first,
    min(argMax(first_seen, revision)) OVER (PARTITION BY service) AS began
  FROM log_patterns GROUP BY service, pattern_id
) AS books USING (service, pattern_id)
WHERE ${where.join(" AND ")}
GROUP BY service, id
${search ? `HAVING positionCaseInsensitiveUTF8(shown, ${text(search)}) > 0\n` : ""}ORDER BY ${ORDERS[order] ?? ORDERS[""]}, id LIMIT ${MOST}`;
}

const COLUMNS = [{ title: "pattern" }, { title: "service" }, { title: "level" }, { title: "trend" }, { title: "lines", number: true }, { title: "share", number: true }, { title: "first seen" }];

function pieces(pattern) {
  return pattern.split(/(<\*>)/).map((part) => (part === "<*>" ? el("span", { class: "hole" }, part) : part));
}

async function showLines(target, p, range) {
  const ids = p.members.map((id) => `toUInt64(${text(id)})`).join(", ");
  const found = await sql(`SELECT toUnixTimestamp64Milli(time), left(body, 1000), if(trace_id = unhex(repeat('00', 16)), '', lower(hex(trace_id)))
FROM logs
WHERE bucket >= toStartOfInterval(${at(range.from)}, INTERVAL 30 MINUTE) AND bucket <= ${at(range.to)} AND time >= ${at(range.from)} AND time < ${at(range.to)}
  AND service = ${text(p.service)} AND pattern_id IN (${ids})
ORDER BY time DESC LIMIT ${LINES}`);
  target.replaceChildren(el("div", { class: "lines" }, ...found.data.map(([time, body, trace]) => el("div", { class: `line ${styleOf(p.level)}` },
    el("div", { class: "plain" }, el("span", { class: "time" }, clock(Number(time))), el("span", { class: "text" }, body), trace ? traceLink(trace) : "")))),
  ...(found.data.length === 0 ? [el("p", { class: "none" }, "the lines are gone")] : []));
}

function details(p, range) {
  const lines = el("div", {}, el("p", { class: "quiet" }, "asking"));
  showLines(lines, p, range).catch((error) => lines.replaceChildren(el("p", { class: "error" }, error.message)));
  return el("div", { class: "opened" },
    el("pre", {}, ...pieces(p.shown)),
    el("p", { class: "facts" }, el("a", { href: address("logs", { query: ofPattern(p.service, p.shown) }) }, "Lines like this in Logs"),
      fact(p.members.length === 1 ? "variant" : "variants", whole(p.members.length)), el("span", { class: "mono" }, p.id)),
    el("h3", {}, "Latest lines"), lines);
}

function rowOf(p, total, range, slots, step) {
  const [times, counts] = p.trend;
  const byTime = new Map(times.map((t, i) => [Number(t) * step * 1000, Number(counts[i])]));
  const isNew = p.learned > 0 && p.first > p.learned + LEARN && p.first * 1000 >= range.from;
  return {
    key: `${p.service} ${p.id}`,
    cells: [
      { text: el("span", { class: "clamp mono" }, isNew ? tag("new", "warn") : "", isNew ? " " : "", ...pieces(p.shown.slice(0, 600))), class: "wide" },
      { text: p.service, class: "nowrap" }, el("span", { class: `level ${styleOf(p.level)}` }, p.level), sparkline(slots.map((t) => byTime.get(t) ?? 0), `${p.lines} lines over time`),
      short(p.lines), percent(total > 0 ? p.lines / total : 0), { text: el("span", { title: moment(p.first * 1000, true) }, ago(p.first * 1000)), class: "nowrap" },
    ],
    details: () => details(p, range),
  };
}

function showServices(rows, chosen) {
  const select = $("patterns-service");
  if (document.activeElement === select) return;
  const names = new Set([...[...select.options].map((o) => o.value), ...rows.map((p) => p.service), chosen].filter(Boolean));
  select.replaceChildren(el("option", { value: "" }, "all"), ...[...names].sort().map((name) => el("option", {}, name)));
  select.value = chosen;
}

async function refresh({ parameters, range, signal }) {
  const given = (name) => parameters.get(name) ?? "";
  const asked = { service: given("service"), level: given("level"), search: given("q"), order: given("order") };
  if (document.activeElement !== $("patterns-search")) $("patterns-search").value = asked.search;
  $("patterns-level").value = asked.level;
  $("patterns-order").value = asked.order;
  const step = Math.max(60, stepOf(range, 60));
  const found = await sql(statement(range, step, asked), 40000, signal);
  if (signal.aborted) return;
  const slots = slotsOf(range, step);
  const rows = found.data.map(([service, id, shown, level, lines, first, learned, members, trend, total, patterns]) => ({
    service, id, shown, level, lines: Number(lines), first: Number(first), learned: Number(learned), members, trend, total: Number(total), patterns: Number(patterns),
  }));
  const total = rows[0]?.total ?? 0;
  showServices(rows, asked.service);
  $("patterns-note").textContent = rows.length > 0 ? `${whole(rows[0].patterns)} patterns of ${short(total)} lines${rows[0].patterns > rows.length ? `; ${rows.length} are shown` : ""}` : "";
  openTable($("patterns"), COLUMNS, rows.map((p) => rowOf(p, total, range, slots, step)), "no patterns in this time");
}

/** startPatterns adds the view of patterns. */
export function startPatterns() {
  for (const [id, name] of [["patterns-service", "service"], ["patterns-level", "level"], ["patterns-order", "order"], ["patterns-search", "q"]]) {
    $(id).addEventListener("change", () => change({ [name]: $(id).value.trim() }));
  }
  view("patterns", { refresh });
}
