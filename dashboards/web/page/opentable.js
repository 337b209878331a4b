// A table whose rows open.

import { cellOf, el, fill } from "./dom.js";

const state = new WeakMap(); // of each table: what is open, by keys of rows

/**
 * openTable fills a table: columns are {title, number}, rows {key, cells,
 * details, style}. A cell is text, a node or {text, class}; the first one is
 * what opens the row, and details makes what is shown below it. What is open
 * stays so when the table is filled again.
 */
export function openTable(target, columns, rows, none = "nothing in this time") {
  const before = state.get(target) ?? new Map();
  const open = new Map();
  const focused = target.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const body = el("tbody");
  for (const row of rows) {
    const opener = el("button", { type: "button", class: "opener", "data-key": row.key, "aria-expanded": "false" });
    const main = el("tr", { class: `row ${row.style ?? ""}` }, ...row.cells.map((cell, i) => {
      const { content, style } = cellOf(cell, columns[i]);
      // Long texts may be cut.
      if (i > 0) return el("td", { class: style, title: typeof content === "string" && content.length > 16 ? content : false }, content);
      opener.append(content);
      return el("td", { class: style }, opener);
    }));
    const show = (details) => {
      opener.setAttribute("aria-expanded", "true");
      open.set(row.key, details);
      main.after(el("tr", { class: "details" }, el("td", { colspan: columns.length }, details)));
    };
    const toggle = () => {
      if (!open.has(row.key)) return show(row.details());
      opener.setAttribute("aria-expanded", "false");
      open.delete(row.key);
      main.nextElementSibling.remove();
    };
    opener.addEventListener("click", toggle);
    main.addEventListener("click", (event) => { if (!event.target.closest("a, button") && getSelection().isCollapsed) toggle(); });
    body.append(main);
    const details = before.get(row.key);
    if (details && !open.has(row.key)) show(details);
  }
  state.set(target, open);
  fill(target, columns, body, none);
  if (focused !== undefined) [...target.querySelectorAll(".opener")].find((b) => b.dataset.key === focused)?.focus({ preventScroll: true });
}
