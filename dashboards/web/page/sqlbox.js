// The SQL box: a query, its result as a table, and the same as a command.

import { $, small, table } from "./dom.js";
import { bytes, whole } from "./format.js";
import { Refused, sql } from "./server.js";

const examples = [
  ["Events per service", `SELECT service, severity_class, count() AS events
FROM logs
WHERE bucket >= toStartOfInterval(now() - INTERVAL 1 HOUR, INTERVAL 30 MINUTE)
GROUP BY service, severity_class
ORDER BY events DESC
LIMIT 20`],
  ["Errors", `SELECT time, service, body
FROM logs
WHERE bucket >= toStartOfInterval(now() - INTERVAL 1 HOUR, INTERVAL 30 MINUTE)
  AND severity >= 17
ORDER BY time DESC
LIMIT 50`],
  ["Operations", `SELECT service, name, count() AS calls, countIf(status = 'error') AS errors,
  round(quantile(0.5)(duration_ns) / 1e6, 2) AS p50_ms,
  round(quantile(0.99)(duration_ns) / 1e6, 2) AS p99_ms
FROM spans
WHERE bucket >= toStartOfInterval(now() - INTERVAL 1 HOUR, INTERVAL 30 MINUTE)
GROUP BY service, name
ORDER BY calls DESC
LIMIT 20`],
  ["Metrics", `SELECT metric, count() AS points, uniqExact(fingerprint) AS series, max(time) AS latest
FROM samples
WHERE time >= now() - INTERVAL 1 HOUR
GROUP BY metric
ORDER BY points DESC
LIMIT 20`],
  ["Ledger", `SELECT topic, kafka_partition, count() AS blocks, sum(accepted) AS accepted,
  sum(stored) AS stored, sum(rejected) AS rejected, sum(repeated) AS repeated
FROM ledger
GROUP BY topic, kafka_partition
ORDER BY topic, kafka_partition`],
  ["Columns of logs", "DESCRIBE TABLE logs"],
];

// More rows than this a table on a page is no good for.
const MAX_ROWS = 500;

const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function showCommand() {
  const query = $("sql-text").value.trim();
  $("sql-text").rows = Math.min(16, Math.max(5, $("sql-text").value.split("\n").length + 1));
  $("sql-curl").textContent = `curl ${quote(`${location.origin}/sql`)} --data-binary ${quote(query)}`;
}

async function run() {
  const button = $("sql-run");
  const query = $("sql-text").value.trim();
  if (!query || button.disabled) return;
  button.disabled = true;
  $("sql-error").hidden = true;
  $("sql-status").textContent = "running";
  try {
    const result = await sql(query);
    const numeric = (type) => /^(Nullable\()?(U?Int|Float|Decimal)/.test(type);
    table($("sql-result"), result.meta.map((m) => ({ title: m.name, number: numeric(m.type) })),
      result.data.slice(0, MAX_ROWS).map((row) => row.map((cell) => ({
        text: cell === null ? "NULL" : typeof cell === "object" ? JSON.stringify(cell) : String(cell), class: "mono",
      }))), "no rows");
    $("sql-scroll").hidden = false;
    const more = result.data.length > MAX_ROWS ? `; the first ${MAX_ROWS} are shown` : "";
    const s = result.statistics;
    const read = s ? `, ${(s.elapsed * 1000).toFixed(0)} ms, ${whole(s.rows_read)} rows and ${bytes(s.bytes_read)} read` : "";
    $("sql-status").textContent = `${whole(result.rows)} ${result.rows === 1 ? "row" : "rows"}${read}${more}`;
  } catch (error) {
    $("sql-status").textContent = error instanceof Refused ? "" : "no answer";
    $("sql-error").textContent = error.message;
    $("sql-error").hidden = false;
    $("sql-scroll").hidden = true;
  } finally {
    button.disabled = false;
  }
}

export function startSQLBox() {
  const text = $("sql-text");
  text.value = examples[0][1];
  $("sql-examples").append(...examples.map(([name, query]) => small(name, "", () => { text.value = query; showCommand(); run(); })));
  text.addEventListener("input", showCommand);
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
  });
  $("sql-run").addEventListener("click", run);
  showCommand();
}
