// Loads the plotting library from the page and draws all charts.
"use strict";
(async () => {
  const readElement = (id) => document.getElementById(id).textContent;

  // The library is gzip in base64.
  const bytes = Uint8Array.from(atob(readElement("library")), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);

  const figures = JSON.parse(readElement("figures"));
  const templates = JSON.parse(readElement("templates"));
  const darkMode = matchMedia("(prefers-color-scheme: dark)");
  const plots = [...document.querySelectorAll(".plot")];
  const templateFor = (isDark) => templates[isDark ? "dark" : "light"];
  const config = { responsive: true, displaylogo: false, displayModeBar: false };

  for (const [index, plot] of plots.entries()) {
    const { data, layout } = figures[plot.dataset.figure];
    await Plotly.newPlot(plot, data, { ...layout, template: templateFor(darkMode.matches) }, config);
    // A pause keeps the page responsive while the charts are drawn.
    if (index % 4 === 3) await new Promise((resolve) => setTimeout(resolve));
    document.documentElement.dataset.drawn = index + 1;
  }

  // Changes the colours, and limits the width if `maxWidth` is given.
  const redraw = (isDark, maxWidth) =>
    plots.map((plot) => Plotly.relayout(plot, {
      template: templateFor(isDark),
      width: maxWidth ? Math.min(maxWidth, plot.clientWidth) : null,
      autosize: !maxWidth,
    }));
  darkMode.addEventListener("change", () => redraw(darkMode.matches));
  // Charts do not adapt to the width of the paper by themselves.
  addEventListener("beforeprint", () => redraw(false, 680));
  addEventListener("afterprint", () => redraw(darkMode.matches));
  document.documentElement.dataset.ready = "yes";
})();
