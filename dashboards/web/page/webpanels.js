// The lists of the statistics of web servers: a card each, whose rows select.

import { el, table } from "./dom.js";
import { bytes, seconds, short } from "./format.js";

const WEEKDAYS = ["", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

let regions;

/** countryName is the name of a country's code. */
export function countryName(code) {
  try {
    regions ??= new Intl.DisplayNames(["en"], { type: "region" });
    return `${regions.of(code)} (${code})`;
  } catch {
    return code;
  }
}

const byName = (parameter) => (name) => ({ [parameter]: name });
const known = (parameter) => (name) => (name === "" ? null : { [parameter]: name });

const column = (title, of) => ({ title, number: true, of });
const requests = column("requests", (r) => short(r.requests));
const visitors = column("visitors", (r) => short(r.visitors));
const sent = column("sent", (r) => bytes(r.bytes));
const failed = column("failed", (r) => (r.failed ? short(r.failed) : ""));
const COUNTS = [requests, visitors, sent, failed];
// Lists of long names have few columns.
const VISITS = [requests, visitors];
const SENT = [requests, sent, failed];
const TIMES = [column("p50", (r) => seconds(r.p50_seconds)), column("p95", (r) => seconds(r.p95_seconds)), requests];

// In the order of the page. filter says what a click on a row selects, null for
// nothing; of is the number that the bars show, which is requests where it is
// not there; whole lists cannot have more rows.
export const PANELS = [
  { id: "clients", title: "Clients", filter: byName("client") },
  { id: "not_found", title: "Not found", filter: (name) => ({ path: name, status: "404" }), columns: VISITS },
  { id: "paths", title: "Paths", filter: byName("path"), columns: SENT },
  { id: "routes", title: "Routes", filter: known("route"), columns: SENT },
  { id: "slowest", title: "Slowest routes", filter: known("route"), columns: TIMES, of: (r) => r.p95_seconds },
  { id: "status", title: "Status codes", filter: byName("status") },
  { id: "status_classes", title: "Status classes", filter: byName("status") },
  { id: "methods", title: "Methods", filter: known("method") },
  { id: "protocols", title: "Protocols", filter: byName("protocol") },
  { id: "tls", title: "TLS", filter: byName("tls") },
  { id: "cache", title: "Cache", filter: byName("cache") },
  { id: "assets", title: "Static and dynamic", filter: (name) => ({ asset: name === "static" ? "true" : "false" }) },
  { id: "referring_sites", title: "Referring sites", filter: byName("referrer_host") },
  { id: "referring_urls", title: "Referring URLs", columns: VISITS },
  { id: "keywords", title: "Keywords", columns: VISITS },
  { id: "browsers", title: "Browsers", filter: byName("browser") },
  { id: "systems", title: "Systems", filter: byName("system") },
  { id: "bots", title: "Bots", filter: byName("bot") },
  { id: "sites", title: "Sites", filter: byName("site") },
  { id: "hosts", title: "Hosts", filter: byName("host") },
  { id: "users", title: "Users", filter: byName("user") },
  { id: "hours", title: "Hours", note: "UTC", label: (name) => `${name}:00`, whole: true },
  { id: "weekdays", title: "Weekdays", note: "UTC", label: (name) => WEEKDAYS[Number(name)] ?? name, whole: true },
  { id: "cities", title: "Cities" },
];

/** COUNTRIES is the list that is beside the map. */
export const COUNTRIES = { id: "countries", title: "", filter: byName("country"), label: countryName };

const LESS = 10, MORE = 100; // rows
const wide = new Set(); // lists of which more is wanted

/** wanted are the lists of which more rows are wanted than of the others. */
export const wanted = () => [...wide];
export { LESS, MORE };

/** panelRows is a table of a list. choose is called with what a row selects. */
export function panelRows(panel, rows, choose) {
  const columns = panel.columns ?? COUNTS;
  const of = panel.of ?? ((r) => r.requests);
  const label = panel.label ?? ((name) => name);
  const most = Math.max(1e-12, ...rows.map(of));
  const node = el("table", { class: "share" });
  table(node, [{ title: "" }, ...columns], rows.map((r) => {
    const selects = panel.filter?.(r.name);
    const text = label(r.name) || "(none)";
    const name = selects ? el("button", { type: "button", class: "pick", title: text }, text) : el("span", { class: "pick", title: text }, text);
    if (selects) name.addEventListener("click", () => choose(selects));
    name.style.setProperty("--share", `${((100 * of(r)) / most).toFixed(1)}%`);
    return [{ text: name, class: "name" }, ...columns.map((c) => c.of(r))];
  }), "none");
  return node;
}

/** panelCard is the card of a list, with a button for more of it; again asks again. */
export function panelCard(panel, rows, choose, again) {
  const more = el("button", { type: "button", class: "small", "aria-pressed": String(wide.has(panel.id)) }, wide.has(panel.id) ? "Less" : "More");
  more.addEventListener("click", () => {
    if (!wide.delete(panel.id)) wide.add(panel.id);
    again();
  });
  return el("article", { class: "card", "data-panel": panel.id },
    el("div", { class: "row end top" },
      el("h2", {}, panel.title, panel.note ? el("span", { class: "quiet" }, ` ${panel.note}`) : ""),
      !panel.whole && (wide.has(panel.id) || rows.length >= LESS) ? more : ""),
    el("div", { class: "scroll" }, panelRows(panel, rows, choose)));
}
