// Draws the figures that the page holds as data, when they come into view, in the colours of the theme.
"use strict";
(() => {
  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    return { text: of("--text"), soft: of("--soft"), line: of("--line"), panel: of("--panel") };
  };
  // A name beside a chart may take a part of its width; both ends of it tell most. A wide letter counts twice.
  const short = (text, most) => {
    const letters = [...text].map((letter) => [letter, letter.codePointAt(0) > 0x10ff ? 2 : 1]);
    const width = (part) => part.reduce((sum, [, one]) => sum + one, 0);
    if (width(letters) <= most) return text;
    const cut = (part, room) => part.filter((_, index) => width(part.slice(0, index + 1)) <= room).map(([letter]) => letter);
    return `${cut(letters, most * 0.6).join("")}…${cut(letters.reverse(), most * 0.4 - 1).reverse().join("")}`;
  };
  const narrow = (place) => place.clientWidth < 560;
  const room = (place, figure) => (narrow(place) ? 14 : figure.layout.xaxis.type === "category" ? 16 : 28);
  const aliases = (figure, most) => {
    const labels = figure.data.flatMap((trace) => [trace.x, trace.y]).flat().filter((value) => typeof value === "string");
    return Object.fromEntries(labels.filter((label) => short(label, most) !== label).map((label) => [asText(label), asText(short(label, most))]));
  };
  const themed = (layout, names) => {
    const { text, soft, line, panel } = colours();
    const axis = (one) => ({ ...one, ...(one.type === "category" && { labelalias: names }), gridcolor: line, zerolinecolor: line, linecolor: line });
    return {
      ...layout,
      autosize: true,
      font: { ...layout.font, color: soft, family: getComputedStyle(document.body).fontFamily },
      hoverlabel: { ...layout.hoverlabel, bgcolor: panel, bordercolor: line, font: { color: text } },
      xaxis: axis(layout.xaxis),
      yaxis: axis(layout.yaxis),
    };
  };
  // Plotly takes tags and links in a text for its own; labels are text, whatever they hold. It looks names up in
  // objects, and each object has a "constructor": with its first letter as an entity it is another name.
  const asText = (value) => {
    if (Array.isArray(value)) return value.map(asText);
    if (typeof value !== "string") return value;
    if (value in {}) return `&#${value.charCodeAt(0)};${value.slice(1)}`;
    return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  };
  const escaped = (trace, small) => {
    const texts = ["name", "x", "y", "text"].filter((key) => key in trace).map((key) => [key, asText(key === "name" ? short(trace[key], small ? 30 : 40) : trace[key])]);
    // The matrix needs the width more than the scale beside it.
    return { ...trace, ...Object.fromEntries(texts), ...(trace.type === "heatmap" && { showscale: !small }) };
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
    const names = aliases(figure, room(place, figure));
    const layout = themed(figure.layout, names);
    // Long names below a chart take their height from it.
    if (layout.xaxis.type === "category" && Object.keys(names).length) layout.height += 60;
    // Where names stand below each other they need room of their own.
    if (narrow(place) && figure.data.length > 3) layout.height += 20 * figure.data.length;
    return Plotly.react(place, figure.data.map((trace) => escaped(trace, narrow(place))), layout, configuration);
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
