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
    const wasLast = this.model?.runs.length && this.state().place === this.state().run.steps.length - 1;
    this.model = new Model(data);
    if (wasLast) this.selection.step = null;
    if (!this.started) this.selection = { ...this.selection, ...this.opening(), ...readHash() };
    this.started = true;
    this.draw();
  }

  /** What a page shows at first: the run, the metric and the module of the first finding that has them. */
  opening() {
    // The gravest of each run come first, and a run with an alert before one without.
    const links = ["alert", "warning", "info"].flatMap((severity) => [
      ...document.querySelectorAll(`.finding[data-severity=${severity}] > .links a[data-select]`),
    ]);
    const targets = links.map((link) => JSON.parse(link.dataset.select));
    const found = targets.find((target) => target.metric && this.model.runs[target.run]?.has(target.metric));
    return found ? this.target(found) : {};
  }

  /** What a finding's link selects: of a step between checkpoints the next one, as its numbers are of the stretch before it. */
  target(link) {
    const run = this.model.runs[link.run];
    return link.step === undefined || !run?.steps.length ? link : { ...link, step: run.checkpointFrom(link.step) };
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
    // Without a checkpoint there is no module to show, and without a run only the map.
    const hasModules = Boolean(state.run?.steps.length && state.metric);
    document.querySelector("[data-view=modules]").hidden = !hasModules;
    for (const view of this.views) {
      const needsModules = view instanceof HeatMapView || view instanceof ModuleView;
      if (view instanceof MapView || (state.run && (hasModules || !needsModules))) view.draw(state);
    }
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
    if (this.state().metric && chosen.steps.length) this.say(isOpened);
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
      this.select(this.target(target));
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

  /** On paper nothing can be opened, so tables are, and charts have the width of a sheet. What a kind of finding means is long, and stays shut. */
  followPrint() {
    let opened = [];
    const draw = (isPrinting) => {
      document.documentElement.classList.toggle("printing", isPrinting);
      this.draw();
    };
    addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not([open], .about)")];
      for (const part of opened) part.open = true;
      draw(true);
    });
    addEventListener("afterprint", () => {
      for (const part of opened) part.open = false;
      draw(false);
    });
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
    if (key === "metric" || key === "module") found[key] = decoded(value);
  }
  return found;
}

/** A part of an address as text; as it is where it is no such part. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const page = new Page();
// A page that is served live gets new data so.
document.addEventListener("spectroscope-data", (event) => page.render(event.detail));
page.render(JSON.parse(document.getElementById("data").textContent));
