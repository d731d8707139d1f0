// Draws the figures that the page holds as data, when they come into view, in the colours of the theme.
"use strict";
(() => {
  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    return { text: of("--text"), soft: of("--soft"), line: of("--line"), panel: of("--panel") };
  };
  const themed = (layout) => {
    const { text, soft, line, panel } = colours();
    const axis = (one) => ({ ...one, gridcolor: line, zerolinecolor: line, linecolor: line });
    return {
      ...layout,
      autosize: true,
      font: { ...layout.font, color: soft, family: getComputedStyle(document.body).fontFamily },
      hoverlabel: { ...layout.hoverlabel, bgcolor: panel, bordercolor: line, font: { color: text } },
      xaxis: axis(layout.xaxis),
      yaxis: axis(layout.yaxis),
    };
  };
  // Plotly takes tags and links in a text for its own; labels are text, whatever they hold.
  const asText = (value) => {
    if (Array.isArray(value)) return value.map(asText);
    return typeof value === "string" ? value.replaceAll("&", "&amp;").replaceAll("<", "&lt;") : value;
  };
  const escaped = (trace) => {
    const texts = ["name", "x", "y", "text"].filter((key) => key in trace).map((key) => [key, asText(trace[key])]);
    return { ...trace, ...Object.fromEntries(texts) };
  };
  const configuration = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] };
  const drawn = new Map();

  const reordered = (figure, order) => {
    const [trace] = figure.data;
    const place = new Map(trace.x.map((label, index) => [label, index]));
    const places = order.map((label) => place.get(label));
    const pick = (rows) => places.map((row) => places.map((column) => rows[row][column]));
    return { ...figure, data: [{ ...trace, x: order, y: order, z: pick(trace.z), customdata: pick(trace.customdata) }] };
  };
  const draw = (place) => {
    const figure = drawn.get(place);
    place.querySelector(".wait")?.remove();
    const layout = themed(figure.layout);
    // Where names stand below each other they need room of their own.
    if (place.clientWidth < 560 && figure.data.length > 3) layout.height += 20 * figure.data.length;
    return Plotly.react(place, figure.data.map(escaped), layout, configuration);
  };
  const first = (place) => {
    drawn.set(place, JSON.parse(document.getElementById(place.dataset.figure).textContent));
    draw(place);
  };
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        first(entry.target);
      }
    },
    { rootMargin: "300px" },
  );
  const look = () => {
    for (const place of document.querySelectorAll(".chart[data-figure]")) if (!drawn.has(place)) seen.observe(place);
  };
  document.addEventListener("nightsort:theme", () => [...drawn.keys()].forEach(draw));
  addEventListener("beforeprint", () => {
    for (const place of document.querySelectorAll(".chart[data-figure]")) if (!drawn.has(place)) first(place);
  });

  // Switches of a chart: another order of a heat map's labels, or another label's numbers.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-order-of]");
    if (!button) return;
    const place = document.getElementById(button.dataset.orderOf);
    const order = JSON.parse(document.getElementById(button.dataset.order).textContent);
    drawn.set(place, reordered(drawn.get(place), order));
    draw(place);
    for (const other of document.querySelectorAll(`button[data-order-of="${button.dataset.orderOf}"]`)) {
      other.setAttribute("aria-pressed", String(other === button));
    }
  });
  document.addEventListener("change", (event) => {
    const choice = event.target.closest("select[data-figure-of]");
    if (!choice) return;
    const place = document.getElementById(choice.dataset.figureOf);
    const chosen = JSON.parse(document.getElementById(choice.dataset.choices).textContent)[choice.value];
    const figure = drawn.get(place);
    // Of two traces the first is the range in which the second was expected.
    const [range, line] = figure.data.length > 1 ? figure.data : [null, figure.data[0]];
    const shown = { ...line, y: chosen.y, name: range ? choice.value : line.name };
    const known = [...line.x.keys()].filter((night) => range && chosen.low[night] !== null);
    const of = (value) => known.map(value);
    const expected = range && {
      ...range,
      x: of((night) => line.x[night]),
      base: of((night) => chosen.low[night]),
      y: of((night) => chosen.high[night] - chosen.low[night]),
    };
    drawn.set(place, { ...figure, data: range ? [expected, shown] : [shown] });
    draw(place);
  });
  look();
})();
