// Where visitors are: a circle for each country, whose area is the number of
// requests, on a map whose degrees are squares.

import { el, svg } from "./dom.js";
import { whole } from "./format.js";
import { LAND } from "./land.js";

const NORTH = 84;
const SOUTH = -58;
const LARGEST = 11; // degrees, radius of the largest circle

function outline(points) {
  let path = "";
  for (let i = 0; i < points.length; i += 2) path += `${i ? "L" : "M"}${points[i]} ${-points[i + 1]}`;
  return `${path}Z`;
}

let ground; // what does not change

function drawGround() {
  const lines = [];
  for (let longitude = -150; longitude <= 150; longitude += 30) lines.push(`M${longitude} ${-NORTH}V${-SOUTH}`);
  for (let latitude = -30; latitude <= 60; latitude += 30) lines.push(`M-180 ${-latitude}H180`);
  return [svg("path", { class: "land", d: LAND.map(outline).join("") }), svg("path", { class: "graticule", d: lines.join("") })];
}

/** showMap draws rows of {name, requests, visitors, latitude, longitude}; choose is called with the name of one. */
export function showMap(target, rows, nameOf, choose) {
  ground ??= drawGround();
  const placed = rows.filter((r) => r.latitude !== undefined && r.longitude !== undefined);
  const most = Math.max(1, ...placed.map((r) => r.requests));
  const circles = placed.toSorted((a, b) => b.requests - a.requests).map((r) => {
    const circle = svg("circle", { cx: r.longitude, cy: -r.latitude, r: (1.2 + (LARGEST - 1.2) * Math.sqrt(r.requests / most)).toFixed(2) },
      svg("title", {}, `${nameOf(r.name)}: ${whole(r.requests)} requests, ${whole(r.visitors)} visitors`));
    circle.addEventListener("click", () => choose(r.name));
    return circle;
  });
  const map = svg("svg", {
    class: "map", viewBox: `-180 ${-NORTH} 360 ${NORTH - SOUTH}`, role: "img",
    "aria-label": `Map of requests: ${placed.slice(0, 5).map((r) => `${nameOf(r.name)} ${r.requests}`).join(", ")}`,
  }, ...ground, ...circles);
  target.replaceChildren(placed.length > 0 ? map : el("p", { class: "none" }, "no positions are known"));
}
