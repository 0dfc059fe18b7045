// The page as a whole: what is selected, and who draws it.

/** Holds the data and the selection, and has every part drawn. `render` may be called again with new data: the selection stays. */
class Page {
  constructor() {
    const host = (name) => document.querySelector(`[data-view=${name}]`);
    this.selection = { run: 0, metric: "update_velocity", step: null, module: null };
    this.views = [];
    const add = (name, make) => host(name) && this.views.push(make(host(name)));
    add("behaviour", (node) => new BehaviourView(node, this));
    add("modules", (node) => (this.heat = new HeatMapView(node, this)));
    if (this.heat) this.views.push(new ModuleView(this.heat.detail, this));
    add("comparison", (node) => new ComparisonView(node, this));
    add("map", (node) => new MapView(node));
    this.followLinks();
    this.followTheme();
    this.followSize();
    this.followPrint();
  }

  // MARK: Data

  /** Draws new data. What was selected stays selected where it is still there; a page that showed the last checkpoint shows the new last one. */
  render(data) {
    const wasLast = this.model && this.state().place === this.state().run.steps.length - 1;
    this.model = new Model(data);
    if (wasLast) this.selection.step = null;
    if (!this.started) this.selection = { ...this.selection, ...this.opening(), ...readHash() };
    this.started = true;
    this.draw();
  }

  /** What a page shows at first: the run, the metric and the module of the first finding that has them. */
  opening() {
    for (const [index, run] of this.model.runs.entries()) {
      const link = [...document.querySelectorAll("#findings a[data-select]")].map((node) => JSON.parse(node.dataset.select));
      const found = link.find((target) => target.run === index && target.metric && run.has(target.metric));
      if (found) return found;
    }
    return {};
  }

  /** The selection as what it selects, with the nearest thing where it is not there. */
  state() {
    const { model } = this;
    const runIndex = Math.min(this.selection.run, model.runs.length - 1);
    const run = model.runs[Math.max(0, runIndex)];
    if (!run) return { model };
    const offered = model.offered;
    const metric = offered.find((metric) => metric.key === this.selection.metric) ?? offered[0];
    const place = this.selection.step === null ? run.steps.length - 1 : run.place(this.selection.step);
    const module = Math.max(0, run.modules.indexOf(this.selection.module));
    return { model, runIndex, run, metric, place, step: run.steps[place], module };
  }

  draw() {
    const state = this.state();
    for (const view of this.views) if (state.run?.steps.length || view instanceof MapView) view.draw(state);
  }

  // MARK: Selection

  /** Selects a run, a metric, a step (or its place among checkpoints), a module (by its place or name), and says so. */
  select({ run, metric, step, place, module, isOpened }) {
    if (run !== undefined) this.selection.run = run;
    if (metric !== undefined) this.selection.metric = metric;
    if (step !== undefined) this.selection.step = step;
    const { run: chosen } = this.state();
    if (place !== undefined) this.selection.step = chosen.steps[Math.min(chosen.steps.length - 1, Math.max(0, place))];
    if (module !== undefined) this.selection.module = typeof module === "number" ? chosen.modules[module] : module;
    this.draw();
    this.say(isOpened);
    writeHash(this.selection);
  }

  say(isOpened) {
    const { run, metric, place, module } = this.state();
    const value = run.value(metric.key, place, module);
    announce(`${run.modules[module]}, step ${run.steps[place]}: ${metric.title} ${Number.isFinite(value) ? brief(value) + metric.unit : "undefined"}`);
    if (!isOpened) return;
    // On a narrow page the module lies below the grid.
    const detail = this.heat.detail;
    if (detail.getBoundingClientRect().top > innerHeight * 0.8) detail.scrollIntoView({ behavior: motion(), block: "start" });
  }

  /** A finding's link selects what it is about, and goes there. */
  followLinks() {
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-select]");
      if (!link || !this.model) return;
      const target = JSON.parse(link.dataset.select);
      event.preventDefault();
      this.select(target);
      const goal = document.getElementById(target.column ? `behaviour-${target.column}` : link.hash.slice(1)) ?? document.querySelector(link.hash);
      goal.scrollIntoView({ behavior: motion(), block: "start" });
      const focused = goal.querySelector("[tabindex], select, button") ?? goal;
      focused.focus({ preventScroll: true });
    });
    addEventListener("hashchange", () => {
      const found = readHash();
      if (Object.keys(found).length) this.select(found);
    });
  }

  // MARK: Surroundings

  followTheme() {
    const button = document.getElementById("theme");
    const root = document.documentElement;
    const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    const name = () => (button.textContent = isDark() ? "Light" : "Dark");
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      name();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
    name();
  }

  /** Charts have the width of their place, so another width draws them anew. */
  followSize() {
    let width = innerWidth;
    let timer = 0;
    addEventListener("resize", () => {
      if (innerWidth === width) return;
      width = innerWidth;
      clearTimeout(timer);
      timer = setTimeout(() => this.draw(), 120);
    });
  }

  /** On paper nothing can be opened, so everything is. */
  followPrint() {
    let opened = [];
    addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not([open])")];
      for (const part of opened) part.open = true;
    });
    addEventListener("afterprint", () => opened.forEach((part) => (part.open = false)));
  }
}

function motion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
}

/** The selection in the address, so that a link leads back to it. */
function writeHash({ run, metric, step, module }) {
  const parts = Object.entries({ run, metric, step, module }).filter(([, value]) => value !== null && value !== undefined);
  history.replaceState(null, "", `#${parts.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&")}`);
}

function readHash() {
  const found = {};
  for (const part of location.hash.slice(1).split("&")) {
    const [key, value] = part.split("=");
    if (value === undefined) continue;
    if (key === "run" || key === "step") found[key] = Number(value);
    if (key === "metric" || key === "module") found[key] = decodeURIComponent(value);
  }
  return found;
}

const page = new Page();
page.render(JSON.parse(document.getElementById("data").textContent));
