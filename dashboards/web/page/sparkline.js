// A sparkline: counts per second as a line over an area, drawn as SVG.

import { el, svg } from "./dom.js";

const WIDTH = 300;
const HEIGHT = 64;

/** smooth is the mean over each second and the four before it: blocks arrive in lumps. */
export function smooth(values) {
  return values.map((_, i) => {
    const part = values.slice(Math.max(0, i - 4), i + 1);
    return part.reduce((sum, n) => sum + n, 0) / part.length;
  });
}

export class Sparkline {
  constructor() {
    this.node = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.area = svg("path", { class: "area" });
    this.line = svg("path", { class: "line" });
    this.node.append(svg("path", { class: "base", d: `M0 ${HEIGHT - 0.5}H${WIDTH}` }), this.area, this.line);
  }

  /** draw shows the values, oldest first, and returns the largest of them. */
  draw(values, label) {
    const most = Math.max(...values, 0);
    const x = (i) => (values.length < 2 ? 0 : (i / (values.length - 1)) * WIDTH);
    const y = (n) => HEIGHT - 1 - (most > 0 ? (n / most) * (HEIGHT - 6) : 0);
    const path = values.map((n, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(n).toFixed(1)}`).join("");
    this.line.setAttribute("d", most > 0 ? path : "");
    this.area.setAttribute("d", most > 0 ? `${path}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z` : "");
    this.node.setAttribute("aria-label", label);
    return most;
  }
}

/** sparkline draws values for a cell of a table. */
export function sparkline(values, label) {
  const spark = new Sparkline();
  spark.draw(values, label);
  return el("span", { class: "spark signal logs" }, spark.node);
}
