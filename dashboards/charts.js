// Replaces the part of Google Charts that TFMA's web components use, which would load it from the
// network: `google.charts.load` and, in `google.visualization`, data tables, events, and line, combo,
// column, bubble and table charts. Charts are SVG with text and shapes only, never HTML from the data.
// Zooming (`explorer`), animations and the chart types that TFMA does not use are not supported.
"use strict";
(() => {
  // Okabe and Ito's palette, which is safe for colour-blind readers.
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
  const TEXT_COLOUR = "#333333";
  const GRID_COLOUR = "#e0e0e0";
  const POINTER_RADIUS = 25; // Largest distance from the pointer to the mark that it selects, in pixels.
  const FONT = "12px Roboto, 'Helvetica Neue', Helvetica, Arial, sans-serif";

  // ---- events -------------------------------------------------------------------------------

  const listeners = new WeakMap();

  const events = {
    addListener(target, name, handler) {
      if (!target) return;
      if (!listeners.has(target)) listeners.set(target, []);
      listeners.get(target).push({ name, handler });
    },
    addOneTimeListener(target, name, handler) {
      const once = (detail) => {
        listeners.set(target, listeners.get(target).filter((listener) => listener.handler !== once));
        handler(detail);
      };
      events.addListener(target, name, once);
    },
    trigger(target, name, detail) {
      for (const listener of [...(listeners.get(target) || [])]) if (listener.name === name) listener.handler(detail);
    },
  };

  // ---- data tables -----------------------------------------------------------------------

  const isCell = (value) => value !== null && typeof value === "object" && "v" in value;
  const toCell = (value) => (isCell(value) ? value : { v: value });
  const cellText = (cell) => (cell.f ?? (cell.v === null || cell.v === undefined ? "" : String(cell.v)));

  // Columns are {label, type, role}. Cells are {v: value, f: formatted value}.
  class DataTable {
    constructor(spec = {}) {
      this.columns = (spec.cols || []).map((column) => ({ ...column }));
      this.cells = [];
      this.addRows((spec.rows || []).map((row) => row.c || row));
    }
    addRows(rows) {
      this.cells.push(...rows.map((row) => row.map(toCell)));
    }
    getNumberOfRows() {
      return this.cells.length;
    }
    sort(keys) {
      const [key] = [keys].flat();
      const column = typeof key === "number" ? key : key.column;
      const sign = key.desc ? -1 : 1;
      this.cells.sort((a, b) => sign * compare(a[column].v, b[column].v));
    }
  }

  function compare(a, b) {
    const missing = (value) => value === null || value === undefined || Number.isNaN(value);
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    return a < b ? -1 : a > b ? 1 : 0;
  }

  function arrayToDataTable(rows) {
    const table = new DataTable();
    table.addRows(rows.slice(1));
    table.columns = (rows[0] || []).map((head, i) => {
      const column = typeof head === "object" && head !== null ? { ...head } : { label: head };
      const first = table.cells.map((row) => row[i]?.v).find((v) => v !== null && v !== undefined);
      return { type: typeof first === "number" ? "number" : "string", ...column };
    });
    return table;
  }

  // Some columns of a table. Later changes of the table do not change the view.
  class TableView {
    constructor(table) {
      this.table = table;
      this.columns = table.columns;
      this.cells = table.cells;
    }
    setColumns(selection) {
      const columns = selection.map((column) => (typeof column === "number" ? { sourceColumn: column } : column));
      this.columns = columns.map((column) => ({ ...this.table.columns[column.sourceColumn], ...column }));
      this.cells = this.table.cells.map((row) =>
        columns.map(({ calc, sourceColumn }) =>
          calc === "stringify" ? { v: cellText(row[sourceColumn]) } : row[sourceColumn]));
    }
    getNumberOfRows() {
      return this.cells.length;
    }
  }

  // ---- drawing ------------------------------------------------------------------------------

  function createSvg(name, attributes = {}, content = []) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...[content].flat());
    return element;
  }

  function createHtml(name, attributes = {}, content = []) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...[content].flat());
    return element;
  }

  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
  const truncate = (label, length) => (label.length > length ? `${label.slice(0, length - 1)}…` : label);

  // Returns ticks that cover a range, at steps of 1, 2 or 5 times a power of ten.
  function makeTicks(low, high, count = 5) {
    const minStep = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(minStep));
    const step = power * ([1, 2, 5].find((factor) => factor * power >= minStep * 0.99) || 10);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const ticks = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
      ticks.push({ v: i * step, f: formatTick(i * step, digits) });
    }
    return ticks;
  }

  function formatTick(value, digits) {
    const size = Math.abs(value);
    if (size >= 1e6) return `${+(value / 1e6).toPrecision(4)}M`;
    if (size >= 1e4) return `${+(value / 1e3).toPrecision(4)}k`;
    return (size < 1e-12 ? 0 : value).toFixed(Math.min(digits, 6));
  }

  function valueRange(values, axis = {}, fromZero = false) {
    const known = values.filter(isNumber);
    let low = axis.viewWindow?.min ?? axis.minValue ?? Math.min(...known, ...(fromZero ? [0] : []));
    let high = axis.viewWindow?.max ?? axis.maxValue ?? Math.max(...known, ...(fromZero ? [0] : []));
    if (!isNumber(low) || !isNumber(high)) [low, high] = [0, 1];
    if (low === high) [low, high] = low === 0 ? [0, 1] : [low - Math.abs(low) / 20, high + Math.abs(high) / 20];
    return [low, high];
  }

  // Extends a range to the next ticks.
  function roundToTicks([low, high]) {
    const ticks = makeTicks(low, high);
    const step = ticks.length > 1 ? ticks[1].v - ticks[0].v : high - low;
    return [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
  }

  const linearScale = ([low, high], [from, to]) => (value) => from + ((value - low) / (high - low)) * (to - from);

  // Returns the domain column, and the series with their tooltip and annotation columns.
  function readSeries(table, options) {
    const series = [];
    const domain = { column: 0, roles: {} };
    table.columns.forEach((column, i) => {
      if (i === 0) return;
      if (column.role) (series[series.length - 1] || domain).roles[column.role] = i;
      else series.push({ column: i, label: column.label || "", roles: {} });
    });
    series.forEach((entry, i) => {
      const own = options.series?.[i] || {};
      Object.assign(entry, { colour: COLOURS[i % COLOURS.length], axis: 0, type: options.seriesType }, {
        axis: own.targetAxisIndex || 0,
        type: own.type || options.seriesType,
        dash: own.lineDashStyle,
        shape: own.pointShape,
        inLegend: own.visibleInLegend !== false && entry.label !== "",
      });
      // Dashed lines are reference lines.
      if (own.lineDashStyle) entry.colour = "#767676";
    });
    return { domain, series };
  }

  // A chart with axes. Subclasses draw the marks; this class handles the pointer and the selection.
  class AxisChart {
    constructor(container) {
      this.container = container;
      this.selection = [];
      this.marks = [];
    }
    getSelection() {
      return this.selection;
    }
    setSelection(selection) {
      this.selection = selection || [];
      this.showSelection();
    }
    draw(table, options = {}) {
      this.marks = [];
      this.selection = [];
      const box = this.container.getBoundingClientRect();
      const width = options.width || box.width;
      const height = options.height || (box.height > 60 ? box.height : 300);
      if (width > 0) {
        const figure = this.createFigure(table, options, width, height);
        const tip = createHtml("div", { class: "tip", hidden: "", style:
          `position:absolute;z-index:9;pointer-events:none;background:#fff;border:1px solid #999;
           border-radius:3px;padding:4px 8px;white-space:pre;font:${FONT};color:${TEXT_COLOUR}` });
        const frame = createHtml("div", { style: "position:relative;overflow-x:auto" }, [figure, tip]);
        this.container.replaceChildren(frame);
        this.addPointerHandlers(frame, figure, tip, options);
      }
      events.trigger(this, "ready", {});
    }
    // Creates the SVG with title, axes, legend and the marks of `drawMarks`.
    createFigure(table, options, width, height) {
      const { domain, series } = readSeries(table, { seriesType: this.seriesType, ...options });
      const rows = table.cells;
      const x = this.xAxis(table, options);
      const legend = (options.legend?.position ?? "right") === "none" ? [] : series.filter((entry) => entry.inLegend);
      const vAxes = [0, 1].map((i) => ({ ...options.vAxis, ...options.vAxes?.[i] }));
      const used = [0, 1].filter((i) => series.some((entry) => entry.axis === i));
      const ranges = vAxes.map((axis, i) => {
        const own = series.filter((entry) => entry.axis === i);
        const bars = own.some((entry) => entry.type === "bars");
        const values = own.flatMap((entry) => rows.map((row) => row[entry.column]?.v));
        return roundToTicks(valueRange(values, axis, bars || axis.minValue === 0));
      });
      const longest = x.bands ? Math.max(0, ...x.labels.map((label) => truncate(label, 18).length)) : 0;
      const below = x.bands ? Math.min(110, 14 + longest * 5) : 0;
      const marginTop = 14 + (options.title ? 20 : 0) + (legend.length ? 20 : 0);
      const left = 62;
      const right = used.includes(1) ? 62 : 20;
      const bottom = (x.bands ? 6 : 26) + (x.title ? 18 : 0);
      const fullHeight = height + below;
      const area = { left, top: marginTop, right: width - right, bottom: Math.max(height - bottom, marginTop + 40) };
      const xScale = x.scale([area.left, area.right]);
      const yScales = ranges.map((range) => linearScale(range, [area.bottom, area.top]));
      const root = createSvg("svg", {
        width, height: fullHeight, role: "img", style: `font:${FONT};display:block`, fill: TEXT_COLOUR,
        "aria-label": [options.title, series.map((entry) => entry.label).filter(Boolean).join(", "), x.title && `by ${x.title}`]
          .filter(Boolean).join(" "),
      });
      if (options.title) root.append(createSvg("text", { x: left, y: 16, "font-weight": "bold" }, options.title));
      root.append(this.legend(legend, left, marginTop - 12, width));
      for (const i of used) root.append(this.yAxis(vAxes[i], series, i, ranges[i], yScales[i], area, width));
      const horizontal = createSvg("g", { class: "h-axis" });
      for (const tick of x.ticks(area)) {
        const at = xScale(tick.v);
        if (x.bands) {
          const label = createSvg("text", { "text-anchor": "end", transform: `translate(${at + 4},${area.bottom + 12}) rotate(-40)` },
            truncate(tick.f, 18));
          label.append(createSvg("title", {}, tick.f));
          horizontal.append(label);
        } else {
          horizontal.append(
            createSvg("line", { x1: at, x2: at, y1: area.top, y2: area.bottom, stroke: GRID_COLOUR }),
            createSvg("text", { x: at, y: area.bottom + 16, "text-anchor": textAnchor(at, tick.f, width) }, tick.f));
        }
      }
      horizontal.append(createSvg("line", { x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom, stroke: "#888888" }));
      if (x.title) {
        horizontal.append(createSvg("text", { x: (area.left + area.right) / 2, y: fullHeight - 6, "text-anchor": "middle", "font-style": "italic" }, x.title));
      }
      root.append(horizontal);
      // TFMA finds the bars and their annotations by their position in the tree.
      const clip = `area-${Math.random().toString(36).slice(2)}`;
      const inner = createSvg("g", { class: "marks" });
      const notes = createSvg("g", { class: "notes" });
      root.append(
        createSvg("clipPath", { id: clip }, createSvg("rect", { x: area.left - 8, y: area.top - 8, width: area.right - area.left + 16, height: area.bottom - area.top + 16 })),
        createSvg("g", { "clip-path": `url(#${clip})` }, [createSvg("g"), inner]), createSvg("g"), createSvg("g"), notes);
      this.drawMarks({ table, rows, domain, series, options, x, xScale, yScales, area, inner, notes });
      return root;
    }
    legend(series, left, y, width) {
      const group = createSvg("g", { class: "legend" });
      let x = left;
      for (const entry of series) {
        const label = truncate(entry.label, Math.max(12, Math.floor(width / 10)));
        group.append(this.swatch(entry, x + 5, y), createSvg("text", { x: x + 15, y: y + 4 }, label));
        x += 30 + label.length * 6.5;
      }
      return group;
    }
    swatch(series, x, y) {
      if (series.type === "line") return createSvg("line", { x1: x - 5, x2: x + 6, y1: y, y2: y, stroke: series.colour, "stroke-width": 3 });
      return createMark(series, x, y);
    }
    yAxis(axis, series, index, [low, high], scale, area, width) {
      const group = createSvg("g", { class: "v-axis" });
      const second = index === 1;
      const ticks = axis.ticks || makeTicks(low, high);
      for (const tick of ticks.map(toCell)) {
        const y = scale(tick.v);
        if (!second) group.append(createSvg("line", { x1: area.left, x2: area.right, y1: y, y2: y, stroke: GRID_COLOUR }));
        group.append(createSvg("text", { x: second ? area.right + 6 : area.left - 6, y: y + 4, "text-anchor": second ? "start" : "end" }, cellText(tick)));
      }
      const title = axis.title || (axis.ticks ? "" : series.filter((entry) => entry.axis === index && entry.label).map((entry) => entry.label).join(", "));
      const middle = (area.top + area.bottom) / 2;
      const x = second ? width - 8 : 14;
      const maxLength = Math.max(12, Math.floor((area.bottom - area.top) / 5.5));
      if (title) {
        const label = createSvg("text", { transform: `translate(${x},${middle}) rotate(-90)`, "text-anchor": "middle", "font-style": "italic" }, truncate(title, maxLength));
        label.append(createSvg("title", {}, title));
        group.append(label);
      }
      return group;
    }
    // Returns a numeric axis, or one band per row if the domain is text.
    xAxis(table, options) {
      const axis = options.hAxis || {};
      const head = table.columns[0] || {};
      const values = table.cells.map((row) => row[0].v);
      const title = axis.title ?? head.label;
      if (head.type === "string") {
        const labels = table.cells.map((row) => String(row[0].v));
        return {
          bands: true, labels, title: "",
          scale: ([from, to]) => (i) => from + ((i + 0.5) * (to - from)) / Math.max(1, values.length),
          // Labels are left out if there are too many to be read.
          ticks: (area) => {
            const every = Math.ceil(labels.length / ((area.right - area.left) / 14));
            return labels.map((f, v) => ({ v, f })).filter((tick) => tick.v % every === 0);
          },
        };
      }
      const fixedTicks = axis.ticks?.length ? axis.ticks.map(toCell) : null;
      const limits = fixedTicks ? [fixedTicks[0].v, fixedTicks[fixedTicks.length - 1].v] : this.domainRange(values, axis);
      // TFMA passes an empty list of ticks if the points have names, which are in the table.
      const named = axis.ticks?.length === 0;
      return {
        bands: false, title: named ? "" : title, limits,
        scale: (pixels) => linearScale(limits, pixels),
        ticks: (area) => {
          if (named) return this.namedTicks(table, area);
          return thinOutTicks(fixedTicks || makeTicks(...limits, Math.max(2, Math.floor((area.right - area.left) / 80))), area);
        },
      };
    }
    domainRange(values, axis) {
      return valueRange(values, axis);
    }
    namedTicks(table, area) {
      const column = table.columns.findIndex((column) => column.role === "annotation");
      const ticks = table.cells.map((row) => ({ v: row[0].v, f: truncate(column < 0 ? cellText(row[0]) : cellText(row[column]), 18) }));
      ticks.sort((a, b) => a.v - b.v);
      return thinOutTicks(ticks, area);
    }
    addPointerHandlers(frame, figure, tip, options) {
      let hovered = null;
      const leave = () => {
        if (hovered) events.trigger(this, "onmouseout", { row: hovered.row, column: hovered.column });
        hovered = null;
        tip.hidden = true;
      };
      frame.addEventListener("mouseleave", leave);
      frame.addEventListener("mousemove", (event) => {
        const box = figure.getBoundingClientRect();
        const mark = this.nearestMark(event.clientX - box.left, event.clientY - box.top);
        if (mark === hovered) return;
        leave();
        if (!mark) return;
        hovered = mark;
        if (options.tooltip?.trigger !== "none") {
          tip.textContent = mark.text;
          tip.hidden = false;
          tip.style.left = `${Math.max(0, Math.min(mark.x + 10, box.width - tip.offsetWidth - 4))}px`;
          tip.style.top = `${mark.y > box.height / 2 ? mark.y - tip.offsetHeight - 8 : mark.y + 10}px`;
        }
        events.trigger(this, "onmouseover", { row: mark.row, column: mark.column });
      });
      frame.addEventListener("click", (event) => {
        if (options.enableInteractivity === false) return;
        const box = figure.getBoundingClientRect();
        const mark = this.nearestMark(event.clientX - box.left, event.clientY - box.top);
        this.setSelection(mark ? [{ row: mark.row, column: mark.column }] : []);
        events.trigger(this, "select", {});
      });
    }
    nearestMark(x, y) {
      let nearest = null;
      let minDistance = POINTER_RADIUS;
      for (const mark of this.marks) {
        const inside = mark.half && Math.abs(x - mark.x) <= mark.half && y >= mark.y - 6 && y <= mark.base + 6;
        const distance = inside ? 0 : Math.hypot(x - mark.x, y - mark.y);
        if (distance < minDistance) [nearest, minDistance] = [mark, distance];
      }
      return nearest;
    }
    showSelection() {
      const isSelected = (mark) => this.selection.some((s) => s.row === mark.row && (s.column ?? mark.column) === mark.column);
      for (const mark of this.marks) mark.element?.setAttribute("stroke", isSelected(mark) ? "#000000" : mark.stroke || "none");
      for (const mark of this.marks) mark.element?.setAttribute("stroke-width", isSelected(mark) ? 3 : 1);
    }
  }

  function thinOutTicks(ticks, area) {
    const capacity = (area.right - area.left) / Math.max(1, ...ticks.map((tick) => 10 + cellText(tick).length * 7));
    const every = Math.ceil(ticks.length / Math.max(1, Math.floor(capacity)));
    return ticks.filter((_, i) => i % every === 0);
  }

  // Keeps the labels at the edges inside of the chart.
  function textAnchor(x, label, width) {
    const half = label.length * 3.5;
    return x - half < 0 ? "start" : x + half > width ? "end" : "middle";
  }

  function createMark(series, x, y, size = 4) {
    if (series.shape === "diamond") {
      return createSvg("path", { d: `M${x} ${y - size - 1}l${size + 1} ${size + 1}l${-size - 1} ${size + 1}l${-size - 1} ${-size - 1}z`, fill: series.colour });
    }
    if (series.type === "bars") return createSvg("rect", { x: x - 5, y: y - 5, width: 10, height: 10, fill: series.colour });
    return createSvg("circle", { cx: x, cy: y, r: size, fill: series.colour });
  }

  // Lines, points and bars that share a domain.
  class ComboChart extends AxisChart {
    get seriesType() {
      return "line";
    }
    domainRange(values, axis) {
      const [low, high] = valueRange(values, axis);
      // The first and the last bar extend beyond their centres.
      const margin = this.padded ? (high - low) / (2 * Math.max(1, values.length - 1)) : 0;
      return [low - margin, high + margin];
    }
    createFigure(table, options, width, height) {
      const types = Object.values(options.series || {}).map((options) => options.type);
      this.padded = this.seriesType === "bars" || types.includes("bars");
      return super.createFigure(table, options, width, height);
    }
    drawMarks(scene) {
      const bars = scene.series.filter((entry) => entry.type === "bars");
      // Bars are drawn first, so that lines and points are in front of them.
      for (const entry of bars) this.drawBars(scene, entry, bars.indexOf(entry), bars.length);
      for (const entry of scene.series) if (entry.type !== "bars") this.drawPoints(scene, entry);
    }
    tooltipText(scene, row, series) {
      const cells = scene.rows[row];
      const own = series.roles.tooltip;
      if (own !== undefined && cellText(cells[own])) return cellText(cells[own]);
      const value = cells[series.column];
      // TFMA formats some numbers itself.
      const unformatted = isNumber(value.v) && typeof value.f !== "string";
      return `${cellText(cells[0])}\n${series.label}: ${unformatted ? +value.v.toPrecision(6) : cellText(value)}`;
    }
    drawBars(scene, series, index, count) {
      const { rows, x, xScale, yScales, area } = scene;
      const step = (area.right - area.left) / Math.max(1, x.bands ? rows.length : rows.length);
      const share = parseFloat(scene.options.bar?.groupWidth || "75") / 100;
      const each = Math.max(1, (step * share) / count);
      rows.forEach((row, i) => {
        const value = row[series.column].v;
        const middle = xScale(x.bands ? i : row[0].v) + (index - (count - 1) / 2) * each;
        const known = isNumber(value);
        const y = known ? yScales[series.axis](value) : area.bottom;
        const zero = yScales[series.axis](0);
        const rect = createSvg("rect", { x: middle - each / 2, y: Math.min(y, zero), width: each, height: Math.abs(zero - y), fill: series.colour });
        scene.inner.append(rect);
        const note = series.roles.annotation;
        scene.notes.append(createSvg("g", {}, createSvg("text", { x: middle, y: y - 4, "text-anchor": "middle" }, note === undefined ? "" : cellText(row[note]))));
        if (known) this.marks.push({ x: middle, y: Math.min(y, zero), base: zero, half: each / 2, row: i, column: series.column, element: rect, text: this.tooltipText(scene, i, series) });
      });
    }
    drawPoints(scene, series) {
      const { rows, x, xScale, yScales } = scene;
      const points = rows.map((row, i) => ({ row: i, at: x.bands ? i : row[0].v, value: row[series.column].v }))
        .filter((point) => isNumber(point.at));
      // Short lines have a dot at each point, so that a single point is visible.
      const dots = series.type === "scatter" || (!series.dash && points.length <= 20);
      let path = "";
      for (const point of points) {
        if (!isNumber(point.value)) {
          path += " ";
          continue;
        }
        const [px, py] = [xScale(point.at), yScales[series.axis](point.value)];
        path += `${path === "" || path.endsWith(" ") ? "M" : "L"}${px.toFixed(1)} ${py.toFixed(1)}`;
        const element = dots ? createMark(series, px, py, series.type === "scatter" ? 4 : 3) : createSvg("circle", { cx: px, cy: py, r: 3, fill: "none" });
        if (dots) scene.inner.append(element);
        if (!series.dash) this.marks.push({ x: px, y: py, row: point.row, column: series.column, element, text: this.tooltipText(scene, point.row, series) });
      }
      if (series.type === "line") {
        scene.inner.prepend(createSvg("path", { d: path, fill: "none", stroke: series.colour, "stroke-width": 2, ...(series.dash ? { "stroke-dasharray": series.dash.join(" ") } : {}) }));
      }
    }
  }

  class LineChart extends ComboChart {}

  class ColumnChart extends ComboChart {
    get seriesType() {
      return "bars";
    }
  }

  // Each row is id, x, y, colour and size.
  class BubbleChart extends AxisChart {
    get seriesType() {
      return "scatter";
    }
    draw(table, options = {}) {
      // The axes need only x and y; colour and size style the points.
      this.source = table;
      const points = new TableView(table);
      points.setColumns(table.columns.length ? [1, 2] : []);
      super.draw(points, { ...options, legend: { position: "none" } });
    }
    drawMarks({ options, xScale, yScales, area, inner }) {
      const { columns, cells } = this.source;
      const shortSide = Math.min(area.right - area.left, area.bottom - area.top);
      if (shortSide <= 0 || !columns.length) return;
      const colour = options.colorAxis || {};
      const size = options.sizeAxis || {};
      const share = (value, axis) => Math.max(0, Math.min(1, (value - (axis.minValue ?? 0)) / ((axis.maxValue ?? 1) - (axis.minValue ?? 0))));
      cells.forEach((row, i) => {
        const [, x, y, shade, weight] = row.map((cell) => cell.v);
        if (!isNumber(x) || !isNumber(y)) return;
        const [px, py] = [xScale(x), yScales[0](y)];
        const minRadius = size.minSize ?? 4;
        const radius = minRadius + share(weight, size) * ((size.maxSize ?? 20) - minRadius);
        const element = createSvg("circle", { cx: px, cy: py, r: radius, fill: interpolateColour(colour.colors || ["#ffffff", COLOURS[0]], share(shade, colour)), "fill-opacity": 0.85, stroke: "#0a47a4" });
        inner.append(element);
        const lines = columns.slice(1).map((column, k) => `${column.label}: ${+Number(row[k + 1].v).toPrecision(4)}`);
        this.marks.push({ x: px, y: py, row: i, column: null, element, stroke: "#0a47a4", text: lines.join("\n") });
      });
    }
  }

  function interpolateColour([from, to], share) {
    const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    const [a, b] = [channels(from), channels(to)];
    return `rgb(${a.map((c, i) => Math.round(c + (b[i] - c) * share)).join(",")})`;
  }

  // ---- table chart ----------------------------------------------------------------------------

  // The first column stays visible while a wide table scrolls.
  const STICKY = "position:sticky;left:0;background:#f2f2f2";

  // A table with Google's class names, which TFMA's style sheets use.
  class Table {
    constructor(container) {
      this.container = container;
      this.selection = [];
      this.page = 0;
    }
    getSelection() {
      return this.selection;
    }
    setSelection(selection) {
      this.selection = selection || [];
      for (const row of this.container.querySelectorAll("tbody tr")) {
        const isSelected = this.selection.some((selected) => selected.row === +row.dataset.row);
        row.classList.toggle("google-visualization-table-tr-sel", isSelected);
        row.setAttribute("aria-selected", isSelected);
      }
    }
    draw(table, options = {}) {
      if (table !== this.table) Object.assign(this, { page: 0, sorted: null, order: table.cells.map((_, i) => i), selection: [] });
      this.table = table;
      this.options = options;
      this.render();
      events.trigger(this, "ready", {});
    }
    render() {
      const { columns, cells } = this.table;
      const size = this.options.page === "enable" ? this.options.pageSize || 20 : cells.length;
      const pages = Math.max(1, Math.ceil(cells.length / Math.max(1, size)));
      const heads = columns.map((column, i) => this.head(column, i));
      const visibleRows = this.order.slice(this.page * size, (this.page + 1) * size);
      const body = visibleRows.map((row, i) => this.row(row, i));
      const grid = createHtml("table", { class: "google-visualization-table-table", style: "border-collapse:collapse;min-width:100%" }, [
        createHtml("thead", {}, createHtml("tr", { class: "google-visualization-table-tr-head" }, heads)),
        createHtml("tbody", {}, body),
      ]);
      const root = createHtml("div", { class: "google-visualization-table", style: "overflow-x:auto" }, grid);
      if (pages > 1) root.append(this.pager(pages));
      this.container.replaceChildren(root);
      this.setSelection(this.selection);
    }
    head(column, i) {
      const sorted = this.sorted?.column === i;
      const direction = sorted ? (this.sorted.ascending ? "ascending" : "descending") : "none";
      const cell = createHtml("th", { class: `google-visualization-table-th sort-${direction}`, "aria-sort": direction, scope: "col", tabindex: 0, style: `cursor:pointer;white-space:nowrap;${i ? "" : STICKY}` },
        [column.label || "", createHtml("span", { class: "google-visualization-table-sortind" })]);
      const sort = () => this.sort(i);
      cell.addEventListener("click", sort);
      cell.addEventListener("keydown", (event) => event.key === "Enter" && sort());
      return cell;
    }
    row(row, i) {
      const cells = this.table.columns.map((_, column) => {
        const cell = createHtml("td", { class: "google-visualization-table-td", style: `white-space:nowrap;${column ? "" : STICKY}` });
        const content = cellText(this.table.cells[row][column] || { v: "" });
        // TFMA's renderers return elements; anything else is data and is shown as text.
        if (this.options.allowHtml && /^<tfma-/.test(content)) cell.innerHTML = content;
        else cell.textContent = content;
        return cell;
      });
      const line = createHtml("tr", { class: i % 2 ? "google-visualization-table-tr-odd" : "google-visualization-table-tr-even", "data-row": row }, cells);
      line.addEventListener("click", () => {
        const isSelected = this.selection.some((selected) => selected.row === row);
        this.setSelection(isSelected ? [] : [{ row, column: null }]);
        events.trigger(this, "select", {});
      });
      return line;
    }
    sort(column) {
      const ascending = this.sorted?.column === column ? !this.sorted.ascending : true;
      this.sorted = { column, ascending };
      const value = (row) => this.table.cells[row][column]?.v;
      this.order.sort((a, b) => (ascending ? 1 : -1) * compare(value(a), value(b)));
      this.page = 0;
      this.render();
      events.trigger(this, "sort", { column, ascending, sortedIndexes: [...this.order] });
    }
    pager(pages) {
      const numbers = Array.from({ length: pages }, (_, page) => {
        const current = page === this.page;
        const link = createHtml("a", { class: `google-visualization-table-page-number${current ? " current" : ""}`, href: "#", role: "button", style: "margin:2px", "aria-current": current }, String(page + 1));
        link.addEventListener("click", (event) => {
          event.preventDefault();
          this.page = page;
          this.render();
          events.trigger(this, "page", { page });
        });
        return link;
      });
      return createHtml("div", { class: "google-visualization-table-div-page", style: "padding:6px" }, numbers);
    }
  }

  // ---- chart wrapper --------------------------------------------------------------------------

  const CHARTS = { LineChart, ComboChart, ColumnChart, BubbleChart, Table };

  class ChartWrapper {
    constructor({ container }) {
      this.container = container;
      this.chart = null;
    }
    setChartType(type) {
      if (type !== this.type) this.chart = null;
      this.type = type;
    }
    setDataTable(table) {
      this.table = table;
    }
    setOptions(options) {
      this.options = options;
    }
    getChart() {
      return this.chart;
    }
    draw() {
      if (!this.table) return;
      if (!this.chart) {
        const Chart = CHARTS[this.type];
        if (!Chart) throw new Error(`unsupported chart type ${this.type}`);
        this.chart = new Chart(this.container);
        events.addListener(this.chart, "select", (detail) => events.trigger(this, "select", detail));
      }
      this.chart.draw(this.table, this.options || {});
      events.trigger(this, "ready", {});
    }
  }

  window.google = {
    charts: { load: () => Promise.resolve() },
    visualization: { DataTable, DataView: TableView, arrayToDataTable, events, ChartWrapper, ...CHARTS },
  };
})();
