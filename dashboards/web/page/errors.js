// Errors of applications by what they have in common, with the changes that may
// have brought them.

import { markersOf, showChanges } from "./changes.js";
import { TimeChart } from "./chart.js";
import { $, chip, el, tag } from "./dom.js";
import { errorDetails } from "./errordetails.js";
import { ago, moment, short, whole } from "./format.js";
import { openTable } from "./opentable.js";
import { errorGroups } from "./server.js";
import { sparkline } from "./sparkline.js";
import { change, changeTime, view } from "./views.js";

const MOST = 200;
const SERIES = 7; // services that have a colour of their own

let chart;

const COLUMNS = [{ title: "error" }, { title: "culprit" }, { title: "service" }, { title: "trend" }, { title: "count", number: true }, { title: "users", number: true },
  { title: "first" }, { title: "last" }, { title: "releases" }];

function rowOf(g, range) {
  const { first_release: first, last_release: last } = g.ever;
  return {
    key: g.group,
    cells: [
      { text: el("span", { class: "clamp" }, el("b", {}, g.type || "error"), g.new ? " " : "", g.new ? tag("new", "warn") : "", " ", el("span", { class: "message" }, g.message)), class: "wide" },
      { text: el("div", { class: "cut", title: g.culprit }, g.culprit), class: "mono" }, { text: g.service, class: "nowrap" },
      sparkline(g.trend, `${g.count} errors over time`), short(g.count), g.users ? short(g.users) : "",
      { text: el("span", { title: `first of all ${moment(Date.parse(g.ever.first), true)}` }, ago(Date.parse(g.ever.first))), class: "nowrap" },
      { text: el("span", { title: moment(Date.parse(g.last), true) }, ago(Date.parse(g.last))), class: "nowrap" },
      { text: first === last ? first : `${first} – ${last}`, class: "nowrap" },
    ],
    details: () => errorDetails(g.group, range),
  };
}

/** showChart shows the trends of all groups, by service. */
function showChart(found, changed) {
  const start = Date.parse(found.start), step = found.step_seconds;
  const length = Math.max(0, ...found.errors.map((g) => g.trend.length)) || Math.ceil((Date.parse(found.end) - start) / 1000 / step);
  const slots = Array.from({ length }, (_, i) => start + i * step * 1000);
  const byService = new Map();
  for (const g of found.errors) {
    const values = byService.get(g.service) ?? byService.set(g.service, slots.map(() => 0)).get(g.service);
    g.trend.forEach((n, i) => { values[i] += n; });
  }
  const sum = (values) => values.reduce((n, v) => n + v, 0);
  const all = [...byService].sort((a, b) => sum(b[1]) - sum(a[1]));
  const series = all.slice(0, SERIES).map(([name, values], i) => ({ name, values, style: `series-${i}` }));
  if (all.length > SERIES) {
    series.push({ name: "others", style: "level-unknown", values: slots.map((_, i) => all.slice(SERIES).reduce((n, [, values]) => n + values[i], 0)) });
  }
  chart.draw({ slots, step, series, markers: markersOf(changed), label: `errors by service over time, with ${changed.length} changes` });
}

function showServices(errors, chosen) {
  const names = [...new Set([...errors.map((g) => g.service), ...(chosen ? [chosen] : [])])].sort();
  const select = $("errors-service");
  // Of those that are filtered by a service, others are not known; they stay.
  const known = chosen ? [...new Set([...[...select.options].map((o) => o.value).filter(Boolean), ...names])].sort() : names;
  if (document.activeElement !== select) select.replaceChildren(el("option", { value: "" }, "all"), ...known.map((name) => el("option", {}, name)));
  select.value = chosen;
}

async function refresh({ parameters, range, signal }) {
  const given = (name) => parameters.get(name) ?? "";
  if (document.activeElement !== $("errors-search")) $("errors-search").value = given("q");
  $("errors-order").value = given("order");
  const [found, changed] = await Promise.all([
    errorGroups(range, { q: given("q"), service: given("service"), release: given("release"), environment: given("environment"), order: given("order"), limit: MOST }, signal),
    showChanges(range, { service: given("service"), environment: given("environment") }, signal),
  ]);
  if (signal.aborted) return;
  showServices(found.errors, given("service"));
  $("errors-chips").replaceChildren(...["release", "environment"].filter(given).map((name) => chip(`${name} = ${given(name)}`, () => change({ [name]: "" }))));
  showChart(found, changed);
  const count = found.errors.reduce((n, g) => n + g.count, 0);
  $("errors-note").textContent = found.total > 0 ? `· ${whole(found.total)} groups${found.total > found.errors.length ? `, ${found.errors.length} are shown` : ""}, ${short(count)} errors` : "";
  openTable($("errors"), COLUMNS, found.errors.map((g) => rowOf(g, range)), "no errors in this time");
}

/** startErrors adds the view of errors. */
export function startErrors() {
  chart = new TimeChart({ height: 90, choose: changeTime });
  $("errors-chart").append(chart.node);
  $("errors-search").addEventListener("change", () => change({ q: $("errors-search").value.trim() }));
  $("errors-service").addEventListener("change", () => change({ service: $("errors-service").value }));
  $("errors-order").addEventListener("change", () => change({ order: $("errors-order").value }));
  view("errors", { refresh });
}
