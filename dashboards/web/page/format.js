// Numbers, sizes and times as people read them.

const two = (n) => String(n).padStart(2, "0");
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const whole = (n) => grouped.format(n);

/** rate keeps about three digits. */
export function rate(n) {
  if (n === 0) return "0";
  if (n < 10) return n.toFixed(n < 1 ? 2 : 1);
  if (n < 1e5) return whole(n);
  if (n < 1e6) return `${(n / 1e3).toFixed(0)} k`;
  return `${(n / 1e6).toFixed(2)} M`;
}

/** short writes large counts with a unit. */
export function short(n) {
  if (n < 1e5) return whole(n);
  if (n < 1e6) return `${(n / 1e3).toFixed(0)} k`;
  if (n < 1e9) return `${(n / 1e6).toFixed(n < 1e7 ? 2 : 1)} M`;
  return `${(n / 1e9).toFixed(2)} G`;
}

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return `${i === 0 || n >= 100 ? n.toFixed(0) : n.toFixed(1)} ${units[i]}`;
}

/** percent is a share of 1. */
export const percent = (share) => (share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(share < 0.0995 && share > 0 ? 1 : 0)} %`);

/** share is a share of 1 too, with one digit below 10 % however small it is. */
export const share = (part) => `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`;

/** seconds in the unit that fits. */
export const seconds = (s) => duration(Math.round(s * 1e9));

/** milliseconds of nanoseconds, in the unit that fits. */
export function duration(ns) {
  if (ns < 1e3) return `${ns} ns`;
  if (ns < 1e6) return `${(ns / 1e3).toFixed(0)} µs`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(ns < 1e7 ? 2 : 0)} ms`;
  return `${(ns / 1e9).toFixed(2)} s`;
}

/** clock is the local time of a moment, in milliseconds since 1970. */
export function clock(ms) {
  const t = new Date(ms);
  return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}.${String(t.getMilliseconds()).padStart(3, "0")}`;
}

/** moment is the local time; with the day it is to the second, without it seconds are there where they are not 0. */
export function moment(ms, day = false) {
  const t = new Date(ms);
  const time = `${two(t.getHours())}:${two(t.getMinutes())}${day || t.getSeconds() ? `:${two(t.getSeconds())}` : ""}`;
  return day ? `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${time}` : time;
}

/** ago is how long a moment is over, roughly. */
export function ago(ms) {
  const s = Math.max(0, (Date.now() - ms) / 1000);
  if (s < 90) return `${Math.round(s)} s ago`;
  if (s < 5400) return `${Math.round(s / 60)} min ago`;
  if (s < 129600) return `${Math.round(s / 3600)} h ago`;
  return `${Math.round(s / 86400)} d ago`;
}
