// Which service calls which, drawn from left to right.

import { $ } from "./dom.js";
import { short } from "./format.js";
import { dependencies } from "./server.js";

const MINUTES = 15;
const COLUMN = 220;
const ROW = 56;
const WIDTH = 150;
const HEIGHT = 32;

function svg(name, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** columns gives each service one more than the furthest of its callers; a cycle ends where it began. */
function columns(links) {
  const names = [...new Set(links.flatMap((l) => [l.parent, l.child]))].sort();
  const at = new Map(names.map((n) => [n, 0]));
  for (let round = 0, moved = true; moved && round < names.length; round++) {
    moved = false;
    for (const l of links) {
      if (l.parent !== l.child && at.get(l.child) <= at.get(l.parent) && at.get(l.parent) + 1 < names.length) {
        at.set(l.child, at.get(l.parent) + 1);
        moved = true;
      }
    }
  }
  // Cycles push each other along: close the gaps that this leaves.
  const used = [...new Set(at.values())].sort((a, b) => a - b);
  const byColumn = used.map(() => []);
  for (const n of names) byColumn[used.indexOf(at.get(n))].push(n);
  return byColumn;
}

function draw(links) {
  const byColumn = columns(links);
  const tall = Math.max(...byColumn.map((c) => c.length));
  const place = new Map();
  byColumn.forEach((names, x) => names.forEach((n, y) => {
    place.set(n, { x: x * COLUMN, y: (y + (tall - names.length) / 2) * ROW });
  }));
  const most = Math.max(...links.map((l) => l.callCount));
  const drawing = svg("svg", {
    viewBox: `-4 -14 ${(byColumn.length - 1) * COLUMN + WIDTH + 8} ${tall * ROW + 8}`, role: "img",
    "aria-label": links.map((l) => `${l.parent} calls ${l.child} ${l.callCount} times`).join("; "),
  });
  drawing.style.maxWidth = `${(byColumn.length - 1) * COLUMN + WIDTH + 8}px`;
  for (const l of links) {
    const a = place.get(l.parent), b = place.get(l.child);
    const x1 = a.x + WIDTH, y1 = a.y + HEIGHT / 2, x2 = b.x, y2 = b.y + HEIGHT / 2;
    const bend = Math.max(40, Math.abs(x2 - x1) / 2);
    drawing.append(
      svg("path", {
        class: "edge", d: `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`,
        "stroke-width": 1 + (3 * Math.log1p(l.callCount)) / Math.log1p(most),
      }),
      svg("text", { class: "calls", x: (x1 + x2) / 2, y: (y1 + y2) / 2 - 4, "text-anchor": "middle" }, short(l.callCount)));
  }
  for (const [n, p] of place) {
    const label = n.length > 20 ? `${n.slice(0, 19)}…` : n;
    drawing.append(svg("g", {},
      svg("title", {}, n),
      svg("rect", { x: p.x, y: p.y, width: WIDTH, height: HEIGHT, rx: 8 }),
      svg("text", { x: p.x + WIDTH / 2, y: p.y + HEIGHT / 2 + 4, "text-anchor": "middle" }, label)));
  }
  return drawing;
}

/** showServiceMap draws the calls of the last minutes, or hides the map where there are none. */
export async function showServiceMap() {
  const links = await dependencies(MINUTES);
  $("map-card").hidden = links.length === 0;
  if (links.length === 0) return;
  $("map-window").textContent = `· calls of the last ${MINUTES} minutes`;
  $("map").replaceChildren(draw(links));
}
