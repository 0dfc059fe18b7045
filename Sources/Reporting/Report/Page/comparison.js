// Several runs: at equal steps, at equal size of the update, and on the map of methods and learning rates.

/** A small chart for each quantity, by step or by size. */
class ComparisonView {
  constructor(host, page) {
    this.page = page;
    this.axis = "steps";
    this.choice = element("div", { class: "segments", role: "group", "aria-label": "What runs are held against one another at" });
    this.charts = element("div", { class: "charts" });
    host.replaceChildren(element("div", { class: "controls" }, this.choice), this.charts);
    this.parts = new Map();
  }

  draw(state) {
    this.state = state;
    const { comparison } = state.model;
    this.choice.hidden = this.charts.hidden = !comparison;
    if (!comparison) return;
    this.drawChoice(comparison);
    for (const quantity of comparison.quantities) this.chart(quantity.key).show(this.content(state, quantity));
  }

  drawChoice(comparison) {
    const choices = [["steps", "at equal steps"], ["norms", comparison.isRelative ? "at equal ‖ΔW‖/‖W₀‖" : "at equal ‖ΔW‖"]];
    this.choice.replaceChildren(
      ...choices.map(([axis, name], index) => {
        const button = element("button", { type: "button", "aria-pressed": String(axis === this.axis) }, name);
        button.addEventListener("click", () => {
          this.axis = axis;
          this.draw(this.state);
          this.choice.children[index].focus();
        });
        return button;
      }),
    );
  }

  chart(key) {
    if (!this.parts.has(key)) this.parts.set(key, new Chart(this.charts, { height: 180 }));
    return this.parts.get(key);
  }

  content({ model, step }, quantity) {
    const isBySize = this.axis === "norms";
    const lines = model.runs.map((run, index) => {
      const axis = model.comparison.runs[index][this.axis];
      const points = axis.map((x, place) => [x, quantity.values[index][place] ?? NaN]).filter(([x]) => Number.isFinite(x) && (!isBySize || x > 0));
      return { name: run.label + (quantity.byConstruction[index] ? "*" : ""), points, tone: run.tone, isDashed: run.isDashed };
    });
    return {
      title: quantity.title, x: isBySize ? { label: model.comparison.isRelative ? "‖ΔW‖/‖W₀‖" : "‖ΔW‖", scale: "log" } : { label: "step" },
      y: { scale: quantity.scale }, lines, cursor: isBySize ? undefined : step, note: lines.some((line) => line.name.endsWith("*")) ? "* by construction of the method" : "",
    };
  }
}

/** What became of a run, as a sign and a tone that need no colour. */
const ENDINGS = {
  clean: { sign: "✓", tone: "good" }, damaged: { sign: "◐", tone: "fair" }, collapsed: { sign: "✕", tone: "bad" }, unlearned: { sign: "○", tone: "plain" },
};

/** Methods against learning rates: a curve for each run, and the border beyond which a method collapses. */
class MapView {
  constructor(host) {
    this.host = host;
  }

  draw({ model }) {
    if (!model.map) return this.host.replaceChildren();
    const { rates, rows } = model.map;
    const head = element("tr", {}, element("td"), ...rates.map((rate) => element("th", { scope: "col" }, tickText(rate))), element("th", { scope: "col" }, "critical rate"));
    const table = element("table", { class: "map" }, element("thead", {}, head), element("tbody", {}, ...rows.map((row) => this.row(row, rates))));
    const used = new Set(rows.flatMap((row) => row.runs.map((run) => run.label)));
    const legend = Object.entries(ENDINGS).filter(([label]) => used.has(label));
    this.host.replaceChildren(
      element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Runs by method and learning rate" }, table),
      element("p", { class: "quiet endings" }, ...legend.map(([label, { sign, tone }]) => element("span", { class: tone }, `${sign} ${label}`))),
    );
  }

  row(row, rates) {
    const border = borderPlace(row.critical, rates);
    const cells = rates.map((rate, index) => {
      const runs = row.runs.filter((run) => run.rate === rate);
      const classes = [index === border ? "border" : "", index >= border ? "beyond" : ""].filter(Boolean).join(" ");
      return element("td", { class: classes || null }, runs.length ? this.curves(runs) : element("span", { class: "quiet" }, "–"), this.endings(runs));
    });
    return element("tr", {}, element("th", { scope: "row" }, row.method), ...cells, element("td", { class: "critical" }, ...this.critical(row)));
  }

  critical({ critical, lowest, highest }) {
    const text = (rate) => (rate.relation === "at" ? brief(rate.rate) : `${rate.relation} ${tickText(rate.rate)}`);
    if (!lowest) return ["–"];
    const range = text(lowest) === text(highest) ? "" : `${text(lowest)} to ${text(highest)}`;
    return [element("b", {}, critical ? text(critical) : "–"), element("small", {}, range)];
  }

  endings(runs) {
    const counts = new Map();
    for (const run of runs) if (run.label) counts.set(run.label, (counts.get(run.label) ?? 0) + 1);
    const finals = runs.map((run) => run.final ?? new Packed(run.curve).at(run.steps.length - 1));
    const signs = [...counts].map(([label, count]) => element("span", { class: ENDINGS[label].tone, title: label }, `${ENDINGS[label].sign}${count > 1 ? ` ${count}` : ""}`));
    return element("div", { class: "ending" }, element("b", {}, runs.length ? brief(quantile(finals, 0.5)) : ""), ...signs);
  }

  curves(runs) {
    const [width, height] = [96, 40];
    const names = runs.map((run) => `${run.name}, ${run.label ?? "no label"}, ends at ${brief(run.final ?? NaN)}`);
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": names.join("; ") });
    svg.append(shape("line", { class: "axis", x1: 0, x2: width, y1: height - 1, y2: height - 1 }), shape("line", { class: "grid", x1: 0, x2: width, y1: 1, y2: 1 }));
    for (const run of runs) {
      const values = new Packed(run.curve);
      const last = run.steps.at(-1) || 1;
      const points = run.steps.map((step, index) => `${((step / last) * width).toFixed(1)},${((1 - Math.min(1, Math.max(0, values.at(index)))) * (height - 2) + 1).toFixed(1)}`);
      svg.append(shape("polyline", { class: `line ${ENDINGS[run.label]?.tone ?? "plain"}`, points: points.join(" ") }));
    }
    return svg;
  }
}

/** The place of the first rate beyond the critical one; none where that is not known, or beyond all of them. */
function borderPlace(critical, rates) {
  if (!critical || critical.relation === "above") return Infinity;
  const place = critical.relation === "below" ? 0 : rates.findIndex((rate) => rate > critical.rate);
  return place < 0 ? Infinity : place;
}
