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

async function ask(path, options = {}, timeout = 10000) {
  const headers = { Accept: "application/json", ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeout);
  try {
    const response = await fetch(path, { ...options, headers, signal: stop.signal, cache: "no-store", credentials: "omit" });
    const text = await response.text();
    if (!response.ok) {
      let message = text;
      try { const said = JSON.parse(text); message = (said.error ?? said.errors[0]).message ?? said.errors[0].msg; } catch { /* as it is */ }
      throw new Refused(response.status, message || `status ${response.status}`);
    }
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
export async function sql(query, timeout = 40000) {
  const { data, response } = await ask("/sql?default_format=JSONCompact", { method: "POST", body: query, headers: { "Content-Type": "text/plain" } }, timeout);
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
