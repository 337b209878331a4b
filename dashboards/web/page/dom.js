// Small pieces that the other files build the page from. Text is always set as
// text, never parsed as HTML.

export const $ = (id) => document.getElementById(id);

/** el makes an element with attributes and children. */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null));
  return node;
}

/** table fills a table: columns are {title, number}, a cell is text, a node or {text, class}. */
export function table(target, columns, rows, none = "nothing yet") {
  const head = el("thead", {}, el("tr", {}, ...columns.map((c) => el("th", { scope: "col", class: c.number ? "number" : false }, c.title))));
  const body = el("tbody");
  for (const row of rows) {
    body.append(el("tr", {}, ...row.map((cell, i) => {
      const plain = cell === null || typeof cell !== "object" || cell instanceof Node;
      const content = plain ? cell : cell.text;
      const style = [columns[i]?.number ? "number" : "", plain ? "" : cell.class].join(" ").trim();
      return el("td", { class: style || false }, content instanceof Node ? content : String(content ?? ""));
    })));
  }
  if (rows.length === 0) body.append(el("tr", {}, el("td", { colspan: columns.length, class: "none" }, none)));
  target.replaceChildren(head, body);
}

export const tag = (text, kind = "") => el("span", { class: `tag ${kind}` }, text);

export async function copy(text, button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
}
