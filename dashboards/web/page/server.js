// Requests to the service that served this page.

let token = sessionStorage.getItem("goshawk-token") ?? "";

export function setToken(text) {
  token = text;
  sessionStorage.setItem("goshawk-token", text);
}

/** NoAnswer is thrown where the service itself cannot be reached. */
export class NoAnswer extends Error {}

/** Refused is thrown for an answer that is an error; it has a status. */
export class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

/** wordsOf is what an answer that is an error says; each API has its own place for it. */
function wordsOf(text) {
  try {
    const said = JSON.parse(text);
    return String(said.message ?? said.error?.message ?? said.errors?.[0]?.message ?? said.errors?.[0]?.msg ?? text);
  } catch {
    return text;
  }
}

async function ask(path, options = {}, timeout = 10000) {
  const headers = { Accept: "application/json", ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeout);
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  try {
    const response = await fetch(path, { ...options, headers, signal, cache: "no-store", credentials: "omit" });
    const text = await response.text();
    if (!response.ok) throw new Refused(response.status, wordsOf(text) || `status ${response.status}`);
    return { data: JSON.parse(text), response };
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new NoAnswer(stop.signal.aborted ? "it took too long" : error.message);
  } finally {
    clearTimeout(timer);
  }
}

export const flow = async () => (await ask("/api/v1/flow")).data;
export const ledger = async (verify) => (await ask(`/api/v1/ledger${verify ? "?verify=true" : ""}`, {}, verify ? 300000 : 15000)).data;

/** sql runs a query and returns {meta, data, rows, statistics}, rows as arrays. */
export async function sql(query, timeout = 40000, signal = undefined) {
  const { data, response } = await ask("/sql?default_format=JSONCompact", { method: "POST", body: query, headers: { "Content-Type": "text/plain" }, signal }, timeout);
  if (!Array.isArray(data.data) || !Array.isArray(data.meta)) throw new Refused(200, "this page shows results without a FORMAT clause; use curl for others");
  return { ...data, summary: response.headers.get("X-ClickHouse-Summary") };
}

/** promql evaluates a query now, or over the last minutes; the result is a list of series. */
export async function promql(query, minutes = 0) {
  const end = Date.now() / 1000;
  const range = minutes ? { start: String(end - minutes * 60), end: String(end), step: String(minutes) } : { time: String(end) };
  const path = `/api/v1/${minutes ? "query_range" : "query"}`;
  return (await ask(path, { method: "POST", body: new URLSearchParams({ query, ...range }) })).data.data.result;
}

/** trace is a trace with its critical path and the attributes of its spans. */
export const trace = async (id) => (await ask(`/api/v1/traces/${encodeURIComponent(id)}?full=1`)).data;

/** serviceMap is who called whom over the last minutes; compare is a duration such as 24h, or empty. */
export const serviceMap = async (minutes, compare) =>
  (await ask(`/api/v1/service-map?${new URLSearchParams({ start: `${minutes}m`, ...(compare ? { compare } : {}) })}`)).data;

/** operations are rate, errors and durations of a service's operations over the last minutes. */
export const operations = async (service, minutes) =>
  (await ask(`/api/v1/operations?${new URLSearchParams({ service, start: `${minutes}m` })}`)).data;

const SLOW = 65000; // milliseconds; the service gives up earlier

const iso = (ms) => new Date(ms).toISOString();

/** get asks a path for JSON; values of parameters may be lists. */
async function get(path, parameters, { signal, headers } = {}) {
  const all = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined && one !== "") all.append(key, one);
  }
  return (await ask(`${path}?${all}`, { signal, headers }, SLOW)).data;
}

const nanoseconds = (ms) => `${Math.round(ms)}000000`;

/** logQuery runs a LogQL query over a range; the labels of lines come by where they are from. */
export const logQuery = async (query, { from, to, end }, parameters, signal) => (await get("/loki/api/v1/query_range",
  { query, start: nanoseconds(from), end: end ?? nanoseconds(to), ...parameters },
  { signal, headers: { "X-Loki-Response-Encoding-Flags": "categorize-labels" } })).data;

/** logLabels are the names of labels, logValues the values of one. */
export const logLabels = async ({ from, to }, signal) => (await get("/loki/api/v1/labels", { start: nanoseconds(from), end: nanoseconds(to) }, { signal })).data ?? [];
export const logValues = async (label, { from, to }, signal) =>
  (await get(`/loki/api/v1/label/${encodeURIComponent(label)}/values`, { start: nanoseconds(from), end: nanoseconds(to) }, { signal })).data ?? [];

/** logVolume is how many bytes of lines each value of a label has. */
export const logVolume = async (label, { from, to }, limit, signal) => (await get("/loki/api/v1/index/volume",
  { query: `{${label}=~".+"}`, targetLabels: label, start: nanoseconds(from), end: nanoseconds(to), limit }, { signal })).data.result
  .map((s) => [s.metric[label] ?? "", Number(s.value[1])]);

/** logFields are the fields that the newest lines of a query have, logFieldValues the values of one. */
export const logFields = async (query, { from, to }, signal) =>
  (await get("/loki/api/v1/detected_fields", { query, start: nanoseconds(from), end: nanoseconds(to), line_limit: 500 }, { signal })).fields ?? [];
export const logFieldValues = async (name, query, { from, to }, signal) => (await get(`/loki/api/v1/detected_field/${encodeURIComponent(name)}/values`,
  { query, start: nanoseconds(from), end: nanoseconds(to), line_limit: 500 }, { signal })).values ?? [];

/** logsAround are the lines before and after a line. */
export const logsAround = (parameters) => get("/api/v1/logs/context", parameters);

/** traceLogs are the lines of a trace. */
export const traceLogs = (id) => get(`/api/v1/traces/${encodeURIComponent(id)}/logs`, { limit: 200 });

/**
 * tail follows a query: lines is called with what came, ended with why it ended.
 * It returns a function that ends it. A WebSocket cannot have headers, so the
 * token goes where clients of ClickHouse have it.
 */
export function tail(query, limit, lines, ended) {
  const parameters = new URLSearchParams({ query, limit: String(limit), start: nanoseconds(Date.now() - 5000) });
  if (token) parameters.set("password", token);
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/loki/api/v1/tail?${parameters}`);
  let open = true;
  const end = (why) => {
    if (!open) return;
    open = false;
    socket.close();
    ended(why);
  };
  socket.addEventListener("message", (event) => { if (open) lines(JSON.parse(event.data)); });
  socket.addEventListener("close", (event) => end(event.reason || "the connection was closed"));
  return () => end("");
}

/** weblog are the statistics of web servers. */
export const weblog = ({ from, to }, parameters, signal) => get("/api/v1/weblog", { start: iso(from), end: iso(to), ...parameters }, { signal });

/** findings are what was found of those who mean harm. */
export const findings = ({ from, to }, parameters, signal) => get("/api/v1/findings", { start: iso(from), end: iso(to), ...parameters }, { signal });

/** errorGroups are the errors of applications by what they have in common, errorGroup one of them with events. */
export const errorGroups = ({ from, to }, parameters, signal) => get("/api/v1/errors", { start: iso(from), end: iso(to), ...parameters }, { signal });
export const errorGroup = (id, { from, to }, signal) => get(`/api/v1/errors/${encodeURIComponent(id)}`, { start: iso(from), end: iso(to), limit: 20 }, { signal });

/** changes are what was changed: deployments, configurations and others. */
export const changes = ({ from, to }, parameters, signal) => get("/api/v1/changes", { start: iso(from), end: iso(to), ...parameters }, { signal });
