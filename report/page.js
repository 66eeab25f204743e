// Unpacks the plotting library, which the page holds as base64 of gzip, and draws every chart.
"use strict";
(async () => {
  const read = (id) => document.getElementById(id).textContent;
  const bytes = Uint8Array.from(atob(read("library")), (char) => char.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(unpacked).text();
  document.head.append(script);

  const figures = JSON.parse(read("figures"));
  const templates = JSON.parse(read("templates"));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const plots = [...document.querySelectorAll(".plot")];
  const template = (isDark) => templates[isDark ? "dark" : "light"];
  const config = { responsive: true, displaylogo: false, displayModeBar: false };

  for (const [number, plot] of plots.entries()) {
    const { data, layout } = figures[plot.dataset.figure];
    await Plotly.newPlot(plot, data, { ...layout, template: template(dark.matches) }, config);
    // Lets the page be read and scrolled while the rest is drawn.
    if (number % 4 === 3) await new Promise((next) => setTimeout(next));
    document.documentElement.dataset.drawn = number + 1;
  }

  const redraw = (isDark, width) =>
    plots.map((plot) => {
      const layout = { template: template(isDark) };
      // A sheet of paper is narrower than most windows, and nothing tells the charts.
      layout.width = width ? Math.min(width, plot.clientWidth) : null;
      layout.autosize = !width;
      return Plotly.relayout(plot, layout);
    });
  dark.addEventListener("change", () => redraw(dark.matches));
  addEventListener("beforeprint", () => redraw(false, 680));
  addEventListener("afterprint", () => redraw(dark.matches));
  document.documentElement.dataset.ready = "yes";
})();
