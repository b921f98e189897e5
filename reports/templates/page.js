"use strict";
{
  const filters = [...document.querySelectorAll(".filters select")];
  const rows = [...document.querySelectorAll("tr[data-variant]")];
  const shown = document.querySelector("#shown");

  const filter = () => {
    const wanted = filters.filter((f) => f.value);
    let count = 0;
    for (const row of rows) {
      row.hidden = !wanted.every((f) => row.dataset[f.name] === f.value);
      count += !row.hidden;
    }
    for (const block of document.querySelectorAll(".cells")) {
      block.hidden = !block.querySelector("tr[data-variant]:not([hidden])");
    }
    shown.textContent = count === rows.length ? `${count} configurations` : `${count} of ${rows.length} configurations`;
  };

  for (const f of filters) f.addEventListener("change", filter);
  document.querySelector(".filters button")?.addEventListener("click", () => {
    for (const f of filters) f.value = "";
    filter();
  });

  // A cell sorts by data-v, a number; without it by its text. What has no value comes last either way.
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent.trim() : cell.dataset.v === "" ? null : +cell.dataset.v;
  };
  for (const button of document.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const first = head.dataset.first ?? "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const way = head.getAttribute("aria-sort") === first ? other : first;
      for (const th of head.parentElement.cells) th.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", way);
      const sign = way === "ascending" ? 1 : -1;
      const body = head.closest("table").tBodies[0];
      const sorted = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a, head.cellIndex), value(b, head.cellIndex)];
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * (typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true }));
      });
      body.append(...sorted);
    });
  }
}
