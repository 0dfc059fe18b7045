// How the run behaved: reward and what else its trainer logged, the size of its steps, and the onsets.

/** Columns that are shares of one: drawn from 0 to 1, so that small changes look small. */
const SHARES = new Set(["accuracy", "retention", "frac_reward_zero_std"]);

/** The charts of behaviour, all runs in each. */
class BehaviourView {
  constructor(host, page) {
    this.page = page;
    this.host = element("div", { class: "charts behaviour" });
    host.replaceChildren(this.host);
    this.charts = new Map();
  }

  /** Charts that there is something for, in their order: reward first, then how far a step moves the weights, then the rest. */
  draw({ model, step }) {
    const columns = [];
    for (const run of model.runs) {
      for (const column of run.behaviour.columns) if (!columns.some((own) => own.name === column.name)) columns.push(column);
    }
    const names = columns.map((column) => column.name);
    const order = [...names.slice(0, 1), ...(model.runs.some((run) => run.behaviour.strides) ? ["strides"] : []), ...names.slice(1)];
    this.host.hidden = !order.length;
    order.forEach((name, index) => {
      const chart = this.chart(name, index === 0 && name === "reward");
      const column = columns.find((column) => column.name === name);
      chart.show(column ? this.columnContent(model, column, step) : this.strideContent(model, step));
    });
    for (const [name, chart] of this.charts) if (!order.includes(name)) chart.hide();
  }

  chart(name, isWide) {
    if (!this.charts.has(name)) {
      const chart = new Chart(this.host, { height: isWide ? 260 : 200, isWide });
      chart.node.id = `behaviour-${name}`;
      this.followKeys(chart);
      this.charts.set(name, chart);
    }
    return this.charts.get(name);
  }

  columnContent(model, column, step) {
    const lines = model.runs.flatMap((run) => {
      const own = run.behaviour.columns.find((other) => other.name === column.name);
      if (!own) return [];
      const points = this.points(run.behaviour.steps, own);
      return [{ name: this.lineName(model, run, ""), short: model.runs.length > 1 ? run.label : "", points, tone: run.tone, isDashed: run.isDashed, hasDots: points.length <= 40 }];
    });
    return {
      title: column.title, unit: column.unit, x: { label: "step" }, y: { scale: column.scale }, yDomain: SHARES.has(column.name) ? [0, 1] : undefined, lines,
      marks: this.marks(model, column.name), spans: column.name === "reward" ? this.spans(model) : [], note: column.name === "reward" ? this.lead(model) : "", cursor: step,
      onPick: (x) => this.page.select({ step: x }),
    };
  }

  points(steps, column) {
    const packed = (column.packed ??= new Packed(column));
    return steps.map((step, index) => [step, packed.at(index)]).filter(([, value]) => Number.isFinite(value));
  }

  /** How far a step moves the weights, beside what healthy runs of the method reach and the bound that alerts. */
  strideContent(model, step) {
    const lines = [];
    model.runs.forEach((run) => {
      const strides = run.behaviour.strides;
      if (!strides) return;
      const points = (key) => this.points(strides.steps, strides[key]);
      lines.push({ name: this.lineName(model, run, "size"), short: model.runs.length > 1 ? run.label : "", points: points("size"), tone: run.tone });
      const bound = points("bound");
      if (bound.length) {
        lines.push({ name: model.runs.length > 1 ? `bound, ${run.label}` : "bound", points: bound, tone: run.tone, isDashed: true, isRead: false });
      }
    });
    return {
      title: "size of a step", unit: "‖δW‖/‖W₀‖ over modules in quadrature", x: { label: "step" }, y: { scale: "log" }, lines,
      marks: this.marks(model, "strides"), cursor: step, onPick: (x) => this.page.select({ step: x }),
      note: lines.some((line) => line.isDashed)
        ? "Dashed: the bound between healthy and collapsed laboratory runs of the method. A step beyond it alerts where its effect on singular values is too large, too."
        : "No bound is calibrated for such a run.",
    };
  }

  lineName(model, run, title) {
    return model.runs.length > 1 ? run.label : title;
  }

  /** The onsets that belong to a chart; in that of the reward also when the weights spoke. */
  marks(model, column) {
    return model.runs.flatMap((run) => {
      const { onsets, spectral, reward } = run.behaviour;
      const marks = onsets
        .filter((onset) => onset.column === column && onset.severity !== "info")
        .map((onset) => ({ x: onset.step, name: onset.code, tone: run.tone }));
      const has = (step) => marks.some((mark) => mark.x === step);
      if (column === "reward" && spectral !== null && !has(spectral)) marks.push({ x: spectral, name: "weights", tone: run.tone });
      if (column === "reward" && reward !== null && !has(reward)) marks.push({ x: reward, name: "reward falls", tone: run.tone });
      return joined(marks, model.runs.length > 1 ? ` ${run.label}` : "");
    });
  }

  /** From the step at which the weights spoke to the one at which the reward fell. */
  spans(model) {
    return model.runs.flatMap(({ behaviour: { spectral, reward }, tone }) => {
      if (spectral === null || reward === null || reward <= spectral) return [];
      return [{ from: spectral, to: reward, name: `${reward - spectral} step${reward - spectral === 1 ? "" : "s"}`, tone }];
    });
  }

  lead(model) {
    return model.runs
      .filter((run) => run.behaviour.lead)
      .map((run) => (model.runs.length > 1 ? `${run.label}: ${run.behaviour.lead}` : run.behaviour.lead))
      .join(" ");
  }

  /** Arrow keys move the cursor of a chart, and the numbers there are said. */
  followKeys(chart) {
    chart.plot.tabIndex = 0;
    chart.plot.setAttribute("role", "group");
    chart.plot.setAttribute("aria-label", "Chart; left and right arrows read its numbers, Enter goes to the checkpoint");
    chart.plot.addEventListener("keydown", (event) => {
      const steps = [...new Set(chart.content.lines.flatMap((line) => line.points.map((point) => point[0])))].sort((a, b) => a - b);
      const now = chart.keyStep ?? chart.content.cursor ?? steps[0];
      let place = steps.indexOf(nearest(steps.map((step) => [step, 0]), now)?.[0]);
      if (event.key === "Enter") return this.page.select({ step: steps[place] });
      const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -steps.length, End: steps.length };
      if (!(event.key in moves)) return;
      event.preventDefault();
      place = Math.min(steps.length - 1, Math.max(0, place + moves[event.key]));
      chart.keyStep = steps[place];
      chart.drawCursor(chart.keyStep);
      announce(`Step ${chart.keyStep}: ${chart.readout.innerText.replace(/\n/g, ", ")}`);
    });
    chart.plot.addEventListener("blur", () => {
      chart.keyStep = undefined;
      if (chart.content) chart.drawCursor(chart.content.cursor);
    });
  }
}

/** Marks with those of one step as one, and something behind each name. */
function joined(marks, suffix) {
  const steps = [...new Set(marks.map((mark) => mark.x))];
  return steps.map((step) => {
    const own = marks.filter((mark) => mark.x === step);
    return { ...own[0], name: own.map((mark) => mark.name).join(", ") + suffix };
  });
}
