// Numbers over time: stacked bars or lines, drawn as SVG, with a legend that says
// what is under the pointer. A part of the time can be chosen by dragging, or with
// the arrow keys and Enter.

import { el, svg } from "./dom.js";
import { bytes, moment, short } from "./format.js";

const WIDTH = 1000;

/** above is a round number that is at least n; of bytes it is round in their unit. */
function above(n, unit = 1) {
  if (!(n > 0)) return 1;
  if (unit > 1) {
    const size = unit ** Math.max(0, Math.floor(Math.log(n) / Math.log(unit)));
    return size * above(n / size);
  }
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((m) => m * power >= n * 0.999) * power;
}

export class TimeChart {
  /** format writes a value; choose is called with the start and end of what was chosen, in milliseconds. */
  constructor({ kind = "bars", height = 120, format = short, choose } = {}) {
    Object.assign(this, { kind, height, format, choose, slots: [], series: [], markers: [], at: -1, drag: -1 });
    this.legend = el("div", { class: "legend" });
    this.svg = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, preserveAspectRatio: "none", role: "img", tabindex: 0 });
    this.svg.style.height = `${height}px`;
    this.most = el("span", { class: "most" });
    this.axis = el("div", { class: "times" });
    this.node = el("div", { class: `chart ${choose ? "choosable" : ""}` }, this.legend, el("div", { class: "plot" }, this.svg, this.most), this.axis);
    this.svg.addEventListener("pointermove", (event) => this.point(this.slotAt(event)));
    this.svg.addEventListener("pointerleave", () => { if (this.drag < 0) this.point(-1); });
    this.svg.addEventListener("blur", () => this.point(-1));
    this.svg.addEventListener("keydown", (event) => this.key(event));
    if (!choose) return;
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.svg.setPointerCapture(event.pointerId);
      this.drag = this.slotAt(event);
    });
    this.svg.addEventListener("pointerup", (event) => {
      const from = this.drag, to = this.slotAt(event);
      this.drag = -1;
      if (from >= 0 && from !== to) this.chosen(Math.min(from, to), Math.max(from, to));
    });
    this.svg.addEventListener("pointercancel", () => { this.drag = -1; this.point(-1); });
  }

  /**
   * draw shows series of {name, style, values}, a value for each of the slots,
   * which begin at these times and are step seconds wide. markers are {time, text, style}.
   */
  draw({ slots, step, series, markers = [], label = "" }) {
    Object.assign(this, { slots, step, series, markers, label });
    const n = slots.length;
    const wide = WIDTH / Math.max(n, 1);
    const sums = slots.map((_, i) => (this.kind === "bars" ? series.reduce((sum, s) => sum + (s.values[i] ?? 0), 0) : Math.max(0, ...series.map((s) => s.values[i] ?? 0))));
    const top = above(Math.max(0, ...sums), this.format === bytes ? 1024 : 1);
    const y = (value) => this.height - (value / top) * (this.height - 4);
    const parts = [0.5, 1].map((part) => svg("path", { class: "grid", d: `M0 ${y(top * part).toFixed(1)}H${WIDTH}` }));
    const base = new Array(n).fill(0);
    for (const s of series) {
      let path = "";
      if (this.kind === "bars") {
        for (let i = 0; i < n; i++) {
          const value = s.values[i] ?? 0;
          if (!(value > 0)) continue;
          const from = y(base[i]), to = y(base[i] + value);
          base[i] += value;
          path += `M${(i * wide + wide * 0.08).toFixed(2)} ${from.toFixed(2)}V${to.toFixed(2)}h${(wide * 0.84).toFixed(2)}V${from.toFixed(2)}z`;
        }
        parts.push(svg("path", { class: `bar ${s.style}`, d: path }));
        continue;
      }
      s.values.forEach((value, i) => {
        if (value !== null && value !== undefined) path += `${path === "" || s.values[i - 1] === null ? "M" : "L"}${((i + 0.5) * wide).toFixed(2)} ${y(value).toFixed(2)}`;
      });
      parts.push(svg("path", { class: `line ${s.style}`, d: path }));
    }
    for (const m of markers) {
      const x = ((m.time - slots[0]) / (n * step * 1000)) * WIDTH;
      if (x < 0 || x > WIDTH) continue;
      parts.push(svg("g", { class: `marker ${m.style ?? ""}` }, svg("title", {}, m.text), svg("path", { d: `M${x.toFixed(1)} 0V${this.height}` })));
    }
    this.cursor = svg("rect", { class: "cursor", y: 0, height: this.height, x: 0, width: 0 });
    this.svg.replaceChildren(...parts, this.cursor);
    this.most.textContent = this.format(top);
    this.showTimes();
    this.point(this.at);
    this.svg.setAttribute("aria-label", label || series.map((s) => s.name).join(", "));
  }

  showTimes() {
    const n = this.slots.length;
    const count = Math.min(5, n);
    const days = n > 0 && this.slots[n - 1] - this.slots[0] > 20 * 3600e3;
    this.axis.replaceChildren(...Array.from({ length: count }, (_, i) => {
      const slot = Math.round((i * (n - 1)) / Math.max(count - 1, 1));
      return el("span", {}, moment(this.slots[slot], days));
    }));
  }

  slotAt(event) {
    const box = this.svg.getBoundingClientRect();
    return Math.min(this.slots.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * this.slots.length)));
  }

  /** point says what a slot has; -1 is all of them. */
  point(at) {
    this.at = at < this.slots.length ? at : -1;
    const wide = WIDTH / Math.max(this.slots.length, 1);
    const from = this.drag >= 0 ? Math.min(this.drag, at) : at, to = this.drag >= 0 ? Math.max(this.drag, at) : at;
    this.cursor?.setAttribute("x", Math.max(from, 0) * wide);
    this.cursor?.setAttribute("width", at < 0 ? 0 : (to - from + 1) * wide);
    const near = at < 0 ? [] : this.markers.filter((m) => m.time >= this.slots[at] && m.time < this.slots[at] + this.step * 1000);
    this.legend.replaceChildren(
      el("span", { class: "when" }, at < 0 ? "" : moment(this.slots[at], true)),
      ...this.series.map((s) => {
        const total = s.total ?? (this.kind === "bars" ? s.values.reduce((sum, v) => sum + (v ?? 0), 0) : undefined);
        const value = at < 0 ? total : s.values[at];
        return el("span", { class: s.style }, `${s.name} `, el("b", {}, value === undefined || value === null ? "" : this.format(value)));
      }),
      ...near.slice(0, 3).map((m) => el("span", { class: "quiet" }, m.text)));
  }

  key(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (move) {
      event.preventDefault();
      this.point(Math.min(this.slots.length - 1, Math.max(0, this.at < 0 ? this.slots.length - 1 : this.at + move)));
    } else if (event.key === "Enter" && this.choose && this.at >= 0) {
      this.chosen(this.at, this.at);
    }
  }

  chosen(from, to) {
    const at = this.slots[from], end = this.slots[to] + this.step * 1000;
    this.point(-1);
    this.choose(at, end);
  }
}
