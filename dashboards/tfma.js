// Shows one of TFMA's web components with the data that the page contains as JSON:
//   element   Name of the component.
//   config    Value of the component's property `config`.
//   choices   Data by name. The page has a list to choose from if there are several.
//   label     Label of that list and of TFMA's list of classes.
//   selected  Names of the classes that are selected at first.
//   names     Ids of the classes by name, for confusion matrices.
//   weight    Metric that counts examples.
//   show      Metrics that are drawn at first; bars show only one.
"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);

  // ---- corrections of TFMA's results -------------------------------------------------------------

  // Removes points from a plot before a component draws it.
  const filterPlotData = (element, isDefined) => {
    const component = customElements.get(element).prototype;
    const original = component.computePlotData_;
    component.computePlotData_ = function (data, ...rest) {
      return original.call(this, data?.filter(isDefined), ...rest);
    };
  };
  // The residual of an empty bucket is undefined, but TFMA would draw 0.
  filterPlotData("tfma-residual-plot", (bucket) => bucket.numWeightedExamples);
  // Precision without positive predictions is undefined, but TFMA would draw 0.
  const hasPredictions = (matrix) => (matrix.truePositives || 0) + (matrix.falsePositives || 0) > 0;
  filterPlotData("tfma-precision-recall-curve", hasPredictions);
  filterPlotData("tfma-accuracy-charts", hasPredictions);

  // Makes columns named "class/metric" of the selected classes' metrics. TFMA's own function cuts
  // names at a colon. If "No class" is not selected, it also loses the number of examples and counts
  // each slice as one example.
  tfma.Util.createConfigsList = (selection) =>
    Object.entries(selection).flatMap(([output, keys]) => keys.map((key) => ({ output, key })));
  tfma.Util.mergeMetricsForSelectedConfigsList = (metrics, selection) => {
    const merged = {};
    for (const { output, key } of selection) {
      const path = selection.length > 1 ? [output, key].filter(Boolean) : [];
      for (const [name, value] of Object.entries(metrics[output]?.[key] || {})) {
        merged[[...path, name].join("/")] = value;
      }
    }
    for (const byClass of Object.values(metrics)) {
      if (byClass[""]?.[page.weight] !== undefined) merged[page.weight] ??= byClass[""][page.weight];
    }
    return merged;
  };

  // ---- styles ------------------------------------------------------------------------------------

  // TFMA's tables need a width of 680 pixels and a margin of 240, which narrow windows do not have.
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

  // Returns all elements with a tag name, including those in shadow trees.
  function findAll(tagName, root = document) {
    const nested = [...root.querySelectorAll("*")].flatMap((element) =>
      element.shadowRoot ? findAll(tagName, element.shadowRoot) : []);
    return [...root.querySelectorAll(tagName), ...nested];
  }

  // TFMA draws these bars only once, so they are redrawn when their width changes.
  const resizeObserver = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.chart_) target.plot_(true, target.slices, target.metricToShow, target.metricToSort_, target.chart_);
    }
  });

  function applyStyles() {
    for (const overview of findAll("tfma-slice-overview")) resizeObserver.observe(overview);
    for (const [tagName, rules] of Object.entries(STYLES)) {
      for (const element of findAll(tagName)) {
        if (!element.shadowRoot || element.shadowRoot.querySelector("style[data-own]")) continue;
        const style = document.createElement("style");
        style.dataset.own = "";
        style.textContent = rules;
        element.shadowRoot.append(style);
      }
    }
    for (const matrix of findAll("tfma-multi-class-confusion-matrix-at-thresholds")) matrix.classNames = page.names;
  }

  // ---- selection ---------------------------------------------------------------------------------

  const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  // Returns what `find` returns once it is truthy; null after six seconds.
  async function waitFor(find) {
    for (let attempt = 0; attempt < 200; attempt++) {
      const found = find();
      if (found) return found;
      await sleep(30);
    }
    return null;
  }

  const findPicker = (element) => element.shadowRoot.querySelector("tfma-config-picker");

  // Selects items in one of the picker's lists. TFMA shows no list if there is only one item.
  async function selectItems(picker, id, isSelected, label) {
    const list = await waitFor(() => picker.shadowRoot.getElementById(id));
    if (!list) return;
    list.label = label;
    const items = await waitFor(() => list.items?.length && list.items);
    list.selectedIndices_ = items.map((_, i) => i).filter((i) => isSelected(items[i]));
  }

  async function selectClasses(element) {
    const picker = findPicker(element);
    const configs = await waitFor(() => picker.allConfigs && Object.keys(picker.allConfigs).length && picker.allConfigs);
    if (!configs) return;
    if (Object.keys(configs).length > 1) await selectItems(picker, "output-picker", () => true, "Outputs");
    const classCount = Object.values(configs).reduce((count, keys) => count + keys.length, 0);
    if (classCount < 2) return;
    // An item is "output, class" if there are several outputs.
    const className = (item) => item.split(", ").pop().replace("No class", "");
    await selectItems(picker, "class-picker", (item) => page.selected.includes(className(item)), page.label);
  }

  async function selectMetrics(metrics) {
    const chart = await waitFor(() =>
      [...findAll("tfma-slice-overview"), ...findAll("tfma-line-chart-grid")].find((element) =>
        (element.metrics_ || element.metrics)?.includes(metrics[0])));
    if (chart?.localName === "tfma-slice-overview") chart.metricToShow = metrics[0];
    else if (chart) chart.selectedMetrics_ = metrics.filter((metric) => chart.metrics.includes(metric));
  }

  // ---- page --------------------------------------------------------------------------------------

  async function show(name) {
    const element = document.createElement(page.element);
    document.getElementById("view").replaceChildren(element);
    element.config = { ...page.config, ...(page.choices[name].config || {}) };
    element.data = page.choices[name].data;
    if (findPicker(element)) await selectClasses(element);
    if (page.show.length) await selectMetrics(page.show);
    applyStyles();
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
  // TFMA creates some elements only when they are first needed.
  setInterval(applyStyles, 500);
})();
