// Which view is shown, for what time, and when it asks again. All of it but the
// pause between refreshes is in the address, so that it can be passed on.

import { $ } from "./dom.js";
import { clock } from "./format.js";
import { rangeOf, rangeParameters, startRange } from "./range.js";

const views = new Map();
let name = ""; // of the view that is shown
let hash = "#"; // of the view that is shown
let earlier = "#"; // of the one before it
let parameters = new URLSearchParams();
let asking = new AbortController(); // of the refresh that is under way
let timer = 0;

/**
 * view adds a view. refresh is called with {parameters, range, signal} when its
 * address changes and when it is time to ask again; busy says that it is not.
 */
export function view(id, { refresh, leave = () => {}, busy = () => false, timed = true }) {
  views.set(id, { refresh, leave, busy, timed });
}

/** shown is the name of the view that is shown; the first one has none. */
export const shown = () => name;

/** before is the address of the view that was shown before. */
export const before = () => earlier;

/** address is the hash of a view with the parameters, and with the time that is chosen where they name none. */
export function address(id, changes = {}) {
  const all = new URLSearchParams(changes.from ? {} : rangeParameters(parameters));
  for (const [key, value] of Object.entries(changes)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== "" && one !== undefined) all.append(key, one);
  }
  const text = all.toString();
  return `#${id}${text ? `?${text}` : ""}`;
}

/** change changes parameters of the view that is shown: a list for several values, "" for none. */
export function change(changes) {
  const next = new URLSearchParams(parameters);
  for (const [key, value] of Object.entries(changes)) {
    next.delete(key);
    for (const one of Array.isArray(value) ? value : [value]) if (one !== "") next.append(key, one);
  }
  const text = next.toString();
  const wanted = `#${name}${text ? `?${text}` : ""}`;
  if (wanted === location.hash) refresh();
  else location.hash = wanted;
}

/** changeTime changes the time to one from a moment to another, in milliseconds since 1970. */
export const changeTime = (from, to) => change({ range: "", from: String(from), to: String(to) });

function showNavigation() {
  for (const link of document.querySelectorAll("nav a")) {
    const id = link.dataset.view;
    link.setAttribute("href", id === "" ? "#" : address(id));
    if (id === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function read() {
  const text = location.hash.slice(1);
  const trace = /^trace=([0-9a-f]{1,32})$/i.exec(text);
  const [id, ...rest] = trace ? ["trace"] : text.split("?");
  const last = name;
  // What is no view is a place on the first one.
  name = views.has(id) ? id : "";
  const kept = rangeParameters(parameters);
  parameters = trace ? new URLSearchParams({ id: trace[1], ...kept }) : new URLSearchParams(rest.join("?"));
  // The first view has no time, and forgets none.
  if (name === "") for (const [key, value] of Object.entries(kept)) parameters.set(key, value);
  if (last !== name) {
    views.get(last)?.leave();
    earlier = hash;
    scrollTo(0, 0);
  }
  hash = location.hash || "#";
  for (const section of document.querySelectorAll(".view")) section.hidden = section.id !== `view-${name || "overview"}`;
  showNavigation();
  refresh();
}

function failed(error) {
  $("view-error").hidden = false;
  $("view-error").textContent = error.message;
}

/** refresh asks now, and then again after the pause that is chosen. */
export async function refresh() {
  clearTimeout(timer);
  asking.abort();
  const mine = new AbortController();
  asking = mine;
  const current = views.get(name);
  $("range").hidden = !current?.timed;
  $("view-error").hidden = true;
  if (!current) return;
  const range = rangeOf(parameters);
  startRange(range, change, refresh);
  const began = performance.now();
  $("range-note").textContent = "asking";
  try {
    await current.refresh({ parameters, range, signal: mine.signal });
    if (mine !== asking) return;
    $("range-note").textContent = `as of ${clock(Date.now()).slice(0, 8)}`;
  } catch (error) {
    if (mine !== asking) return;
    $("range-note").textContent = "";
    failed(error);
  }
  // What takes long is not asked for without end.
  wait(Math.max(Number($("range-pause").value) * 1000, 3 * (performance.now() - began)), range, current);
}

function wait(pause, range, current) {
  if ($("range-pause").value === "0" || !range.moving || !current.timed) return;
  timer = setTimeout(() => {
    if (!document.hidden && !current.busy()) {
      refresh();
      return;
    }
    $("range-note").textContent = "refresh waits";
    wait(1000, range, current);
  }, pause);
}

/** startViews shows what the address names. */
export function startViews() {
  addEventListener("hashchange", read);
  read();
}
