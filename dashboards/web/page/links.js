// Links between views.

import { el } from "./dom.js";

/** traceLink is a link to a trace, and nothing where there is none. */
export function traceLink(id, text = id?.slice(0, 8)) {
  return id ? el("a", { class: "link", title: `Show trace ${id}`, href: `#trace=${id}` }, text) : "";
}
