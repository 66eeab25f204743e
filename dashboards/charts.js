// A stand-in for the part of Google Charts that TFMA's web components use, so that they need no
// network: `google.charts.load` and, under `google.visualization`, tables of data, events, and line,
// combo, column, bubble and table charts. Charts are SVG; everything in them is text or a shape.
// Not there: zooming (`explorer`), animations, and chart types that TFMA does not draw.
"use strict";
(() => {
  // Okabe and Ito's colours, which people with any kind of colour vision tell apart.
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
  const INK = "#333333";
  const GRID = "#e0e0e0";
  const NEAR = 25; // Pixels around a mark in which the pointer counts as being on it.
  const FONT = "12px Roboto, 'Helvetica Neue', Helvetica, Arial, sans-serif";

  // ---- events -------------------------------------------------------------------------------

  const listeners = new WeakMap();

  const events = {
    addListener(target, name, heard) {
      if (!target) return;
      if (!listeners.has(target)) listeners.set(target, []);
      listeners.get(target).push({ name, heard });
    },
    addOneTimeListener(target, name, heard) {
      const once = (detail) => {
        listeners.set(target, listeners.get(target).filter((one) => one.heard !== once));
        heard(detail);
      };
      events.addListener(target, name, once);
    },
    trigger(target, name, detail) {
      for (const one of [...(listeners.get(target) || [])]) if (one.name === name) one.heard(detail);
    },
  };

  // ---- tables of data -----------------------------------------------------------------------

  const isCell = (value) => value !== null && typeof value === "object" && "v" in value;
  const asCell = (value) => (isCell(value) ? value : { v: value });
  const text = (cell) => (cell.f ?? (cell.v === null || cell.v === undefined ? "" : String(cell.v)));

  // Columns are {label, type, role}, cells {v: value, f: how it is shown}.
  class DataTable {
    constructor(spec = {}) {
      this.columns = (spec.cols || []).map((column) => ({ ...column }));
      this.cells = [];
      this.addRows((spec.rows || []).map((row) => row.c || row));
    }
    addRows(rows) {
      this.cells.push(...rows.map((row) => row.map(asCell)));
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

  // Some columns of a table, or what is computed of them; as it was when the columns were set.
  class DataView {
    constructor(table) {
      this.table = table;
      this.columns = table.columns;
      this.cells = table.cells;
    }
    setColumns(wanted) {
      const places = wanted.map((one) => (typeof one === "number" ? { sourceColumn: one } : one));
      this.columns = places.map((one) => ({ ...this.table.columns[one.sourceColumn], ...one }));
      this.cells = this.table.cells.map((row) =>
        places.map(({ calc, sourceColumn }) =>
          calc === "stringify" ? { v: text(row[sourceColumn]) } : row[sourceColumn]));
    }
    getNumberOfRows() {
      return this.cells.length;
    }
  }

  // ---- drawing ------------------------------------------------------------------------------

  function svg(name, attributes = {}, content = []) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...[content].flat());
    return element;
  }

  function html(name, attributes = {}, content = []) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...[content].flat());
    return element;
  }

  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
  const shorten = (label, length) => (label.length > length ? `${label.slice(0, length - 1)}…` : label);

  // Values 1, 2 or 5 times a power of ten apart that cover a range.
  function ticksOf(low, high, wanted = 5) {
    const raw = (high - low) / wanted;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * ([1, 2, 5].find((factor) => factor * power >= raw * 0.99) || 10);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const ticks = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
      ticks.push({ v: i * step, f: written(i * step, digits) });
    }
    return ticks;
  }

  function written(value, digits) {
    const size = Math.abs(value);
    if (size >= 1e6) return `${+(value / 1e6).toPrecision(4)}M`;
    if (size >= 1e4) return `${+(value / 1e3).toPrecision(4)}k`;
    return (size < 1e-12 ? 0 : value).toFixed(Math.min(digits, 6));
  }

  function range(values, axis = {}, fromZero = false) {
    const known = values.filter(isNumber);
    let low = axis.viewWindow?.min ?? axis.minValue ?? Math.min(...known, ...(fromZero ? [0] : []));
    let high = axis.viewWindow?.max ?? axis.maxValue ?? Math.max(...known, ...(fromZero ? [0] : []));
    if (!isNumber(low) || !isNumber(high)) [low, high] = [0, 1];
    if (low === high) [low, high] = low === 0 ? [0, 1] : [low - Math.abs(low) / 20, high + Math.abs(high) / 20];
    return [low, high];
  }

  // Rounds a range outwards to its ticks.
  function nice([low, high]) {
    const marks = ticksOf(low, high);
    const step = marks.length > 1 ? marks[1].v - marks[0].v : high - low;
    return [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
  }

  const linear = ([low, high], [from, to]) => (value) => from + ((value - low) / (high - low)) * (to - from);

  // The columns of a chart: the domain, and series with their tooltips and annotations.
  function seriesOf(table, options) {
    const series = [];
    const domain = { column: 0, roles: {} };
    table.columns.forEach((column, i) => {
      if (i === 0) return;
      if (column.role) (series[series.length - 1] || domain).roles[column.role] = i;
      else series.push({ column: i, label: column.label || "", roles: {} });
    });
    series.forEach((one, i) => {
      const own = (options.series || {})[i] || {};
      Object.assign(one, { colour: COLOURS[i % COLOURS.length], axis: 0, type: options.seriesType }, {
        axis: own.targetAxisIndex || 0,
        type: own.type || options.seriesType,
        dash: own.lineDashStyle,
        shape: own.pointShape,
        inLegend: own.visibleInLegend !== false && one.label !== "",
      });
      // A dashed line is for reference.
      if (own.lineDashStyle) one.colour = "#767676";
    });
    return { domain, series };
  }

  // A chart with axes. Subclasses draw their marks; the pointer and selections are handled here.
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
        const scene = this.scene(table, options, width, height);
        const tip = html("div", { class: "tip", hidden: "", style:
          `position:absolute;z-index:9;pointer-events:none;background:#fff;border:1px solid #999;
           border-radius:3px;padding:4px 8px;white-space:pre;font:${FONT};color:${INK}` });
        const frame = html("div", { style: "position:relative;overflow-x:auto" }, [scene, tip]);
        this.container.replaceChildren(frame);
        this.listen(frame, scene, tip, options);
      }
      events.trigger(this, "ready", {});
    }
    // Draws title, axes and legend around what `marks` draws.
    scene(table, options, width, height) {
      const { domain, series } = seriesOf(table, { seriesType: this.seriesType, ...options });
      const rows = table.cells;
      const x = this.xAxis(table, options);
      const legend = (options.legend?.position ?? "right") === "none" ? [] : series.filter((one) => one.inLegend);
      const vAxes = [0, 1].map((i) => ({ ...options.vAxis, ...(options.vAxes || {})[i] }));
      const used = [0, 1].filter((i) => series.some((one) => one.axis === i));
      const ranges = vAxes.map((axis, i) => {
        const own = series.filter((one) => one.axis === i);
        const bars = own.some((one) => one.type === "bars");
        const values = own.flatMap((one) => rows.map((row) => row[one.column]?.v));
        return nice(range(values, axis, bars || axis.minValue === 0));
      });
      const longest = x.bands ? Math.max(0, ...x.labels.map((one) => shorten(one, 18).length)) : 0;
      const below = x.bands ? Math.min(110, 14 + longest * 5) : 0;
      const marginTop = 14 + (options.title ? 20 : 0) + (legend.length ? 20 : 0);
      const left = 62;
      const right = used.includes(1) ? 62 : 20;
      const bottom = (x.bands ? 6 : 26) + (x.title ? 18 : 0);
      const full = height + below;
      const area = { left, top: marginTop, right: width - right, bottom: Math.max(height - bottom, marginTop + 40) };
      const xScale = x.scale([area.left, area.right]);
      const yScales = ranges.map((one) => linear(one, [area.bottom, area.top]));
      const root = svg("svg", {
        width, height: full, role: "img", style: `font:${FONT};display:block`, fill: INK,
        "aria-label": [options.title, series.map((one) => one.label).filter(Boolean).join(", "), x.title && `by ${x.title}`]
          .filter(Boolean).join(" "),
      });
      if (options.title) root.append(svg("text", { x: left, y: 16, "font-weight": "bold" }, options.title));
      root.append(this.legend(legend, left, marginTop - 12, width));
      for (const i of used) root.append(this.yAxis(vAxes[i], series, i, ranges[i], yScales[i], area, width));
      const horizontal = svg("g", { class: "h-axis" });
      for (const tick of x.ticks(area)) {
        const at = xScale(tick.v);
        if (x.bands) {
          const label = svg("text", { "text-anchor": "end", transform: `translate(${at + 4},${area.bottom + 12}) rotate(-40)` },
            shorten(tick.f, 18));
          label.append(svg("title", {}, tick.f));
          horizontal.append(label);
        } else {
          horizontal.append(
            svg("line", { x1: at, x2: at, y1: area.top, y2: area.bottom, stroke: GRID }),
            svg("text", { x: at, y: area.bottom + 16, "text-anchor": anchorOf(at, tick.f, width) }, tick.f));
        }
      }
      horizontal.append(svg("line", { x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom, stroke: "#888888" }));
      if (x.title) {
        horizontal.append(svg("text", { x: (area.left + area.right) / 2, y: full - 6, "text-anchor": "middle", "font-style": "italic" }, x.title));
      }
      root.append(horizontal);
      // TFMA looks for the bars and for what is written on them by their places in the tree.
      const clip = `area-${Math.random().toString(36).slice(2)}`;
      const inner = svg("g", { class: "marks" });
      const notes = svg("g", { class: "notes" });
      root.append(
        svg("clipPath", { id: clip }, svg("rect", { x: area.left - 8, y: area.top - 8, width: area.right - area.left + 16, height: area.bottom - area.top + 16 })),
        svg("g", { "clip-path": `url(#${clip})` }, [svg("g"), inner]), svg("g"), svg("g"), notes);
      this.drawMarks({ table, rows, domain, series, options, x, xScale, yScales, area, inner, notes });
      return root;
    }
    legend(series, left, y, width) {
      const group = svg("g", { class: "legend" });
      let x = left;
      for (const one of series) {
        const label = shorten(one.label, Math.max(12, Math.floor(width / 10)));
        group.append(this.swatch(one, x + 5, y), svg("text", { x: x + 15, y: y + 4 }, label));
        x += 30 + label.length * 6.5;
      }
      return group;
    }
    swatch(series, x, y) {
      if (series.type === "line") return svg("line", { x1: x - 5, x2: x + 6, y1: y, y2: y, stroke: series.colour, "stroke-width": 3 });
      return mark(series, x, y);
    }
    yAxis(axis, series, index, [low, high], scale, area, width) {
      const group = svg("g", { class: "v-axis" });
      const second = index === 1;
      const ticks = axis.ticks || ticksOf(low, high);
      for (const tick of ticks.map(asCell)) {
        const y = scale(tick.v);
        if (!second) group.append(svg("line", { x1: area.left, x2: area.right, y1: y, y2: y, stroke: GRID }));
        group.append(svg("text", { x: second ? area.right + 6 : area.left - 6, y: y + 4, "text-anchor": second ? "start" : "end" }, text(tick)));
      }
      const title = axis.title || (axis.ticks ? "" : series.filter((one) => one.axis === index && one.label).map((one) => one.label).join(", "));
      const middle = (area.top + area.bottom) / 2;
      const x = second ? width - 8 : 14;
      const room = Math.max(12, Math.floor((area.bottom - area.top) / 5.5));
      if (title) {
        const label = svg("text", { transform: `translate(${x},${middle}) rotate(-90)`, "text-anchor": "middle", "font-style": "italic" }, shorten(title, room));
        label.append(svg("title", {}, title));
        group.append(label);
      }
      return group;
    }
    // A number line, or a band for each row where the domain is text.
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
          // Of very many, as many as can be read.
          ticks: (area) => {
            const every = Math.ceil(labels.length / ((area.right - area.left) / 14));
            return labels.map((f, v) => ({ v, f })).filter((one) => one.v % every === 0);
          },
        };
      }
      const given = axis.ticks?.length ? axis.ticks.map(asCell) : null;
      const limits = given ? [given[0].v, given[given.length - 1].v] : this.domainRange(values, axis);
      // TFMA asks for no ticks where it means points by their names, which are then in the table.
      const named = axis.ticks?.length === 0;
      return {
        bands: false, title: named ? "" : title, limits,
        scale: (pixels) => linear(limits, pixels),
        ticks: (area) => {
          if (named) return this.namedTicks(table, area);
          return thinned(given || ticksOf(...limits, Math.max(2, Math.floor((area.right - area.left) / 80))), area);
        },
      };
    }
    domainRange(values, axis) {
      return range(values, axis);
    }
    namedTicks(table, area) {
      const column = table.columns.findIndex((one) => one.role === "annotation");
      const ticks = table.cells.map((row) => ({ v: row[0].v, f: shorten(column < 0 ? text(row[0]) : text(row[column]), 18) }));
      ticks.sort((a, b) => a.v - b.v);
      return thinned(ticks, area);
    }
    listen(frame, scene, tip, options) {
      let on = null;
      const leave = () => {
        if (on) events.trigger(this, "onmouseout", { row: on.row, column: on.column });
        on = null;
        tip.hidden = true;
      };
      frame.addEventListener("mouseleave", leave);
      frame.addEventListener("mousemove", (event) => {
        const box = scene.getBoundingClientRect();
        const found = this.nearest(event.clientX - box.left, event.clientY - box.top);
        if (found === on) return;
        leave();
        if (!found) return;
        on = found;
        if (options.tooltip?.trigger !== "none") {
          tip.textContent = found.text;
          tip.hidden = false;
          tip.style.left = `${Math.max(0, Math.min(found.x + 10, box.width - tip.offsetWidth - 4))}px`;
          tip.style.top = `${found.y > box.height / 2 ? found.y - tip.offsetHeight - 8 : found.y + 10}px`;
        }
        events.trigger(this, "onmouseover", { row: found.row, column: found.column });
      });
      frame.addEventListener("click", (event) => {
        if (options.enableInteractivity === false) return;
        const box = scene.getBoundingClientRect();
        const found = this.nearest(event.clientX - box.left, event.clientY - box.top);
        this.setSelection(found ? [{ row: found.row, column: found.column }] : []);
        events.trigger(this, "select", {});
      });
    }
    nearest(x, y) {
      let best = null;
      let least = NEAR;
      for (const one of this.marks) {
        const inside = one.half && Math.abs(x - one.x) <= one.half && y >= one.y - 6 && y <= one.base + 6;
        const distance = inside ? 0 : Math.hypot(x - one.x, y - one.y);
        if (distance < least) [best, least] = [one, distance];
      }
      return best;
    }
    showSelection() {
      const chosen = (one) => this.selection.some((s) => s.row === one.row && (s.column ?? one.column) === one.column);
      for (const one of this.marks) one.element?.setAttribute("stroke", chosen(one) ? "#000000" : one.stroke || "none");
      for (const one of this.marks) one.element?.setAttribute("stroke-width", chosen(one) ? 3 : 1);
    }
  }

  function thinned(ticks, area) {
    const room = (area.right - area.left) / Math.max(1, ...ticks.map((one) => 10 + text(one).length * 7));
    const every = Math.ceil(ticks.length / Math.max(1, Math.floor(room)));
    return ticks.filter((_, i) => i % every === 0);
  }

  // A label at the edge stays inside.
  function anchorOf(x, label, width) {
    const half = label.length * 3.5;
    return x - half < 0 ? "start" : x + half > width ? "end" : "middle";
  }

  function mark(series, x, y, size = 4) {
    if (series.shape === "diamond") {
      return svg("path", { d: `M${x} ${y - size - 1}l${size + 1} ${size + 1}l${-size - 1} ${size + 1}l${-size - 1} ${-size - 1}z`, fill: series.colour });
    }
    if (series.type === "bars") return svg("rect", { x: x - 5, y: y - 5, width: 10, height: 10, fill: series.colour });
    return svg("circle", { cx: x, cy: y, r: size, fill: series.colour });
  }

  // Lines, points and bars over one domain.
  class ComboChart extends AxisChart {
    get seriesType() {
      return "line";
    }
    domainRange(values, axis) {
      const [low, high] = range(values, axis);
      // The first and the last bar need room beside their middles.
      const margin = this.padded ? (high - low) / (2 * Math.max(1, values.length - 1)) : 0;
      return [low - margin, high + margin];
    }
    scene(table, options, width, height) {
      const types = Object.values(options.series || {}).map((one) => one.type);
      this.padded = this.seriesType === "bars" || types.includes("bars");
      return super.scene(table, options, width, height);
    }
    drawMarks(scene) {
      const bars = scene.series.filter((one) => one.type === "bars");
      // Bars first, so that lines and points are seen before them.
      for (const one of bars) this.drawBars(scene, one, bars.indexOf(one), bars.length);
      for (const one of scene.series) if (one.type !== "bars") this.drawPoints(scene, one);
    }
    told(scene, row, series) {
      const cells = scene.rows[row];
      const own = series.roles.tooltip;
      if (own !== undefined && text(cells[own])) return text(cells[own]);
      const value = cells[series.column];
      // TFMA gives some numbers as their own text.
      const plain = isNumber(value.v) && typeof value.f !== "string";
      return `${text(cells[0])}\n${series.label}: ${plain ? +value.v.toPrecision(6) : text(value)}`;
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
        const rect = svg("rect", { x: middle - each / 2, y: Math.min(y, zero), width: each, height: Math.abs(zero - y), fill: series.colour });
        scene.inner.append(rect);
        const note = series.roles.annotation;
        scene.notes.append(svg("g", {}, svg("text", { x: middle, y: y - 4, "text-anchor": "middle" }, note === undefined ? "" : text(row[note]))));
        if (known) this.marks.push({ x: middle, y: Math.min(y, zero), base: zero, half: each / 2, row: i, column: series.column, element: rect, text: this.told(scene, i, series) });
      });
    }
    drawPoints(scene, series) {
      const { rows, x, xScale, yScales } = scene;
      const points = rows.map((row, i) => ({ row: i, at: x.bands ? i : row[0].v, value: row[series.column].v }))
        .filter((one) => isNumber(one.at));
      // Of few points in a line each is marked, or a single one would not be seen.
      const dots = series.type === "scatter" || (!series.dash && points.length <= 20);
      let path = "";
      for (const one of points) {
        if (!isNumber(one.value)) {
          path += " ";
          continue;
        }
        const [px, py] = [xScale(one.at), yScales[series.axis](one.value)];
        path += `${path === "" || path.endsWith(" ") ? "M" : "L"}${px.toFixed(1)} ${py.toFixed(1)}`;
        const element = dots ? mark(series, px, py, series.type === "scatter" ? 4 : 3) : svg("circle", { cx: px, cy: py, r: 3, fill: "none" });
        if (dots) scene.inner.append(element);
        if (!series.dash) this.marks.push({ x: px, y: py, row: one.row, column: series.column, element, text: this.told(scene, one.row, series) });
      }
      if (series.type === "line") {
        scene.inner.prepend(svg("path", { d: path, fill: "none", stroke: series.colour, "stroke-width": 2, ...(series.dash ? { "stroke-dasharray": series.dash.join(" ") } : {}) }));
      }
    }
  }

  class LineChart extends ComboChart {}

  class ColumnChart extends ComboChart {
    get seriesType() {
      return "bars";
    }
  }

  // Rows of id, x, y, colour and size.
  class BubbleChart extends AxisChart {
    get seriesType() {
      return "scatter";
    }
    draw(table, options = {}) {
      // As a chart of x and y; the rest decides how a point looks.
      this.source = table;
      const points = new DataView(table);
      points.setColumns(table.columns.length ? [1, 2] : []);
      super.draw(points, { ...options, legend: { position: "none" } });
    }
    drawMarks({ options, xScale, yScales, area, inner }) {
      const { columns, cells } = this.source;
      const side = Math.min(area.right - area.left, area.bottom - area.top);
      if (side <= 0 || !columns.length) return;
      const colour = options.colorAxis || {};
      const size = options.sizeAxis || {};
      const share = (value, axis) => Math.max(0, Math.min(1, (value - (axis.minValue ?? 0)) / ((axis.maxValue ?? 1) - (axis.minValue ?? 0))));
      cells.forEach((row, i) => {
        const [, x, y, shade, weight] = row.map((cell) => cell.v);
        if (!isNumber(x) || !isNumber(y)) return;
        const [px, py] = [xScale(x), yScales[0](y)];
        const least = size.minSize ?? 4;
        const radius = least + share(weight, size) * ((size.maxSize ?? 20) - least);
        const element = svg("circle", { cx: px, cy: py, r: radius, fill: mixed(colour.colors || ["#ffffff", COLOURS[0]], share(shade, colour)), "fill-opacity": 0.85, stroke: "#0a47a4" });
        inner.append(element);
        const told = columns.slice(1).map((column, k) => `${column.label}: ${+Number(row[k + 1].v).toPrecision(4)}`);
        this.marks.push({ x: px, y: py, row: i, column: null, element, stroke: "#0a47a4", text: told.join("\n") });
      });
    }
  }

  function mixed([from, to], share) {
    const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    const [a, b] = [channels(from), channels(to)];
    return `rgb(${a.map((c, i) => Math.round(c + (b[i] - c) * share)).join(",")})`;
  }

  // ---- the table ----------------------------------------------------------------------------

  // What a row is of stays in sight where the table is wider than the window.
  const STICKY = "position:sticky;left:0;background:#f2f2f2";

  // With Google's class names, which TFMA's styles go by.
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
        const chosen = this.selection.some((one) => one.row === +row.dataset.row);
        row.classList.toggle("google-visualization-table-tr-sel", chosen);
        row.setAttribute("aria-selected", chosen);
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
      const shown = this.order.slice(this.page * size, (this.page + 1) * size);
      const body = shown.map((row, i) => this.row(row, i));
      const grid = html("table", { class: "google-visualization-table-table", style: "border-collapse:collapse;min-width:100%" }, [
        html("thead", {}, html("tr", { class: "google-visualization-table-tr-head" }, heads)),
        html("tbody", {}, body),
      ]);
      const root = html("div", { class: "google-visualization-table", style: "overflow-x:auto" }, grid);
      if (pages > 1) root.append(this.pager(pages));
      this.container.replaceChildren(root);
      this.setSelection(this.selection);
    }
    head(column, i) {
      const sorted = this.sorted?.column === i;
      const way = sorted ? (this.sorted.ascending ? "ascending" : "descending") : "none";
      const cell = html("th", { class: `google-visualization-table-th sort-${way}`, "aria-sort": way, scope: "col", tabindex: 0, style: `cursor:pointer;white-space:nowrap;${i ? "" : STICKY}` },
        [column.label || "", html("span", { class: "google-visualization-table-sortind" })]);
      const sort = () => this.sort(i);
      cell.addEventListener("click", sort);
      cell.addEventListener("keydown", (event) => event.key === "Enter" && sort());
      return cell;
    }
    row(row, i) {
      const cells = this.table.columns.map((_, column) => {
        const cell = html("td", { class: "google-visualization-table-td", style: `white-space:nowrap;${column ? "" : STICKY}` });
        const shown = text(this.table.cells[row][column] || { v: "" });
        // TFMA's own renderers give elements; anything else is data, and so text.
        if (this.options.allowHtml && /^<tfma-/.test(shown)) cell.innerHTML = shown;
        else cell.textContent = shown;
        return cell;
      });
      const line = html("tr", { class: i % 2 ? "google-visualization-table-tr-odd" : "google-visualization-table-tr-even", "data-row": row }, cells);
      line.addEventListener("click", () => {
        const again = this.selection.some((one) => one.row === row);
        this.setSelection(again ? [] : [{ row, column: null }]);
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
        const link = html("a", { class: `google-visualization-table-page-number${current ? " current" : ""}`, href: "#", role: "button", style: "margin:2px", "aria-current": current }, String(page + 1));
        link.addEventListener("click", (event) => {
          event.preventDefault();
          this.page = page;
          this.render();
          events.trigger(this, "page", { page });
        });
        return link;
      });
      return html("div", { class: "google-visualization-table-div-page", style: "padding:6px" }, numbers);
    }
  }

  // ---- the wrapper --------------------------------------------------------------------------

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
        if (!Chart) throw new Error(`no stand-in for the chart type ${this.type}`);
        this.chart = new Chart(this.container);
        events.addListener(this.chart, "select", (detail) => events.trigger(this, "select", detail));
      }
      this.chart.draw(this.table, this.options || {});
      events.trigger(this, "ready", {});
    }
  }

  window.google = {
    charts: { load: () => Promise.resolve() },
    visualization: { DataTable, DataView, arrayToDataTable, events, ChartWrapper, ...CHARTS },
  };
})();
