// What labels and fields there are, and which values: a click selects one.

import { el } from "./dom.js";
import { bytes } from "./format.js";
import { filtering, has, parsing, selecting } from "./selector.js";
import { logFieldValues, logFields, logLabels, logValues, logVolume } from "./server.js";

const FIRST = ["service_name", "level"];
const MOST = 200; // values of a label
const MOST_NAMES = 1000;

let label = ""; // that is shown beside the first ones
let field = ""; // of the lines, likewise

/** list are buttons for values of {value, note, share, on}, of which a click chooses one. */
function list(name, values, choose) {
  return el("div", { class: "facets" }, ...values.map(({ value, note, share, on }) => {
    const button = el("button", { type: "button", class: "facet", "aria-pressed": on === undefined ? false : String(on), title: `${name} = ${value}` },
      el("span", { class: "name" }, value || "(empty)"), note ? el("span", { class: "quiet" }, note) : null);
    if (share > 0) button.style.setProperty("--share", `${(100 * share).toFixed(1)}%`);
    button.addEventListener("click", () => choose(value));
    return button;
  }));
}

function choice(title, names, chosen, choose) {
  const select = el("select", { "aria-label": title }, el("option", { value: "" }, title), ...names.map(([name, text]) => el("option", { value: name }, text)));
  select.value = chosen;
  select.addEventListener("change", () => choose(select.value));
  return el("h3", {}, select);
}

/** showLabels shows labels of the range and fields of the query's lines; select is called with the query that a click makes. */
export async function showLabels(target, query, range, signal, select) {
  const lines = /^\s*\{/.test(query);
  const [names, fields, ...volumes] = await Promise.all([
    logLabels(range, signal), lines ? logFields(query, range, signal).catch(() => []) : [], ...FIRST.map((name) => logVolume(name, range, 50, signal)),
  ]);
  const others = names.filter((name) => !FIRST.includes(name)).sort().slice(0, MOST_NAMES);
  if (!others.includes(label)) label = "";
  const found = fields.find((f) => f.label === field);
  const [values, fieldValues] = await Promise.all([label ? logValues(label, range, signal) : [], found ? logFieldValues(field, query, range, signal) : []]);
  if (signal?.aborted) return;
  const choosing = (name) => (value) => select(selecting(query, name, value));
  const again = () => { showLabels(target, query, range, undefined, select).catch((error) => { target.append(el("p", { class: "error" }, error.message)); }); };
  const at = target.contains(document.activeElement) ? [...target.querySelectorAll("button, select")].indexOf(document.activeElement) : -1;
  target.replaceChildren(
    ...FIRST.flatMap((name, i) => {
      const most = Math.max(1, ...volumes[i].map(([, n]) => n));
      return [el("h3", {}, name), list(name, volumes[i].map(([value, n]) => ({ value, note: bytes(n), share: n / most, on: has(query, name, value) })), choosing(name))];
    }),
    choice("another label", others.map((name) => [name, name]), label, (name) => { label = name; again(); }),
    list(label, values.slice(0, MOST).map((value) => ({ value, on: has(query, label, value) })), choosing(label)),
    choice("a field of the lines", fields.slice(0, MOST_NAMES).map((f) => [f.label, `${f.label} (${f.cardinality})`]), found ? field : "", (name) => { field = name; again(); }),
    list(field, fieldValues.slice(0, MOST).map((value) => ({ value })), (value) => select(filtering(parsing(query, found.parsers?.[0]), field, value))));
  if (at >= 0) target.querySelectorAll("button, select")[at]?.focus();
}
