// One group of errors: releases, users, and its latest events with their stacks.

import { copy, el, fact, small, table, tag } from "./dom.js";
import { ago, moment, short, whole } from "./format.js";
import { traceLink } from "./links.js";
import { errorGroup } from "./server.js";
import { address } from "./views.js";

const LONGEST = 100000; // characters of a stack that is shown

function parts(title, list, link) {
  if (list.length === 0) return null;
  const node = el("table");
  table(node, [{ title }, { title: "count", number: true }, { title: "first" }, { title: "last" }],
    list.slice(0, 12).map((p) => [link ? el("a", { href: link(p.name) }, p.name) : p.name, short(p.count),
      { text: ago(Date.parse(p.first)), class: "nowrap" }, { text: ago(Date.parse(p.last)), class: "nowrap" }]));
  return el("div", { class: "scroll" }, node);
}

function stackOf(text) {
  return el("div", { class: "code" }, el("pre", {}, text.length > LONGEST ? `${text.slice(0, LONGEST)}\n…` : text), small("Copy", "", (button) => copy(text, button)));
}

function eventNode(e, open) {
  const facts = [e.release, e.environment, e.user && `user ${e.user}`, e.transaction, e.event_id && `event ${e.event_id}`].filter(Boolean).join(" · ");
  const node = el("details", { open: open ? "" : false },
    el("summary", {}, el("span", { class: "mono" }, moment(Date.parse(e.time), true)), " ", tag(e.severity, e.severity === "error" || e.severity === "fatal" ? "bad" : ""),
      " ", e.handled ? "" : tag("not caught", "warn"), " ", el("span", { class: "message" }, e.message)),
    el("p", { class: "quiet" }, facts, e.trace_id ? " · " : "", e.trace_id ? traceLink(e.trace_id, `trace ${e.trace_id.slice(0, 8)}`) : ""));
  const show = () => { if (node.open && e.stack && !node.querySelector("pre")) node.append(stackOf(e.stack)); };
  node.addEventListener("toggle", show);
  show();
  return node;
}

function show(target, found) {
  const g = found.error;
  target.replaceChildren(
    el("p", { class: "whole" }, el("b", {}, g.type), " ", g.message),
    el("p", { class: "facts" },
      ...[["in this time", whole(g.count)], ["of all time", whole(g.ever.count)], ["caught by the application", whole(g.handled)], ["first", moment(Date.parse(g.ever.first), true)], ["last", moment(Date.parse(g.ever.last), true)]]
        .map(([name, value]) => fact(name, value)),
      el("a", { href: address("logs", { query: `{service_name=${JSON.stringify(g.service || "unknown_service")}, level=~"error|fatal"}` }) }, "Logs of the service"),
      el("span", { class: "mono" }, g.group)),
    el("div", { class: "cards three" },
      parts("release", found.releases, (release) => address("errors", { release })), parts("environment", found.environments, (environment) => address("errors", { environment })),
      parts("user", found.users), parts("transaction", found.transactions)),
    el("h3", {}, "Latest events"),
    ...found.events.map((e, i) => eventNode(e, i === 0)));
}

/** errorDetails is what is known of a group of errors; it asks when it is made. */
export function errorDetails(id, range) {
  const node = el("div", { class: "opened" }, el("p", { class: "quiet" }, "asking"));
  errorGroup(id, range).then((found) => show(node, found), (error) => node.replaceChildren(el("p", { class: "error" }, error.message)));
  return node;
}
