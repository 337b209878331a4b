"use strict";
// A click on the head of a column sorts the table by it, a second one the other way.
document.querySelectorAll("table").forEach(function (table) {
  const body = table.tBodies[0];
  table.querySelectorAll("th").forEach(function (head, column) {
    head.tabIndex = 0;
    const sort = function () {
      const order = head.dataset.order === "-1" ? 1 : -1;
      table.querySelectorAll("th").forEach(function (other) { delete other.dataset.order; });
      head.dataset.order = order;
      const rows = Array.from(body.rows);
      rows.sort(function (a, b) {
        const x = a.cells[column], y = b.cells[column];
        if (x.dataset.v !== undefined && y.dataset.v !== undefined) return order * (Number(x.dataset.v) - Number(y.dataset.v));
        return -order * x.textContent.localeCompare(y.textContent, undefined, { numeric: true });
      });
      rows.forEach(function (row) { body.appendChild(row); });
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", function (event) { if (event.key === "Enter") sort(); });
  });
});
// The browser knows the names of countries.
try {
  const names = new Intl.DisplayNames(["en"], { type: "region" });
  document.querySelectorAll("td[data-country]").forEach(function (cell) {
    const name = names.of(cell.dataset.country), text = cell.firstChild;
    if (text.textContent === cell.dataset.country) text.textContent = name + " (" + cell.dataset.country + ")";
    else cell.title = name;
  });
} catch (error) { /* codes stay */ }
document.getElementById("theme").addEventListener("click", function () {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
