// One module: its spectrum, its shape beside chance, its place against W₀, its size beside rounding, its speed.

/** The charts of the chosen module. */
class ModuleView {
  constructor(host, page) {
    this.page = page;
    this.host = host;
    this.title = element("h3", { class: "name", tabindex: -1 });
    this.facts = element("p", { class: "quiet" });
    this.charts = element("div", { class: "charts" });
    host.replaceChildren(this.title, this.facts, this.charts);
    const names = ["spectrum", "rank", "profile", "energy", "alignment", "rotation", "size", "velocity"];
    this.parts = Object.fromEntries(names.map((name) => [name, name === "profile" ? new ProfileChart(this.charts) : new Chart(this.charts)]));
    for (const [name, part] of Object.entries(this.parts)) part.node.id = `module-${name}`;
  }

  draw(state) {
    const { run, module } = state;
    this.title.textContent = run.modules[module] ?? "no module";
    this.facts.textContent = this.describe(state);
    const contents = {
      spectrum: this.spectrum(state), rank: this.rank(state), profile: this.profile(state), energy: this.energy(state),
      alignment: this.alignment(state), rotation: this.rotation(state), size: this.size(state), velocity: this.velocity(state),
    };
    for (const [name, content] of Object.entries(contents)) {
      if (content) this.parts[name].show({ x: { label: "step" }, cursor: state.step, onPick: (x) => this.page.select({ step: x }), ...content });
      else this.parts[name].hide();
    }
  }

  describe({ run, module, place }) {
    const value = (key) => run.value(key, place, module);
    const parts = [];
    if (Number.isFinite(value("rows"))) parts.push(`${value("rows")} × ${value("columns")}`);
    if (Number.isFinite(value("rank"))) parts.push(`rank ${value("rank")}`);
    if (Number.isFinite(value("k"))) parts.push(`held against W₀'s first and last k = ${value("k")} directions`);
    return parts.join(" · ");
  }

  /** A line of a metric; null where the module has no number of it. */
  line(run, key, module, extra) {
    if (!run.has(key)) return null;
    const points = run.series(key, module);
    return points.some(([, value]) => Number.isFinite(value)) ? { points, hasDots: points.length <= 30, ...extra } : null;
  }

  lines(...lines) {
    return lines.filter(Boolean);
  }

  // MARK: Spectrum and shape

  spectrum({ run, module }) {
    if (!run.spectra) return null;
    const values = run.steps.map((_, place) => run.singularValues(place, module));
    const count = Math.max(...values.map((row) => row.filter((value) => value > 0).length));
    if (!count) return null;
    const lines = [];
    for (let index = count - 1; index >= 0; index--) {
      const isNamed = index === 0 || index === count - 1;
      const name = `τ${subscript(run.spectra.indices[index] + 1)}`;
      const fade = Math.min(7, Math.floor((8 * index) / Math.max(1, count)));
      lines.push({ name, isNamed, isRead: isNamed, points: run.steps.map((step, place) => [step, values[place][index]]), tone: `fade${fade}` });
    }
    const left = run.spectra.count - run.spectra.indices.length;
    return {
      title: "Singular values of ΔW", y: { scale: "log" }, lines,
      note: left > 0 ? `${run.spectra.indices.length} of ${run.spectra.count} are drawn, ever fewer towards the last.` : "",
    };
  }

  rank({ run, module }) {
    const measures = [["effective_rank", "effective", "s0"], ["stable_rank", "stable", "s1"]];
    const lines = this.lines(...measures.map(([key, name, tone]) => this.line(run, key, module, { name, tone })));
    if (!lines.length) return null;
    const ends = [run.steps[0], run.steps.at(-1)];
    const bands = measures.flatMap(([key, , tone]) => {
      const band = run.band(key, module);
      return band && run.has(key) ? [{ points: ends.map((x) => [x, ...band]), tone }] : [];
    });
    const most = run.value("numerical_rank", run.steps.length - 1, module);
    return {
      title: "Effective and stable rank", y: {}, lines, bands, levels: Number.isFinite(most) && bands.length ? [{ y: most, name: "numerical rank" }] : [],
      note: bands.length
        ? "Bands: what random factors of this shape and rank give. A low level alone is normal; look at falls against the run's own past."
        : "No band: for an update of this shape and rank chance was not drawn.",
    };
  }

  // MARK: Against W₀

  profile({ run, module, place, step }) {
    const sides = [["left", "output side"], ["right", "input side"]].map(([side, name]) => ({ name, bins: run.profile(side, place, module) }));
    if (!sides[0].bins || !sides.some((side) => side.bins.some((bin) => Number.isFinite(bin.share)))) return null;
    return {
      title: "Energy along W₀'s spectrum", unit: `share of ‖ΔW‖² at step ${step}`, sides,
      note: "Ten bins of W₀'s components, leading ones first, and what lies outside its range. Lines: chance, given what the method can reach.",
    };
  }

  energy({ run, module }) {
    const lines = this.lines(
      this.line(run, "left_enrichment_top", module, { name: "leading, output", tone: "s0" }),
      this.line(run, "right_enrichment_top", module, { name: "leading, input", tone: "s0", isDashed: true }),
      this.line(run, "left_enrichment_bottom", module, { name: "trailing, output", tone: "s1" }),
      this.line(run, "right_enrichment_bottom", module, { name: "trailing, input", tone: "s1", isDashed: true }),
    );
    if (!lines.length) return null;
    return {
      title: "Energy in W₀'s k directions", unit: "÷ chance", y: { scale: "log" }, lines, levels: [{ y: 1, name: "chance" }],
      note: "PiSSA begins in the leading directions and MiLoRA in the trailing ones: there a high level is their construction.",
    };
  }

  alignment({ run, module }) {
    const lines = this.lines(
      this.line(run, "left_angle_mean", module, { name: "output side", tone: "s0" }),
      this.line(run, "right_angle_mean", module, { name: "input side", tone: "s1" }),
    );
    if (!lines.length) return null;
    const bands = [["left", "s0"], ["right", "s1"]].flatMap(([side, tone]) => {
      if (!run.has(`${side}_angle_min`) || !run.has(`${side}_angle_max`)) return [];
      const highest = run.series(`${side}_angle_max`, module);
      return [{ tone, points: run.series(`${side}_angle_min`, module).map(([x, low], index) => [x, low, highest[index][1]]) }];
    });
    const levels = this.chanceAngles(run, module);
    const error = Math.max(...shown(run.series("alignment_error", module).map((point) => point[1])), 0);
    return {
      title: "Alignment with W₀", unit: "principal angles, °", y: {}, yDomain: [0, 90], lines, bands, levels,
      note: `Mean angle between ΔW's leading directions and W₀'s, and the range from the smallest to the largest. Numerical error: at most ${brief(error)}°; an angle below it is missing.`,
    };
  }

  /** The angle whose cos² is what chance gives, on either side. */
  chanceAngles(run, module) {
    return [["left", "output", "s0"], ["right", "input", "s1"]].flatMap(([side, name, tone]) => {
      const share = run.value(`${side}_null_top`, run.steps.length - 1, module);
      if (!Number.isFinite(share)) return [];
      return [{ y: (Math.acos(Math.sqrt(Math.min(1, share))) * 180) / Math.PI, name: `chance, ${name}`, tone, isInside: false }];
    });
  }

  rotation({ run, module }) {
    const lines = this.lines(
      this.line(run, "left_rotation_max", module, { name: "output side", tone: "s0" }),
      this.line(run, "right_rotation_max", module, { name: "input side", tone: "s1" }),
      this.line(run, "rotation_bound", module, { name: "bound", tone: "plain", isDashed: true }),
      this.line(run, "rotation_error", module, { name: "error", tone: "plain", isDashed: true, isRead: false }),
    );
    if (!lines.length || !lines.some((line) => line.tone !== "plain")) return null;
    return {
      title: "Rotation of W₀'s leading directions", unit: "largest angle, °", y: { scale: "log" }, lines, ...this.unboundedPart(run, module),
    };
  }

  /** From where on nothing bounds the rotation: τ₁ is half of the gap or more, and the directions mean nothing. */
  unboundedPart(run, module) {
    const ratios = run.has("gap_ratio") ? run.series("gap_ratio", module) : [];
    const first = ratios.find(([, ratio]) => ratio >= 0.5);
    if (!first) return { note: "Bound: asin(ρ/(1 − ρ)), the most that an update of this size can turn them (Wedin). Below the error nothing is measured." };
    return {
      marks: [{ x: first[0], name: "no bound", tone: "plain" }],
      note: `From step ${first[0]} on the update is half of W₀'s gap or more (ρ = ${brief(first[1])}): nothing bounds the angle any more, and single directions mean little.`,
    };
  }

  // MARK: Size and speed

  size({ run, module }) {
    const lines = this.lines(
      this.line(run, "relative_norm", module, { name: "‖ΔW‖/‖W₀‖", tone: "s0" }),
      this.line(run, "spectral_shift", module, { name: "shift", tone: "s2" }),
      this.line(run, "rounding_floor", module, { name: "rounding", tone: "plain", isDashed: true, isRead: false }),
      this.line(run, "residual_rounding", module, { name: "residual", tone: "s1", isDashed: true, isRead: false }),
    );
    if (!lines.some((line) => line.tone === "s0")) return null;
    return {
      title: "Size against rounding", y: { scale: "log" }, lines,
      note: "Rounding: what storing the numbers does to the update. Near it, shape and angles are noise.",
    };
  }

  /** The module's velocity, beside the middle half of all modules. */
  velocity({ run, module }) {
    const lines = this.lines(
      this.line(run, "update_velocity", module, { name: "velocity", tone: "s0" }),
      this.line(run, "shift_velocity", module, { name: "of the spectrum", tone: "s2" }),
    );
    if (!lines.length) return null;
    const band = run.steps.map((step, place) => {
      const values = run.modules.map((_, other) => run.value("update_velocity", place, other));
      return [step, quantile(values, 0.25), quantile(values, 0.75)];
    });
    return {
      title: "Velocity", unit: "per step", y: { scale: "log" }, lines, bands: run.modules.length > 3 ? [{ points: band, tone: "s0" }] : [],
      note: run.modules.length > 3 ? "Band: the middle half of all modules." : "",
    };
  }
}

/** Digits as subscripts. */
function subscript(number) {
  return String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
}

/** Bars of the energy in each bin of W₀'s components, one row of bars a side, with a line at what chance gives. */
class ProfileChart extends Chart {
  draw() {
    const { sides } = this.content;
    const width = Math.max(220, Math.floor(this.plot.clientWidth || 320));
    const svg = shape("svg", { viewBox: `0 0 ${width} ${this.height}`, width, height: this.height, role: "img", "aria-label": this.description() });
    const rows = sides.filter((side) => side.bins?.some((bin) => Number.isFinite(bin.share)));
    const height = (this.height - 34) / Math.max(1, rows.length);
    const most = Math.max(...rows.flatMap((side) => side.bins.flatMap((bin) => [bin.share, bin.chance]).filter(Number.isFinite)), 0.01);
    rows.forEach((side, index) => svg.append(...this.bars(side, most, { width, top: 4 + index * height, height: height - 8, tone: `s${index}` })));
    svg.append(...this.binNames(width));
    this.plot.replaceChildren(svg);
    this.readout.replaceChildren();
  }

  place(width, bin) {
    const size = (width - MARGIN.left - MARGIN.right) / 11.4;
    return { x: MARGIN.left + size * (bin + (bin === 10 ? 0.4 : 0)), size };
  }

  bars({ name, bins }, most, { width, top, height, tone }) {
    const y = (share) => top + height * (1 - share / (most * 1.08));
    const parts = [
      shape("text", { class: `linename end ${tone}`, x: this.place(width, 9).x + this.place(width, 9).size, y: top + 11 }, name),
      shape("text", { class: "tick end", x: MARGIN.left - 6, y: y(most) + 4 }, tickText(Number(most.toPrecision(2)))),
      shape("text", { class: "tick end", x: MARGIN.left - 6, y: top + height + 1 }, "0"),
      shape("line", { class: "axis", x1: MARGIN.left, x2: width - MARGIN.right, y1: top + height, y2: top + height }),
    ];
    bins.forEach((bin, index) => {
      const { x, size } = this.place(width, index);
      if (Number.isFinite(bin.share)) {
        const bar = shape("rect", { class: `bar ${tone}`, x: x + 1, width: size - 2, y: y(bin.share), height: Math.max(0, top + height - y(bin.share)) });
        bar.append(shape("title", {}, `${brief(bin.share)}, chance ${brief(bin.chance)}`));
        parts.push(bar);
      }
      if (Number.isFinite(bin.chance)) parts.push(shape("line", { class: "chance", x1: x, x2: x + size, y1: y(bin.chance), y2: y(bin.chance) }));
    });
    return parts;
  }

  binNames(width) {
    const names = [[0, "leading"], [9, "trailing"], [10, "outside"]];
    return names.map(([bin, name]) => {
      const { x, size } = this.place(width, bin);
      const anchor = bin === 0 ? "" : bin === 9 ? " end" : " middle";
      const at = bin === 0 ? x + 2 : bin === 9 ? x + size - 2 : x + size / 2;
      return shape("text", { class: `tick${anchor}`, x: at, y: this.height - 14 }, name);
    });
  }

  drawCursor() {}

  follow() {}

  description() {
    const { title, unit, sides } = this.content;
    const parts = sides.filter((side) => side.bins).map((side) => {
      const text = side.bins.map((bin, index) => `${index === 10 ? "null space" : `bin ${index + 1}`} ${brief(bin.share)}, chance ${brief(bin.chance)}`);
      return `${side.name}: ${text.join("; ")}`;
    });
    return [title, unit, ...parts].join(". ");
  }
}
