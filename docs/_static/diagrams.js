// Draw the Mermaid diagrams of a page. Without a network, Mermaid is not loaded, and its code stays visible.
"use strict";

if (globalThis.mermaid) {
  const isDark =
    document.body.dataset.theme === "dark" ||
    (document.body.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  mermaid.initialize({ startOnLoad: false, theme: isDark ? "dark" : "neutral" });
  const diagrams = [...document.querySelectorAll("div.highlight-mermaid")];
  for (const diagram of diagrams) {
    diagram.textContent = diagram.textContent.trim();
  }
  mermaid.run({ nodes: diagrams });
}
