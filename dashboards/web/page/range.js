// The time that the views are about: the last minutes or days, or from one moment
// to another.

import { $, el } from "./dom.js";
import { moment } from "./format.js";

const MINUTE = 60e3;
const LAST = [["15m", 15 * MINUTE], ["1h", 60 * MINUTE], ["6h", 360 * MINUTE], ["24h", 1440 * MINUTE], ["7d", 7 * 1440 * MINUTE]];
const FIRST = "1h";

/** rangeParameters are those of the address that say the time. */
export function rangeParameters(parameters) {
  const all = {};
  for (const key of ["range", "from", "to"]) if (parameters.has(key)) all[key] = parameters.get(key);
  return all;
}

/** rangeOf is the time that the parameters name, in milliseconds since 1970. moving says that it ends now. */
export function rangeOf(parameters) {
  const from = Number(parameters.get("from")), to = Number(parameters.get("to"));
  if (from > 0 && to > from) return { from, to, moving: false, name: "" };
  const [name, length] = LAST.find(([n]) => n === (parameters.get("range") ?? FIRST)) ?? LAST.find(([n]) => n === FIRST);
  const now = Date.now();
  return { from: now - length, to: now, moving: true, name };
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

/** stepOf is a width of slots in seconds that divides a range into at most so many. */
export const stepOf = (range, most = 80) => STEPS.find((s) => (range.to - range.from) / 1000 / s <= most) ?? Math.ceil((range.to - range.from) / 1000 / most / 86400) * 86400;

/** slotsOf are the beginnings of the slots of a range, in milliseconds since 1970. */
export function slotsOf(range, step) {
  const width = step * 1000;
  const all = [];
  for (let t = Math.floor(range.from / width) * width; t < range.to; t += width) all.push(t);
  return all;
}

const local = (ms) => new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE).toISOString().slice(0, 19);

let started = false;

/** startRange shows the range in the control, and makes the control work. */
export function startRange(range, change, refresh) {
  if (!started) {
    started = true;
    $("range-last").append(...LAST.map(([name]) => {
      const button = el("button", { type: "button", class: "small", "data-range": name }, name);
      button.addEventListener("click", () => change({ range: name, from: "", to: "" }));
      return button;
    }));
    $("range-pause").value = sessionStorage.getItem("goshawk-pause") ?? $("range-pause").value;
    $("range-pause").addEventListener("change", () => {
      sessionStorage.setItem("goshawk-pause", $("range-pause").value);
      refresh();
    });
    $("range-now").addEventListener("click", refresh);
    $("range").addEventListener("submit", (event) => {
      event.preventDefault();
      const from = Date.parse($("range-from").value), to = Date.parse($("range-to").value);
      if (!(to > from)) {
        $("range-to").setCustomValidity("the end must be after the start");
        $("range-to").reportValidity();
        return;
      }
      $("range-custom").open = false;
      change({ range: "", from: String(from), to: String(to) });
    });
    $("range-custom").addEventListener("keydown", (event) => { if (event.key === "Escape") $("range-custom").open = false; });
    for (const id of ["range-from", "range-to"]) $(id).addEventListener("input", () => $("range-to").setCustomValidity(""));
  }
  for (const button of $("range-last").children) button.setAttribute("aria-pressed", String(button.dataset.range === range.name));
  $("range-custom").classList.toggle("on", !range.moving);
  $("range-text").textContent = range.moving ? "" : `${moment(range.from, true)} – ${moment(range.to, true)}`;
  // Who types is not disturbed.
  if (!$("range").contains(document.activeElement) || !range.moving) {
    $("range-from").value = local(range.from);
    $("range-to").value = local(range.to);
  }
}
