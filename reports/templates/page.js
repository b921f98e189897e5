"use strict";
{
  const filters = [...document.querySelectorAll(".filters select")];
  const more = document.querySelector("input[name=more]");
  const shows = [...document.querySelectorAll("[data-variant]")];
  const rows = shows.filter((one) => one.localName === "tr");
  const shown = document.querySelector("#shown");

  // Charts and masks show what the tables show. A Pareto front is that of all its marks, or not drawn.
  const filter = () => {
    const wanted = filters.filter((f) => f.value);
    for (const one of shows) one.toggleAttribute("hidden", !wanted.every((f) => one.dataset[f.name] === f.value));
    for (const line of document.querySelectorAll(".joined")) line.toggleAttribute("hidden", wanted.length > 0);
    for (const block of document.querySelectorAll(".cells, .grid > figure:has([data-variant])")) {
      block.hidden = !block.querySelector("[data-variant]:not([hidden])");
    }
    const count = rows.filter((row) => !row.hidden).length;
    shown.textContent = count === rows.length ? `${count} configurations` : `${count} of ${rows.length} configurations`;
  };

  const columns = () => document.body.classList.toggle("wide-tables", more.checked);

  // The address keeps what was chosen, so that a link shows the same.
  const keep = () => {
    const state = new URLSearchParams(filters.filter((f) => f.value).map((f) => [f.name, f.value]));
    if (more?.checked) state.set("more", "1");
    const query = state.toString();
    history.replaceState(null, "", `${location.pathname}${query && `?${query}`}${location.hash}`);
  };
  const state = new URLSearchParams(location.search);
  for (const f of filters) {
    const value = state.get(f.name);
    if ([...f.options].some((option) => option.value === value)) f.value = value;
  }
  if (more) more.checked = state.has("more");
  if (state.size) filter();

  for (const f of filters) f.addEventListener("change", () => (filter(), keep()));
  document.querySelector(".filters button")?.addEventListener("click", () => {
    for (const f of filters) f.value = "";
    filter();
    keep();
  });
  more?.addEventListener("change", () => (columns(), keep()));
  if (more) columns();

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
