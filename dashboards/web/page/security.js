// What was found of those who mean harm: who, what, how sure it is, and what a
// block would cost.

import { TimeChart } from "./chart.js";
import { $, chip, el, fact, tag, tile } from "./dom.js";
import { ago, moment, percent, short, whole } from "./format.js";
import { openTable } from "./opentable.js";
import { slotsOf, stepOf } from "./range.js";
import { findings } from "./server.js";
import { address, change, changeTime, view } from "./views.js";

const MOST = 500;
const KINDS = 7; // that have a colour of their own

let chart;

const some = (n, one, many) => `${whole(n)} ${n === 1 ? one : many}`;
const words = (kind) => kind.replaceAll("_", " ");
const isAddress = (actor) => /^[0-9.]+$|^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(actor);

function countBy(list, of) {
  const counts = new Map();
  for (const one of list) counts.set(of(one), (counts.get(of(one)) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

function showTiles(list, more) {
  const ongoing = list.filter((f) => !f.over).length;
  const sum = (of) => list.reduce((n, f) => n + of(f), 0);
  $("security-tiles").replaceChildren(
    tile("Findings", `${whole(list.length)}${more ? "+" : ""}`, some(countBy(list, (f) => f.kind).length, "kind", "kinds")),
    tile("Ongoing", whole(ongoing), "the others are over", ongoing > 0 ? "bad" : ""),
    tile("Actors", whole(new Set(list.map((f) => f.actor)).size), some(new Set(list.map((f) => f.site)).size, "site", "sites")),
    tile("Requests", short(sum((f) => f.hits)), "that findings are made of"),
    tile("Cost of blocks", short(sum((f) => f.harmless)), "harmless requests of the same actors"));
}

function showKinds(list, kinds) {
  const counts = countBy(list, (f) => f.kind);
  for (const kind of kinds) if (!counts.some(([k]) => k === kind)) counts.push([kind, 0]);
  $("security-kinds").replaceChildren(...counts.slice(0, 30).map(([kind, n]) => {
    const on = kinds.includes(kind);
    const button = el("button", { type: "button", class: "chip", "aria-pressed": String(on) }, `${words(kind)} `, el("span", { class: "quiet" }, whole(n)));
    button.addEventListener("click", () => change({ kind: on ? kinds.filter((k) => k !== kind) : [...kinds, kind] }));
    return button;
  }));
}

/** showChart shows how many findings were under way when, by kind. */
function showChart(list, range) {
  const step = stepOf(range, 60);
  const slots = slotsOf(range, step);
  const counts = countBy(list, (f) => f.kind);
  const named = counts.slice(0, KINDS).map(([kind]) => kind);
  const series = named.map((kind, i) => ({ kind, name: words(kind), style: `series-${i}` }));
  if (counts.length > KINDS) series.push({ kind: null, name: "others", style: "level-unknown" });
  for (const s of series) {
    const of = list.filter((f) => (s.kind === null ? !named.includes(f.kind) : f.kind === s.kind));
    s.total = of.length;
    s.values = slots.map((t) => of.filter((f) => Date.parse(f.first) < t + step * 1000 && Date.parse(f.last) >= t).length);
  }
  chart.draw({ slots, step, series, label: `findings under way by kind: ${series.map((s) => `${s.name} ${s.total}`).join(", ")}` });
}

const sure = (confidence) => {
  const bar = el("span");
  bar.style.width = `${Math.min(100, 100 * confidence).toFixed(0)}%`;
  return el("span", { class: "sure", title: `confidence ${percent(confidence)}` }, el("span", { class: "meter" }, bar), percent(confidence));
};

/** hitsOf is the address of the web view with the requests of a finding's actor, around its time. */
const hitsOf = (f) => address("web", { client: f.actor, from: String(Date.parse(f.first) - 60e3), to: String(Date.parse(f.last) + 60e3) });

function details(f) {
  return el("div", { class: "opened" },
    el("p", {}, f.reason || "no reason was given"),
    el("p", { class: "facts" },
      ...[["first", moment(Date.parse(f.first), true)], ["last", moment(Date.parse(f.last), true)], ["requests", whole(f.hits)], ["clients", whole(f.clients)],
        ["harmless requests of the same actor: what a block would have cost", whole(f.harmless)]].map(([name, value]) => fact(name, value))),
    el("div", { class: "row wrap" },
      isAddress(f.actor) ? el("a", { href: hitsOf(f) }, "Requests of this client") : null,
      el("a", { href: address("security", { actor: f.actor }) }, "Findings of this actor"),
      el("span", { class: "quiet mono" }, f.id)),
    f.evidence.length > 0 ? el("h3", {}, "Evidence") : null,
    f.evidence.length > 0 ? el("pre", { class: "evidence" }, f.evidence.slice(0, 50).join("\n")) : null);
}

const COLUMNS = [{ title: "kind" }, { title: "actor" }, { title: "target" }, { title: "confidence" }, { title: "requests", number: true }, { title: "clients", number: true },
  { title: "harmless", number: true }, { title: "first" }, { title: "last" }, { title: "" }];

function rowOf(f) {
  return {
    key: f.id,
    cells: [
      { text: words(f.kind), class: "nowrap" }, { text: f.actor, class: "mono nowrap" },
      { text: el("div", { class: "cut", title: [f.site, f.subject].filter(Boolean).join(" ") }, f.site, " ", el("span", { class: "quiet" }, f.subject)), class: "wide" },
      sure(f.confidence), short(f.hits), short(f.clients), f.harmless ? { text: short(f.harmless), class: "warn" } : "0",
      { text: el("span", { title: f.first }, moment(Date.parse(f.first), Date.now() - Date.parse(f.first) > 12 * 3600e3)), class: "nowrap" },
      { text: el("span", { title: f.last }, ago(Date.parse(f.last))), class: "nowrap" },
      f.over ? tag("over") : tag("ongoing", "bad"),
    ],
    details: () => details(f),
  };
}

async function refresh({ parameters, range, signal }) {
  const kinds = parameters.getAll("kind"), actors = parameters.getAll("actor");
  $("security-confidence").value = parameters.get("confidence") ?? "";
  $("security-ongoing").checked = parameters.get("ongoing") === "1";
  const { findings: found } = await findings(range, { actor: actors, min_confidence: parameters.get("confidence") ?? "", limit: MOST }, signal);
  if (signal.aborted) return;
  const all = parameters.get("ongoing") === "1" ? found.filter((f) => !f.over) : found;
  const list = kinds.length > 0 ? all.filter((f) => kinds.includes(f.kind)) : all;
  showTiles(list, found.length >= MOST);
  showKinds(all, kinds);
  for (const actor of actors) {
    $("security-kinds").prepend(chip(`actor = ${actor}`, () => change({ actor: actors.filter((a) => a !== actor) })));
  }
  showChart(list, range);
  $("security-note").textContent = `· the latest first${found.length >= MOST ? `; the latest ${MOST} were read` : ""}`;
  openTable($("findings"), COLUMNS, list.map(rowOf), "nothing was found in this time");
}

/** startSecurity adds the view of findings. */
export function startSecurity() {
  chart = new TimeChart({ height: 70, choose: changeTime });
  $("security-chart").append(chart.node);
  $("security-confidence").addEventListener("change", () => change({ confidence: $("security-confidence").value }));
  $("security-ongoing").addEventListener("change", () => change({ ongoing: $("security-ongoing").checked ? "1" : "" }));
  view("security", { refresh });
}
