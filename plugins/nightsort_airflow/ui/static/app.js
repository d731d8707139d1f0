// Times in the reader's zone, tables that sort and download, links out of Airflow's frame.
"use strict";
(() => {
  const host = (() => {
    try {
      return parent !== window && parent.document ? parent : null;
    } catch {
      return null;
    }
  })();

  // Times: the zone that the reader chose in Airflow, else the browser's, as Airflow does.
  const zone = () => {
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    try {
      const chosen = (host || window).localStorage.getItem("timezone");
      const name = chosen && chosen.startsWith('"') ? JSON.parse(chosen) : chosen;
      new Intl.DateTimeFormat("en-CA", { timeZone: name || own });
      return name || own;
    } catch {
      return own;
    }
  };
  const showTimes = () => {
    const timeZone = zone();
    const day = new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
    const minute = new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit" });
    for (const element of document.querySelectorAll("time[datetime]")) {
      const moment = new Date(element.dateTime);
      const time = minute.format(moment);
      element.textContent = element.dataset.style === "time" ? time : `${day.format(moment)} ${time}`;
      element.title = `${timeZone}; ${moment.toISOString().slice(0, 16).replace("T", " ")} UTC`;
    }
    for (const element of document.querySelectorAll("[data-zone]")) element.textContent = timeZone;
  };

  // Links out: the frame may open neither windows nor pages around it, so Airflow's own page does.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-out]");
    if (!link || !host || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const stand_in = host.document.createElement("a");
    stand_in.href = link.href;
    if (new URL(link.href).origin !== location.origin) {
      stand_in.target = "_blank";
      stand_in.rel = "noopener noreferrer";
    }
    host.document.body.append(stand_in);
    stand_in.click();
    stand_in.remove();
  });

  // Tables: a column sorts by data-value where a cell has it, else by its text.
  const valueOf = (group, column) => {
    const cell = group.querySelector("tr").cells[column];
    const value = cell === undefined ? "" : (cell.dataset.value ?? cell.textContent.trim());
    return { text: value, number: value === "" ? NaN : Number(value) };
  };
  const compare = (one, other) => {
    if (!Number.isNaN(one.number) && !Number.isNaN(other.number)) return one.number - other.number;
    if (Number.isNaN(one.number) !== Number.isNaN(other.number)) return Number.isNaN(one.number) ? -1 : 1;
    return one.text.localeCompare(other.text, "en", { numeric: true });
  };
  const groupsOf = (table) => {
    const bodies = [...table.tBodies];
    return bodies.length > 1 ? { parent: table, groups: bodies } : { parent: bodies[0], groups: [...(bodies[0]?.rows ?? [])] };
  };
  const rowsOf = (group) => (group.tagName === "TR" ? { querySelector: () => group } : group);
  const sort = (table, header, column) => {
    const numeric = header.classList.contains("n");
    const before = header.getAttribute("aria-sort");
    const ascending = before ? before === "descending" : !numeric;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const { parent: holder, groups } = groupsOf(table);
    groups
      .map((group) => [group, valueOf(rowsOf(group), column)])
      .sort(([, one], [, other]) => (ascending ? compare(one, other) : compare(other, one)))
      .forEach(([group]) => holder.append(group));
  };
  const csvOf = (table) => {
    const quoted = (value) => {
      const text = value === "–" ? "" : String(value ?? "");
      // A spreadsheet would run a text that begins like a formula, also behind blanks.
      const harmless = /^\s*[=+@-]|^[\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
      return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
    };
    // A cell is as many fields as its column's head: what it shows in one place, a file has in columns.
    const fields = (cell) => (cell.dataset.fields ? JSON.parse(cell.dataset.fields) : [cell.dataset.value ?? cell.textContent.trim().replace(/\s+/g, " ")]);
    const lines = [[...table.tHead.rows[0].cells].flatMap(fields)];
    for (const body of table.tBodies) {
      for (const row of body.rows) {
        if (!row.classList.contains("more")) {
          lines.push([...row.cells].flatMap(fields));
        }
      }
    }
    return lines.map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n";
  };
  const download = (table) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csvOf(table)], { type: "text/csv" }));
    link.download = `${table.dataset.name}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  const equip = () => {
    for (const table of document.querySelectorAll("table[data-name]")) {
      [...table.tHead.rows[0].cells].forEach((header, column) => {
        if (header.dataset.fixed !== undefined) return;
        const button = document.createElement("button");
        button.type = "button";
        button.append(...header.childNodes);
        button.addEventListener("click", () => sort(table, header, column));
        header.append(button);
      });
    }
    for (const button of document.querySelectorAll("button[data-csv-of]")) {
      const table = document.getElementById(button.dataset.csvOf);
      if (!table) continue;
      button.hidden = false;
      button.addEventListener("click", () => download(table));
    }
  };

  showTimes();
  equip();
})();
