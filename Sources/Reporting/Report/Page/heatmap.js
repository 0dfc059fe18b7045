// Every module at once: a grid of layers and projections, coloured by a metric at a checkpoint.

/** The controls, the grid with its scale, and every module's line over the steps. */
class HeatMapView {
  constructor(host, page) {
    this.page = page;
    this.controls = element("div", { class: "controls" });
    this.legend = element("div", { class: "legend" });
    this.scroll = element("div", { class: "gridscroll" });
    const left = element("div", { class: "heat" }, this.legend, this.scroll);
    this.overview = new Chart(left, { height: 210 });
    this.ranking = new RankingTable(left, page);
    this.detail = element("div", { class: "detail", id: "module", role: "region", "aria-label": "The chosen module" });
    host.replaceChildren(this.controls, element("div", { class: "split" }, left, this.detail));
    this.buildControls();
  }

  // MARK: Controls

  buildControls() {
    this.runs = element("div", { class: "segments", role: "group", "aria-label": "Run" });
    this.metric = element("select", { id: "metric" });
    this.metric.addEventListener("change", () => this.page.select({ metric: this.metric.value }));
    this.slider = element("input", { type: "range", min: 0, step: 1, id: "step" });
    this.slider.addEventListener("input", () => this.page.select({ place: Number(this.slider.value) }));
    this.stepText = element("output", { for: "step", id: "steptext" });
    this.ticks = element("div", { class: "onsets", "aria-hidden": "true" });
    const move = (by, name, sign) => {
      const button = element("button", { type: "button", "aria-label": name }, sign);
      button.addEventListener("click", () => this.page.select({ place: Number(this.slider.value) + by }));
      return button;
    };
    this.controls.append(
      this.runs,
      element("label", { class: "field" }, element("span", {}, "Metric"), this.metric),
      element(
        "div", { class: "field steps" },
        element("label", { for: "step" }, "Checkpoint"),
        element("div", { class: "slide" }, move(-1, "Checkpoint before", "‹"), element("div", { class: "track" }, this.slider, this.ticks), move(1, "Next checkpoint", "›"), this.stepText),
      ),
    );
  }

  draw(state) {
    this.drawControls(state);
    this.drawGrid(state);
    this.drawLegend(state);
    this.drawOverview(state);
    this.ranking.draw(state);
  }

  drawControls({ model, run, runIndex, metric, place }) {
    this.runs.hidden = model.runs.length < 2;
    this.runs.replaceChildren(
      ...model.runs.map((other, index) => {
        const button = element("button", { type: "button", "aria-pressed": String(index === runIndex), class: other.tone }, other.label);
        button.addEventListener("click", () => {
          this.page.select({ run: index });
          this.runs.children[index].focus();
        });
        return button;
      }),
    );
    const keys = model.offered.map((other) => other.key).join();
    if (this.keys !== keys) this.fillMetrics(model);
    this.keys = keys;
    this.metric.value = metric.key;
    this.slider.max = run.steps.length - 1;
    this.slider.value = place;
    this.slider.setAttribute("aria-valuetext", `step ${run.steps[place]}`);
    this.stepText.textContent = `step ${run.steps[place]}`;
    this.drawOnsets(run);
  }

  fillMetrics(model) {
    const groups = new Map();
    for (const metric of model.offered) {
      if (!groups.has(metric.group)) groups.set(metric.group, element("optgroup", { label: metric.group }));
      groups.get(metric.group).append(element("option", { value: metric.key }, metric.title));
    }
    this.metric.replaceChildren(...groups.values());
  }

  /** Where along the slider the findings begin. */
  drawOnsets(run) {
    const last = run.steps.length - 1;
    const marks = run.behaviour.onsets.filter((onset) => onset.severity !== "info" && last > 0);
    this.ticks.replaceChildren(
      ...marks.map((onset) => {
        const mark = element("i", { class: onset.severity, title: `${onset.code} at step ${onset.step}` });
        mark.style.left = `${(100 * run.place(onset.step)) / last}%`;
        return mark;
      }),
    );
  }

  // MARK: Grid

  /** The grid is built anew for another run, and else coloured anew, so that the focus stays where it is. */
  drawGrid(state) {
    const { run } = state;
    if (this.gridOf !== run) this.buildGrid(run);
    // Below a small grid there is room for the table.
    if (this.gridOf === undefined && run.modules.length <= 40) this.ranking.node.open = true;
    this.gridOf = run;
    const colour = this.colouring(state);
    this.grid.setAttribute("aria-label", `${state.metric.group}: ${state.metric.title} at step ${run.steps[state.place]}, by layer and projection`);
    for (const [module, cell] of this.cells) this.paint(cell, run, module, state, colour);
    const chosen = this.cells.get(state.module) ?? this.cells.values().next().value;
    this.rove(this.cells.get(this.focused) ?? chosen);
  }

  buildGrid(run) {
    const { columns, rows } = run.data.grid;
    this.cells = new Map();
    this.focused = undefined;
    const head = element("tr", {}, element("th", { scope: "col", class: "layer" }, "layer"), ...columns.map((name) => element("th", { scope: "col" }, element("span", {}, name))));
    this.grid = element("table", { role: "grid", class: columns.length > 8 ? "grid many" : "grid" }, element("thead", {}, head), element("tbody", {}, ...rows.map((row) => this.gridRow(row))));
    this.grid.addEventListener("keydown", (event) => this.moveFocus(event));
    this.scroll.replaceChildren(this.grid);
  }

  gridRow({ layer, cells }) {
    const parts = cells.map((module) => {
      if (module === null) return element("td", { class: "none", "aria-hidden": "true" });
      const cell = element("td", { role: "gridcell", tabindex: -1, "data-module": module });
      cell.addEventListener("click", () => this.page.select({ module, isOpened: true }));
      this.cells.set(module, cell);
      return cell;
    });
    return element("tr", {}, element("th", { scope: "row", class: "layer" }, layer ?? "–"), ...parts);
  }

  paint(cell, run, module, state, colour) {
    const value = run.value(state.metric.key, state.place, module);
    const { share, side } = colour(value);
    cell.textContent = tiny(value);
    cell.classList.toggle("missing", !Number.isFinite(value));
    cell.classList.toggle("strong", share > 0.55);
    cell.classList.toggle("below", side < 0);
    cell.classList.toggle("above", side > 0);
    cell.style.setProperty("--v", Number.isFinite(share) ? share.toFixed(3) : "0");
    cell.setAttribute("aria-selected", String(module === state.module));
    cell.setAttribute("aria-label", `${run.modules[module]}: ${Number.isFinite(value) ? brief(value) + state.metric.unit : "undefined"}`);
    cell.title = `${run.modules[module]}: ${brief(value)}${state.metric.unit}`;
  }

  /** How much colour a number has, from 0 to 1, and on which side of the middle; the same in all runs and at all steps. */
  colouring({ model, metric }) {
    const [low, high] = model.range(metric.key);
    const isLog = metric.scale === "log";
    const place = (value) => (isLog ? Math.log(value) : value);
    if (metric.middle !== null) {
      const middle = place(metric.middle);
      const reach = Math.max(Math.abs(place(high) - middle), Math.abs(place(low) - middle)) || 1;
      return (value) => ({ share: Math.min(1, Math.abs(place(value) - middle) / reach), side: Math.sign(place(value) - middle) });
    }
    const width = place(high) - place(low) || 1;
    return (value) => ({ share: value === 0 && isLog ? 0 : Math.min(1, Math.max(0, (place(value) - place(low)) / width)), side: 0 });
  }

  // MARK: Keys

  /** Of all cells one can be reached with Tab; arrows go on from it. */
  rove(cell) {
    for (const other of this.cells.values()) other.tabIndex = -1;
    if (cell) cell.tabIndex = 0;
  }

  moveFocus(event) {
    const cell = event.target.closest("[role=gridcell]");
    if (!cell) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      return this.page.select({ module: Number(cell.dataset.module), isOpened: true });
    }
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    let next = null;
    if (event.key in moves) next = this.neighbour(cell, ...moves[event.key]);
    if (event.key === "Home") next = cell.parentNode.querySelector("[role=gridcell]");
    if (event.key === "End") next = [...cell.parentNode.querySelectorAll("[role=gridcell]")].at(-1);
    if (event.key in moves || event.key === "Home" || event.key === "End") event.preventDefault();
    if (!next) return;
    this.focused = Number(next.dataset.module);
    this.rove(next);
    next.focus();
  }

  /** The next cell with a module in a direction; null at the border. */
  neighbour(cell, down, right) {
    let [row, column] = [cell.parentNode, cell.cellIndex];
    for (;;) {
      if (down) row = down > 0 ? row.nextElementSibling : row.previousElementSibling;
      column += right;
      const next = row?.cells[column];
      if (!next || next.tagName !== "TD") return null;
      if (next.dataset.module !== undefined) return next;
    }
  }

  // MARK: Scale and lines

  drawLegend(state) {
    const { model, metric, run } = state;
    const [low, high] = model.range(metric.key);
    const colour = this.colouring(state);
    const count = 48;
    const at = (share) => (metric.scale === "log" ? low * (high / low) ** share : low + share * (high - low));
    const ramp = element("span", { class: "ramp", "aria-hidden": "true" });
    for (let index = 0; index < count; index++) {
      const { share, side } = colour(at(index / (count - 1)));
      const part = element("i", { class: side < 0 ? "below" : side > 0 ? "above" : "" });
      part.style.setProperty("--v", share.toFixed(3));
      ramp.append(part);
    }
    const scale = `${metric.scale === "log" ? "log scale" : "linear"}, all steps${model.runs.length > 1 ? " and runs" : ""}`;
    const parts = Number.isFinite(low) && high > low ? [element("span", {}, brief(low) + metric.unit), ramp, element("span", {}, brief(high) + metric.unit)] : [];
    this.legend.replaceChildren(
      element("strong", {}, metric.title + (model.runs.length > 1 ? `, ${run.label}` : "")), element("span", { class: "quiet" }, metric.group),
      element("span", { class: "bar" }, ...parts), element("span", { class: "quiet" }, run.has(metric.key) ? scale : "not computed for this run"),
    );
  }

  drawOverview({ run, metric, module, step }) {
    if (!run.has(metric.key)) return this.overview.hide();
    const others = run.modules.map((_, index) => index).filter((index) => index !== module);
    const lines = others.map((index) => ({ points: run.series(metric.key, index), tone: "faint", isRead: false }));
    lines.push({ name: "this module", points: run.series(metric.key, module), tone: "chosen" });
    this.overview.show({
      title: "All modules over the steps", unit: `${metric.title}${metric.unit ? `, ${metric.unit}` : ""}`, x: { label: "step" },
      y: { scale: metric.scale }, lines, levels: metric.middle === 1 ? [{ y: 1, name: "chance" }] : [], cursor: step,
      onPick: (x) => this.page.select({ step: x }),
    });
  }
}

/** The same numbers as a table, the largest first: for those who read rather than look. */
class RankingTable {
  constructor(parent, page) {
    this.page = page;
    this.summary = element("summary");
    this.body = element("tbody");
    this.head = element("tr");
    const table = element("table", {}, element("thead", {}, this.head), this.body);
    this.node = element("details", { class: "numbers ranking" }, this.summary, element("div", { class: "scroll" }, table));
    this.node.addEventListener("toggle", () => this.node.open && this.state && this.draw(this.state));
    parent.append(this.node);
  }

  draw(state) {
    this.state = state;
    const { run, metric, place } = state;
    this.summary.textContent = `All modules by ${metric.title} at step ${run.steps[place]}`;
    if (!this.node.open) return;
    const titles = ["module", metric.title + (metric.unit ? ` (${metric.unit})` : ""), ...(metric.reference ? [metric.referenceTitle] : [])];
    this.head.replaceChildren(...titles.map((title) => element("th", { scope: "col" }, title)));
    const value = (module) => run.value(metric.key, place, module);
    const order = run.modules.map((_, module) => module).sort((a, b) => (Number.isFinite(value(b)) ? value(b) : -Infinity) - (Number.isFinite(value(a)) ? value(a) : -Infinity) || a - b);
    this.body.replaceChildren(...order.map((module) => this.row(state, module, value(module))));
  }

  row({ run, metric, place, module: chosen }, module, value) {
    const button = element("button", { type: "button", class: "plainlink name", "aria-current": module === chosen ? "true" : null }, run.modules[module]);
    button.addEventListener("click", () => this.page.select({ module, isOpened: true }));
    const beside = metric.reference ? [element("td", {}, brief(run.value(metric.reference, place, module)))] : [];
    return element("tr", {}, element("th", { scope: "row" }, button), element("td", {}, brief(value)), ...beside);
  }
}
