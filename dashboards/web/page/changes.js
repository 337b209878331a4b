// What was changed: deployments, configurations, restarts.

import { $, el, table, tag } from "./dom.js";
import { moment } from "./format.js";
import { changes } from "./server.js";

const MOST = 200;
const KINDS = { failed: "bad", succeeded: "good", started: "warn" };

/** titleOf says in words what a change is. */
const titleOf = (c) => c.title || [c.kind, c.service, c.version].filter(Boolean).join(" ");

/** link is a link to what an address names, where it is one that a browser may open, and text where it is not. */
function link(text, target) {
  return /^https?:\/\//i.test(target) ? el("a", { href: target, rel: "noreferrer noopener", target: "_blank" }, text) : text;
}

/** markersOf are marks of changes for a chart. */
export const markersOf = (list) => list.map((c) => ({ time: Date.parse(c.time), text: `${moment(Date.parse(c.time))} ${titleOf(c)}`, style: c.status === "failed" ? "bad" : "" }));

/** showChanges shows the changes of a range and returns them. */
export async function showChanges(range, parameters, signal) {
  const { changes: list } = await changes(range, { ...parameters, limit: MOST }, signal);
  if (signal.aborted) return [];
  $("changes-note").textContent = list.length >= MOST ? `· the latest ${MOST}` : list.length > 0 ? `· ${list.length}, marked in the chart above` : "";
  table($("changes"), [{ title: "time" }, { title: "kind" }, { title: "service" }, { title: "version" }, { title: "what" }, { title: "host" }, { title: "environment" }, { title: "by" }, { title: "" }],
    list.map((c) => [
      { text: el("span", { title: c.time }, moment(Date.parse(c.time), true)), class: "nowrap" }, c.kind.replaceAll("_", " "), c.service,
      c.version_before ? `${c.version_before} → ${c.version}` : c.version,
      { text: el("div", { class: "cut", title: titleOf(c) }, link(titleOf(c), c.link)), class: "wide" },
      c.host, c.environment, [c.author, c.source].filter(Boolean).join(", "), c.status ? tag(c.status, KINDS[c.status]) : "",
    ]), "no changes in this time");
  return list;
}
