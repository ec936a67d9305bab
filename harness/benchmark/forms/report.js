"use strict";

// Tables are sorted by a header: figures from the highest, words from A, then the other way round,
// then back as they were. Gaps stay last.
const NUMBERS = { none: "descending", descending: "ascending", ascending: "none" };
const WORDS = { none: "ascending", ascending: "descending", descending: "none" };

function compare(a, b) {
  if (a.order !== null && b.order !== null) return a.order - b.order;
  return a.text.localeCompare(b.text, "en", { numeric: true });
}

function keyOf(row, column) {
  const cell = row.cells[column];
  return {
    row,
    isGap: "gap" in cell.dataset,
    order: "order" in cell.dataset ? Number(cell.dataset.order) : null,
    text: cell.textContent,
  };
}

function sorted(rows, column, direction) {
  if (direction === "none") return rows;
  const sign = direction === "ascending" ? 1 : -1;
  const keys = rows.map((row) => keyOf(row, column));
  keys.sort((a, b) => a.isGap - b.isGap || sign * compare(a, b));
  return keys.map((key) => key.row);
}

for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const next = header.classList.contains("number") ? NUMBERS : WORDS;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    header.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const direction = next[header.getAttribute("aria-sort")];
      headers.forEach((each) => each.setAttribute("aria-sort", "none"));
      header.setAttribute("aria-sort", direction);
      body.append(...sorted(original, column, direction));
    });
  });
}

// The section that is being read is marked in the navigation.
const links = new Map(
  [...document.querySelectorAll("nav a")].map((link) => [link.getAttribute("href").slice(1), link]),
);
const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const link = links.get(target.id);
      link.setAttribute("aria-current", isIntersecting);
      if (isIntersecting) link.closest("nav").scrollLeft = link.offsetLeft - link.offsetWidth;
    }
  },
  { rootMargin: "-20% 0px -79% 0px" },
);
document.querySelectorAll("section").forEach((section) => seen.observe(section));
