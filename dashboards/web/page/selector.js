// Small changes of LogQL: the matchers in the first braces, and stages behind them.

const quoted = (text) => JSON.stringify(text.toWellFormed());

/** textEnd is the place behind a text that begins at a place of a query. */
function textEnd(query, at) {
  const quote = query[at];
  for (let i = at + 1; i < query.length; i++) {
    if (quote === '"' && query[i] === "\\") i++;
    else if (query[i] === quote) return i + 1;
  }
  return -1;
}

/** split takes a query for lines apart; null is what begins with no selector, or is no query. */
function split(query) {
  const start = query.match(/^\s*\{/)?.[0].length;
  if (!start) return null;
  const matchers = [];
  for (let i = start; i < query.length;) {
    if (query[i] === "}") return { matchers, rest: query.slice(i + 1).trim() };
    const found = /^[\s,]*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(?=["`])/.exec(query.slice(i));
    if (found) {
      const begin = i + found[0].length, end = textEnd(query, begin);
      if (end < 0) return null;
      matchers.push({ name: found[1], op: found[2], value: query.slice(begin, end) });
      i = end;
    } else if (/[\s,]/.test(query[i])) {
      i++;
    } else {
      return null;
    }
  }
  return null;
}

const everything = { name: "service_name", op: "=~", value: '".+"' };
const isEverything = (m) => m.name === everything.name && m.op === everything.op && m.value === everything.value;

function joined({ matchers, rest }) {
  // One matcher must refuse an empty value.
  const all = matchers.some((m) => m.op === "=" || m.op === "=~") ? matchers : [everything, ...matchers];
  return `{${all.map((m) => m.name + m.op + m.value).join(", ")}}${rest ? ` ${rest}` : ""}`;
}

/** has says whether a query selects a value of a label. */
export function has(query, name, value) {
  return split(query)?.matchers.some((m) => m.name === name && m.op === "=" && m.value === quoted(value)) ?? false;
}

/** selecting returns a query that selects a value of a label, or no longer where it did. */
export function selecting(query, name, value, equal = true) {
  const parts = split(query) ?? { matchers: [], rest: "" };
  const op = equal ? "=" : "!=";
  const same = (m) => m.name === name && m.op === op && m.value === quoted(value);
  const had = parts.matchers.some(same);
  parts.matchers = parts.matchers.filter((m) => !same(m) && !isEverything(m) && !(equal && m.name === name));
  if (!had) parts.matchers.push({ name, op, value: quoted(value) });
  return joined(parts);
}

/** filtering returns a query whose lines have, or have not, a value of an attribute. */
export function filtering(query, name, value, equal = true) {
  return `${query.trim()} | ${name} ${equal ? "=" : "!="} ${quoted(value)}`;
}

/** parsing returns a query that reads fields with a parser, if it does not yet. */
export const parsing = (query, parser) => (!parser || new RegExp(`\\|\\s*${parser}\\b`).test(query) ? query : `${query.trim()} | ${parser}`);

/** ofPattern is the query for the lines of a service that have a pattern. */
export function ofPattern(service, pattern) {
  const text = pattern.replaceAll("<*>", "<_>").replace(/(<_>)+/g, "<_>");
  return `{service_name=${quoted(service || "unknown_service")}} |> ${quoted(text)}`;
}
