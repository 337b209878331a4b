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

/** svg makes an element of a drawing, likewise. */
export function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** cellOf is the content and the style of a cell, which is text, a node or {text, class}. */
export function cellOf(cell, column) {
  const plain = cell === null || typeof cell !== "object" || cell instanceof Node;
  const content = plain ? cell : cell.text;
  return {
    content: content instanceof Node ? content : String(content ?? ""),
    style: [column?.number ? "number" : "", plain ? "" : cell.class].join(" ").trim() || false,
  };
}

/** fill puts a body into a table, under the titles of columns {title, number}. */
export function fill(target, columns, body, none) {
  if (!body.hasChildNodes()) body.append(el("tr", {}, el("td", { colspan: columns.length, class: "none" }, none)));
  target.replaceChildren(el("thead", {}, el("tr", {}, ...columns.map((c) => el("th", { scope: "col", class: c.number ? "number" : false }, c.title)))), body);
}

/** table fills a table: columns are {title, number}, a cell is text, a node or {text, class}. */
export function table(target, columns, rows, none = "nothing yet") {
  fill(target, columns, el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((cell, i) => {
    const { content, style } = cellOf(cell, columns[i]);
    return el("td", { class: style }, content);
  })))), none);
}

export const tag = (text, kind = "") => el("span", { class: `tag ${kind}` }, text);

/** fact is a number or time and what it is. */
export const fact = (name, value, warn = false) => el("span", { class: warn ? "warn" : false }, el("b", {}, value), ` ${name}`);

/** tile is a card with one number. */
export const tile = (title, value, note = "", style = "") =>
  el("article", { class: "card tile" }, el("h2", {}, title), el("p", { class: `figure ${style}` }, value), el("p", { class: "quiet" }, note));

/** small is a button that calls work with itself. */
export function small(text, title, work) {
  const button = el("button", { type: "button", class: "small", title: title || false }, text);
  button.addEventListener("click", () => work(button));
  return button;
}

/** chip is a filter that a click removes. */
export function chip(text, remove) {
  const button = el("button", { type: "button", class: "chip", title: "Remove this filter" }, text, el("span", { "aria-hidden": "true" }, " ×"));
  button.addEventListener("click", remove);
  return button;
}

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
