// Puts one of TFMA's web components on the page, with the data that the page holds as JSON:
//   element   the component's name
//   config    what its property of that name takes
//   choices   the data to choose from, by name; a single one is shown without asking
//   label     what there is to choose from, and what TFMA calls classes
//   selected  names of the classes that are chosen at first
//   names     the classes' ids by name, for confusion matrices
//   weight    the metric that counts examples
//   show      the metrics that are drawn at first; bars show one
"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);

  // ---- where the components would show something wrong ------------------------------------------

  const computes = (element, change) => {
    const component = customElements.get(element).prototype;
    const original = component.computePlotData_;
    component.computePlotData_ = function (data, ...more) {
      return original.call(this, data && data.filter(change), ...more);
    };
  };
  // An empty bucket has no residual: TFMA would draw one of 0.
  computes("tfma-residual-plot", (bucket) => bucket.numWeightedExamples);
  // Where nothing is predicted there is no precision: TFMA would draw one of 0.
  const predicted = (one) => (one.truePositives || 0) + (one.falsePositives || 0) > 0;
  computes("tfma-precision-recall-curve", predicted);
  computes("tfma-accuracy-charts", predicted);

  // The metrics of the chosen classes as columns, named "class/metric". TFMA's own function shows ids
  // (whatever stands before a colon is lost) and forgets the count of examples, and so counts each
  // slice as one example, if "No class" is not among the chosen.
  tfma.Util.createConfigsList = (chosen) =>
    Object.entries(chosen).flatMap(([output, keys]) => keys.map((key) => ({ output, key })));
  tfma.Util.mergeMetricsForSelectedConfigsList = (metrics, chosen) => {
    const merged = {};
    for (const { output, key } of chosen) {
      const path = chosen.length > 1 ? [output, key].filter(Boolean) : [];
      for (const [name, value] of Object.entries(metrics[output]?.[key] || {})) {
        merged[[...path, name].join("/")] = value;
      }
    }
    for (const of of Object.values(metrics)) {
      if (of[""]?.[page.weight] !== undefined) merged[page.weight] ??= of[""][page.weight];
    }
    return merged;
  };

  // ---- looks ------------------------------------------------------------------------------------

  // TFMA leaves 240 pixels free beside its tables and asks for 680, which a narrow window has not.
  const STYLES = {
    "tfma-slicing-metrics-browser": "#table { width: auto; margin: 16px 0 }",
    "tfma-graph-data-filter": ".ui { width: auto; max-width: 540px } .ui-input { max-width: 46% } #table { margin: 0 }",
    "tfma-slice-overview": "#controls { width: auto; max-width: 724px } #controls paper-dropdown-menu { max-width: calc(50% - 24px) } #chart { overflow-x: auto }",
    "tfma-metrics-histogram": ".ui { width: auto; max-width: 680px } #details, #overview { max-width: 100% }",
    "tfma-line-chart": "google-chart { max-width: calc(100vw - 70px) }",
    "tfma-plot": "#plots .plot-holder { flex-wrap: wrap } #flat-view-container .plot-holder { max-width: 100% } paper-tabs { height: auto } ",
    "tfma-multi-select": "paper-dropdown-menu { width: min(480px, 90vw) }",
    "paper-tabs": "#tabsContent { position: static; flex-wrap: wrap; height: auto } #tabsContainer { height: auto; overflow: visible } #selectionBar { display: none } ::slotted(paper-tab) { height: 36px } ::slotted(.iron-selected) { border-bottom: 2px solid #0072b2 }",
    "tfma-multi-class-confusion-matrix-at-thresholds": "#controls { width: auto; max-width: 680px }",
  };

  // All elements of a kind, in shadow trees as well.
  function all(kind, root = document) {
    const inside = [...root.querySelectorAll("*")].flatMap((one) => (one.shadowRoot ? all(kind, one.shadowRoot) : []));
    return [...root.querySelectorAll(kind), ...inside];
  }

  // TFMA draws these bars once, in the width that they have at first.
  const widths = new ResizeObserver((changes) => {
    for (const { target } of changes) {
      if (target.chart_) target.plot_(true, target.slices, target.metricToShow, target.metricToSort_, target.chart_);
    }
  });

  function dress() {
    for (const overview of all("tfma-slice-overview")) widths.observe(overview);
    for (const [kind, rules] of Object.entries(STYLES)) {
      for (const element of all(kind)) {
        if (!element.shadowRoot || element.shadowRoot.querySelector("style[data-own]")) continue;
        const style = document.createElement("style");
        style.dataset.own = "";
        style.textContent = rules;
        element.shadowRoot.append(style);
      }
    }
    for (const matrix of all("tfma-multi-class-confusion-matrix-at-thresholds")) matrix.classNames = page.names;
  }

  // ---- putting it there -------------------------------------------------------------------------

  const soon = () => new Promise((resolve) => setTimeout(resolve, 30));

  async function present(find) {
    for (let i = 0; i < 200; i++) {
      const found = find();
      if (found) return found;
      await soon();
    }
    return null;
  }

  const pickerOf = (element) => element.shadowRoot.querySelector("tfma-config-picker");

  // Chooses items of one of the picker's lists, which is not there where there is no choice.
  async function choose(picker, id, wanted, label) {
    const list = await present(() => picker.shadowRoot.getElementById(id));
    if (!list) return;
    list.label = label;
    const items = await present(() => list.items?.length && list.items);
    list.selectedIndices_ = items.map((_, i) => i).filter((i) => wanted(items[i]));
  }

  async function preselect(element) {
    const picker = pickerOf(element);
    const configs = await present(() => picker.allConfigs && Object.keys(picker.allConfigs).length && picker.allConfigs);
    if (!configs) return;
    if (Object.keys(configs).length > 1) await choose(picker, "output-picker", () => true, "Outputs");
    const classes = Object.values(configs).reduce((n, keys) => n + keys.length, 0);
    if (classes < 2) return;
    // With several outputs an item is "output, class".
    const name = (item) => item.split(", ").pop().replace("No class", "");
    await choose(picker, "class-picker", (item) => page.selected.includes(name(item)), page.label);
  }

  async function draw(metrics) {
    const known = (of) => of?.includes(metrics[0]);
    const found = await present(() =>
      [...all("tfma-slice-overview"), ...all("tfma-line-chart-grid")].find((one) => known(one.metrics_ || one.metrics)));
    if (found?.localName === "tfma-slice-overview") found.metricToShow = metrics[0];
    else if (found) found.selectedMetrics_ = metrics.filter((one) => found.metrics.includes(one));
  }

  async function show(name) {
    const element = document.createElement(page.element);
    document.getElementById("view").replaceChildren(element);
    element.config = { ...page.config, ...(page.choices[name].config || {}) };
    element.data = page.choices[name].data;
    if (pickerOf(element)) await preselect(element);
    if (page.show.length) await draw(page.show);
    dress();
    document.documentElement.dataset.drawn = name;
  }

  const names = Object.keys(page.choices);
  if (names.length > 1) {
    const select = document.createElement("select");
    select.append(...names.map((name) => new Option(name, name)));
    select.addEventListener("change", () => show(select.value));
    const label = document.createElement("label");
    label.append(`${page.label} `, select);
    document.getElementById("choice").append(label);
  }
  show(names[0]);
  // Some parts are made when they are first needed.
  setInterval(dress, 500);
})();
