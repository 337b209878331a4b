// Lines of logs, each of which opens: the whole text, labels and attributes, its
// trace, and the lines around it.

import { copy, el, small } from "./dom.js";
import { clock, moment } from "./format.js";
import { traceLink } from "./links.js";
import { logsAround } from "./server.js";

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"];
const LONGEST = 2000; // characters of a line that is closed

/** styleOf is the style of a level; those that nobody knows look alike. */
export const styleOf = (level) => `level-${LEVELS.includes(level) ? level : "unknown"}`;

/** byLevel orders levels, the least severe first. */
export const byLevel = (a, b) => LEVELS.indexOf(a) - LEVELS.indexOf(b);

/** newestFirst orders lines by time; times are texts of the same length. */
export const newestFirst = (a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0);

const milliseconds = (time) => Number(time.slice(0, -6));

/** linesOf are the lines of Loki's streams, newest first. */
export function linesOf(streams) {
  const all = [];
  for (const { stream, values } of streams) {
    const labels = JSON.stringify(stream);
    for (const [time, text, more] of values) {
      const attributes = more?.structuredMetadata ?? {};
      all.push({
        time, text, stream, attributes, parsed: more?.parsed ?? {}, key: `${time} ${labels} ${JSON.stringify(attributes)} ${text}`,
        service: stream.service_name ?? "", level: stream.level ?? attributes.detected_level ?? stream.detected_level ?? "unknown",
        trace: attributes.trace_id ?? stream.trace_id ?? "",
      });
    }
  }
  return all.sort(newestFirst);
}

/** lineOfContext is a line as goshawk's own API has it. */
export const lineOfContext = (l) => ({
  time: l.time_unix_nano, text: l.body, stream: l.stream, attributes: l.attributes, parsed: {}, key: `${l.time_unix_nano} ${JSON.stringify(l.stream)} ${JSON.stringify(l.attributes)} ${l.body}`,
  service: l.service, level: l.level, trace: l.trace_id ?? "",
});

/** pretty is JSON with a line for each value, and anything else as it is. */
function pretty(text) {
  if (!/^\s*[{[]/.test(text) || text.length > 100000) return text;
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

function labelsPart(title, labels, kind, filter) {
  const names = Object.keys(labels).sort();
  if (names.length === 0) return null;
  const rows = names.flatMap((name) => {
    const value = String(labels[name]);
    const buttons = filter ? [
      small("=", `only lines with ${name} = ${value}`, () => filter(kind, name, value, true)),
      small("≠", `no lines with ${name} = ${value}`, () => filter(kind, name, value, false)),
    ] : [];
    return [el("dt", {}, name), el("dd", {}, ...buttons, el("span", {}, value))];
  });
  return el("div", {}, el("h3", {}, title), el("dl", { class: "tags" }, ...rows));
}

async function showAround(line, target, count) {
  target.replaceChildren(el("p", { class: "quiet" }, "asking"));
  try {
    const file = line.attributes.log_file_path ?? line.attributes.log_file_name ?? line.stream.log_file_path;
    const found = await logsAround({ service: line.service === "unknown_service" ? "" : line.service, host: line.stream.host_name, file, time: line.time, before: count, after: count });
    const lines = [...found.before, ...found.at, ...found.after].map(lineOfContext);
    const box = el("div", { class: "lines" });
    showLines(box, lines, { marked: line.time });
    target.replaceChildren(
      el("div", { class: "row end" },
        el("span", { class: "quiet" }, ["around this line", line.service, line.stream.host_name, file].filter(Boolean).join(" · ")),
        el("span", { class: "row" }, count < 1000 ? small("More", "", () => showAround(line, target, Math.min(1000, count * 4))) : "", small("Close", "", () => target.replaceChildren()))),
      box);
  } catch (error) {
    target.replaceChildren(el("p", { class: "error" }, error.message));
  }
}

function details(line, { filter, marked }) {
  const around = el("div", { class: "around" });
  return el("div", { class: "opened" },
    el("pre", {}, pretty(line.text)),
    el("div", { class: "row wrap" },
      el("span", { class: "quiet" }, `${moment(milliseconds(line.time), true).slice(0, 10)} ${clock(milliseconds(line.time))}${line.time.slice(-6)}`),
      line.trace ? traceLink(line.trace, `trace ${line.trace.slice(0, 8)}`) : null,
      marked === undefined ? small("Lines around this line", "", () => showAround(line, around, 10)) : null,
      small("Copy", "", (button) => copy(line.text, button))),
    el("div", { class: "labels" },
      labelsPart("Parsed", line.parsed, "parsed", filter),
      labelsPart("Attributes", line.attributes, "attribute", filter),
      labelsPart("Labels of the stream", line.stream, "stream", filter)),
    around);
}

function row(line, options) {
  const text = line.text.length > LONGEST ? `${line.text.slice(0, LONGEST)} …` : line.text;
  const ms = milliseconds(line.time);
  const today = new Date(ms).toDateString() === new Date().toDateString();
  const summary = el("summary", {},
    el("span", { class: "time", title: line.time }, today ? "" : el("span", { class: "day" }, `${moment(ms, true).slice(5, 10)} `), clock(ms)),
    el("span", { class: "level" }, line.level), el("span", { class: "from", title: line.service }, line.service), el("span", { class: "text" }, text));
  const node = el("details", { class: `line ${styleOf(line.level)} ${line.time === options.marked ? "marked" : ""}` }, summary);
  // Most lines are never opened.
  node.addEventListener("toggle", () => { if (node.open && node.children.length === 1) node.append(details(line, options)); });
  return node;
}

const rows = new WeakMap(); // what is shown where, by the keys of lines

/** showLines shows lines in this order. Those that were there already stay as they are, open or not. */
export function showLines(target, lines, options = {}) {
  const before = rows.get(target) ?? new Map();
  const now = new Map();
  const nodes = lines.map((line) => {
    let key = line.key;
    while (now.has(key)) key += "'";
    const node = before.get(key) ?? row(line, options);
    now.set(key, node);
    return node;
  });
  rows.set(target, now);
  // What stays is not moved: it keeps the focus, and costs nothing.
  let at = target.firstChild;
  for (const node of nodes) {
    if (node === at) at = at.nextSibling;
    else target.insertBefore(node, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
  if (nodes.length === 0) target.append(el("p", { class: "none" }, options.none ?? "no lines"));
}
