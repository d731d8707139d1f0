// What of a page is wider than what holds it. A table may scroll in its own box, but not on a wide screen.
() => {
  const found = [];
  const told = (element, why) => {
    const section = element.closest("section, nav, .head")?.textContent.trim().slice(0, 30);
    found.push(`${why}: ${element.tagName}.${element.className} in ${section}`);
  };
  const skipped = (element) =>
    element.closest(".skip, svg, script, option, .js-plotly-plot") ||
    !element.getClientRects().length ||
    (innerWidth < 760 && element.closest("thead"));
  const scrolls = (element) => {
    for (let up = element.parentElement; up; up = up.parentElement) {
      if (up.matches(".scroll, .tabs, pre")) return true;
    }
    return element.matches(".scroll");
  };
  const page = document.documentElement.clientWidth;
  for (const element of document.querySelectorAll("body *")) {
    if (skipped(element)) continue;
    const { display, position } = getComputedStyle(element);
    const boxed = element.matches("td, th, dd, dt, select, button, p, h1, h2, .pill") && display !== "inline";
    if (boxed && element.scrollWidth > element.clientWidth + 1) told(element, "text beyond its box");
    if (scrolls(element)) continue;
    const { left, right } = element.getBoundingClientRect();
    if (right > page + 1 || left < -1) told(element, "beyond the page");
    const holder = element.parentElement.getBoundingClientRect();
    if (right > holder.right + 1 && position !== "absolute") told(element, "wider than its container");
  }
  for (const scroll of document.querySelectorAll(".scroll")) {
    if (innerWidth > 1000 && scroll.scrollWidth > scroll.clientWidth + 1) told(scroll, "scrolls sideways");
  }
  for (const chart of document.querySelectorAll(".js-plotly-plot")) {
    const around = chart.getBoundingClientRect();
    for (const text of chart.querySelectorAll(".ytick text, .legendtext")) {
      const { left, right } = text.getBoundingClientRect();
      if (right > around.right + 2 || left < around.left - 2) {
        found.push(`a name of ${chart.id} is cut off: ${text.textContent.slice(0, 20)}`);
      }
    }
    const plot = chart.querySelector(".nsewdrag")?.getBoundingClientRect();
    if (plot && (plot.width < around.width * 0.3 || plot.height < 90)) {
      found.push(`${chart.id} has no room: ${plot.width} by ${plot.height}`);
    }
  }
  return [...new Set(found)];
}
