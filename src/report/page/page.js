// Sorts the tables of tasks: a button in each heading. Everything else on the page works without this.
"use strict";

const numeric = (text) => text !== "" && Number.isFinite(Number(text));

const compare = (a, b) =>
  numeric(a) && numeric(b) ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true });

const sort = (table, heading) => {
  const headings = [...heading.parentNode.children];
  const column = headings.indexOf(heading);
  // Figures begin with the largest, words with the first.
  const fresh = heading.classList.contains("n") ? "descending" : "ascending";
  const turned = { ascending: "descending", descending: "ascending" };
  const order = turned[heading.getAttribute("aria-sort")] ?? fresh;
  headings.forEach((other) => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", order);
  const value = (body) => body.rows[0].cells[column].dataset.v ?? "";
  const sign = order === "ascending" ? 1 : -1;
  [...table.tBodies]
    .sort((a, b) => sign * compare(value(a), value(b)))
    .forEach((body) => table.append(body));
};

for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => sort(table, heading));
    heading.replaceChildren(button);
  }
}
