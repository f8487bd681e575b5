"use strict";
(() => {
  // A click on a column's name sorts by it, another turns the order round, a third brings the first one back.
  const words = new Intl.Collator("en", { numeric: true });
  const missing = (cell) => cell.textContent === "" || cell.dataset.value === "";
  const worth = (cell) => Number(cell.dataset.value ?? NaN);
  const compare = (a, b) => {
    const [x, y] = [worth(a), worth(b)];
    return isNaN(x) - isNaN(y) || (isNaN(x) ? words.compare(a.textContent, b.textContent) : x - y);
  };
  const sorted = (rows, column, sign) =>
    [...rows].sort((one, other) => {
      const [a, b] = [one.cells[column], other.cells[column]];
      return missing(a) - missing(b) || sign * compare(a, b);
    });
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    for (const head of table.querySelectorAll("thead th")) {
      // Of numbers the largest are wanted first.
      const orders = head.classList.contains("n") ? ["descending", "ascending"] : ["ascending", "descending"];
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const order = orders[orders.indexOf(head.getAttribute("aria-sort")) + 1];
        table.querySelectorAll("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
        if (order) head.setAttribute("aria-sort", order);
        body.append(...(order ? sorted(rows, head.cellIndex, order === "ascending" ? 1 : -1) : rows));
      });
    }
  }

  // On a phone the contents close behind the reader's choice; beside the text the section read is marked.
  const contents = document.getElementById("contents");
  contents.addEventListener("click", (event) => {
    if (event.target.closest("a")) contents.querySelector("details").open = false;
  });
  const links = new Map([...contents.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  const reading = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        const link = links.get(target.getAttribute("aria-labelledby"));
        if (isIntersecting) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    },
    { rootMargin: "-25% 0px -74% 0px" },
  );
  document.querySelectorAll("main > section").forEach((section) => reading.observe(section));
})();
