// Who visits web servers: totals, how they change over time, and lists whose rows
// select.

import { TimeChart } from "./chart.js";
import { $, chip, el, fact, tile } from "./dom.js";
import { bytes, percent, seconds, short } from "./format.js";
import { weblog } from "./server.js";
import { change, changeTime, refresh as again, view } from "./views.js";
import { COUNTRIES, LESS, MORE, PANELS, countryName, panelCard, panelRows, wanted } from "./webpanels.js";
import { showMap } from "./worldmap.js";

// What requests can be selected by, and how it is called.
const FILTERS = {
  site: "site", service: "service", host: "host", client: "client", country: "country", user: "user", method: "method", path: "path", route: "route", protocol: "protocol",
  status: "status", referrer_host: "referring site", browser: "browser", system: "system", bot: "bot", cache: "cache", tls: "TLS", user_agent: "user agent",
};

// Inputs that select too, and their parameters.
const INPUTS = [["web-bots", "bots"], ["web-asset", "asset"], ["web-home", "home"]];

let parameters = new URLSearchParams();

/** choose adds a filter. */
function choose(selects) {
  const changes = {};
  for (const [name, value] of Object.entries(selects)) {
    const values = parameters.getAll(name);
    changes[name] = name in FILTERS ? [...new Set([...values, value])] : value;
  }
  change(changes);
}

function showChips() {
  $("web-chips").replaceChildren(...Object.entries(FILTERS).flatMap(([name, title]) => parameters.getAll(name).map((value) =>
    chip(`${title} = ${name === "country" ? countryName(value) : value}`, () => change({ [name]: parameters.getAll(name).filter((v) => v !== value) })))));
  for (const [id, name] of INPUTS) {
    if (document.activeElement !== $(id)) $(id).value = parameters.get(name) ?? "";
  }
}

function showTiles({ totals: t, sessions: s }) {
  const of = (n) => (t.requests > 0 ? percent(n / t.requests) : "");
  const visits = s.partial ? "of visits that can be selected so" : s.sessions > 0 ? `${short(s.pages)} pages, ${seconds(s.mean_seconds)} each` : "that have ended";
  const d = t.duration_seconds;
  $("web-tiles").replaceChildren(
    tile("Requests", short(t.requests), t.bots > 0 ? `${of(t.bots)} by bots` : "no bots"),
    tile("Visitors", short(t.visitors), `${short(t.clients)} addresses`),
    tile("Visits", short(s.sessions), visits),
    tile("Bounce rate", s.bounce_rate === null ? "–" : percent(s.bounce_rate), "visits of one page"),
    tile("Sent", bytes(t.bytes), t.requests > 0 ? `${bytes(t.bytes / t.requests)} a request` : ""),
    tile("Failed", short(t.failed), `${of(t.failed)} · ${short(t.server_errors)} by the server`, t.server_errors > 0 ? "bad" : ""),
    tile("Not found", short(t.not_found), of(t.not_found)),
    t.abroad ? tile("Abroad", short(t.abroad.requests), `${of(t.abroad.requests)} · ${short(t.abroad.visitors)} visitors`)
      : tile("Abroad", "–", "choose home countries above"),
    d ? tile("Duration", seconds(d.p50), `p95 ${seconds(d.p95)} · p99 ${seconds(d.p99)}`) : tile("Sites", short(t.sites), "durations are not logged"));
}

const CHARTS = [
  { title: "Requests", series: [["requests", "series-0", "requests"]] },
  { title: "Visitors", series: [["visitors", "series-1", "visitors"]], exclusive: true },
  { title: "Failed: 4xx and 5xx", series: [["4xx", "level-warn", "client_errors"], ["5xx", "level-error", "server_errors"]] },
  { title: "Sent", series: [["bytes", "series-2", "bytes"]], format: bytes },
];

function showCharts(found) {
  const slots = found.over_time.map((m) => Date.parse(m.time));
  for (const c of CHARTS) {
    if (!c.chart) {
      c.chart = new TimeChart({ height: 90, format: c.format ?? short, choose: changeTime });
      $("web-charts").append(el("article", { class: "card" }, el("h2", {}, c.title), c.chart.node));
    }
    c.chart.draw({
      slots, step: found.step_seconds,
      // Those who come twice are counted once in a total, so it is no sum.
      series: c.series.map(([name, style, field]) => ({ name, style, values: found.over_time.map((m) => m[field]), total: c.exclusive ? found.totals[field] : undefined })),
      label: `${c.title} over time`,
    });
  }
}

function showPlaces(found) {
  const rows = found.panels.countries;
  $("web-places").hidden = rows.length === 0;
  showMap($("web-map"), rows, countryName, (country) => choose({ country }));
  const link = el("a", { href: found.attribution.link, rel: "noreferrer noopener", target: "_blank" }, found.attribution.text);
  $("web-attribution").replaceChildren(/^https:/.test(found.attribution.link) ? link : found.attribution.text);
  const { totals: t } = found;
  const home = new Set(t.home_countries);
  const parts = [];
  if (t.abroad) {
    parts.push(el("h2", {}, `From abroad `, el("span", { class: "quiet" }, `not from ${t.home_countries.map(countryName).join(", ")}`)),
      el("p", { class: "facts" }, ...[["requests", short(t.abroad.requests)], ["visitors", short(t.abroad.visitors)], ["sent", bytes(t.abroad.bytes)], ["failed", short(t.abroad.failed)]]
        .map(([name, value]) => fact(name, value))));
  }
  const abroad = rows.filter((r) => !home.has(r.name));
  parts.push(el("div", { class: "scroll" }, panelRows(COUNTRIES, (t.abroad ? abroad : rows).slice(0, 12), choose)));
  $("web-countries").replaceChildren(...parts);
}

function showPanels(found) {
  const focused = document.activeElement?.closest?.("[data-panel]")?.dataset.panel;
  const cards = PANELS.filter((p) => found.panels[p.id]?.length > 0).map((p) => panelCard(p, found.panels[p.id], choose, again));
  $("web-panels").replaceChildren(...cards);
  if (focused) $("web-panels").querySelector(`[data-panel="${focused}"] button`)?.focus({ preventScroll: true });
}

async function refresh({ parameters: given, range, signal }) {
  parameters = given;
  showChips();
  const asked = { home: (given.get("home") ?? "").replaceAll(/\s/g, "").toUpperCase(), bots: given.get("bots") ?? "", asset: given.get("asset") ?? "" };
  for (const name of Object.keys(FILTERS)) asked[name] = given.getAll(name);
  const more = wanted().filter((id) => id !== COUNTRIES.id);
  const [found, ...others] = await Promise.all([
    weblog(range, { ...asked, limit: LESS, panels: PANELS.map((p) => p.id).filter((id) => !more.includes(id)).join(",") }, signal),
    weblog(range, { ...asked, limit: MORE, panels: [COUNTRIES.id, ...more].join(",") }, signal),
  ]);
  if (signal.aborted) return;
  for (const other of others) Object.assign(found.panels, other.panels);
  showTiles(found);
  showCharts(found);
  showPlaces(found);
  showPanels(found);
}

/** startWeb adds the view of web servers. */
export function startWeb() {
  $("web-filter-name").append(...Object.entries(FILTERS).map(([value, title]) => el("option", { value }, title)));
  $("web-filter").addEventListener("submit", (event) => {
    event.preventDefault();
    const value = $("web-filter-value").value.trim();
    if (value === "") return;
    $("web-filter-value").value = "";
    choose({ [$("web-filter-name").value]: value });
  });
  for (const [id, name] of INPUTS) {
    $(id).addEventListener("change", () => change({ [name]: $(id).value.trim() }));
  }
  view("web", { refresh });
}
