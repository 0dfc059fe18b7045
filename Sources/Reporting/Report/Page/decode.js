// Packed numbers, and the runs that are made of them.

/** The code of a number that is undefined or was not computed; see PackedArray.swift. */
const MISSING = 65535;
/** The last code of the range of numbers; the first is 1. */
const LAST_CODE = 65534;

/** 16-bit codes in Base64 with their range. They are decoded when the first of them is asked for. */
class Packed {
  constructor({ scale, low, high, data }) {
    Object.assign(this, { scale, low, high, data });
    this.codes = null;
  }

  get length() {
    return this.decoded().length;
  }

  /** The number at a place; NaN where there is none. */
  at(index) {
    const code = this.decoded()[index];
    if (code === undefined || code === MISSING) return NaN;
    if (this.scale === "log" && code === 0) return 0;
    const share = (code - 1) / (LAST_CODE - 1);
    return this.scale === "log"
      ? this.low * (this.high / this.low) ** share
      : this.low + share * (this.high - this.low);
  }

  all() {
    return Array.from({ length: this.length }, (_, index) => this.at(index));
  }

  decoded() {
    if (!this.codes) {
      const bytes = atob(this.data);
      this.codes = new Uint16Array(bytes.length / 2);
      for (let i = 0; i < this.codes.length; i++) {
        this.codes[i] = bytes.charCodeAt(2 * i) | (bytes.charCodeAt(2 * i + 1) << 8);
      }
    }
    return this.codes;
  }
}

/** One run: its checkpoints, its modules, and every number of a module at a checkpoint. */
class Run {
  /** @param counts the keys of metrics that are whole numbers, which packing may have moved a little. */
  constructor(data, counts) {
    this.data = data;
    this.name = data.name;
    this.steps = data.steps;
    this.modules = data.modules;
    this.metrics = new Map(
      Object.entries(data.metrics).map(([key, packed]) => [
        key, { packed: new Packed(packed), isFixed: Boolean(packed.isFixed), isCount: counts.has(key) },
      ]),
    );
    this.spectra = data.spectra && { ...data.spectra, packed: new Packed(data.spectra) };
    this.behaviour = data.behaviour;
  }

  has(key) {
    return this.metrics.has(key);
  }

  /** The number of a module at the checkpoint of a place; NaN where it is undefined. */
  value(key, step, module) {
    const metric = this.metrics.get(key);
    if (!metric) return NaN;
    const value = metric.packed.at(metric.isFixed ? module : step * this.modules.length + module);
    return metric.isCount ? Math.round(value) : value;
  }

  /** A module's numbers over the checkpoints, as points. */
  series(key, module) {
    return this.steps.map((step, index) => [step, this.value(key, index, module)]);
  }

  /** The singular values that are shown of a module at a checkpoint, from the largest. */
  singularValues(step, module) {
    const width = this.spectra.indices.length;
    const start = (step * this.modules.length + module) * width;
    return this.spectra.indices.map((_, index) => this.spectra.packed.at(start + index));
  }

  /** The energy of a module's update by bins of W₀'s components: shares at a checkpoint, and what chance gives. */
  profile(side, step, module) {
    const profiles = this.data.profiles;
    if (!profiles) return null;
    this.unpackedProfiles ??= {};
    const of = (name) => (this.unpackedProfiles[name] ??= new Packed(profiles[name]));
    const bins = Array.from({ length: 11 }, (_, bin) => bin);
    return bins.map((bin) => ({
      share: of(side).at((step * this.modules.length + module) * 11 + bin),
      chance: of(`${side}Null`).at(module * 11 + bin),
    }));
  }

  /** What chance makes of a rank measure of a module, as [lowest, highest]; undefined where it was not drawn. */
  band(key, module) {
    const place = this.data.bands.ofModule[module];
    return place === null ? undefined : this.data.bands.bands[place][key];
  }

  /** The first checkpoint at or behind a step, which shows what happened by then; the last where there is none. */
  checkpointFrom(step) {
    return this.steps.find((own) => own >= step) ?? this.steps.at(-1);
  }

  /** The place of the last checkpoint at or before a step, or of the first. */
  place(step) {
    let place = 0;
    this.steps.forEach((own, index) => {
      if (own <= step) place = index;
    });
    return place;
  }
}

/** All that a page shows. */
class Model {
  constructor(data) {
    const counts = new Set(data.metrics.filter((metric) => metric.isCount).map((metric) => metric.key));
    this.runs = data.runs.map((run) => new Run(run, counts));
    labelled(this.runs);
    this.metrics = data.metrics;
    this.byKey = new Map(data.metrics.map((metric) => [metric.key, metric]));
    this.comparison = data.comparison;
    this.map = data.map;
  }

  /** The metrics that any run has, for choosing one. */
  get offered() {
    return this.metrics.filter((metric) => metric.isOffered && this.runs.some((run) => run.has(metric.key)));
  }

  /** The smallest and largest number of a metric in all runs, so that one colour means one number everywhere. */
  range(key) {
    const packed = this.runs.filter((run) => run.has(key)).map((run) => run.metrics.get(key).packed);
    const known = packed.filter((part) => part.high > 0 || part.scale === "linear");
    return [Math.min(...known.map((part) => part.low)), Math.max(...known.map((part) => part.high))];
  }
}

/** Gives each run a short name for the ends of lines: its own without the parts that all have in common, and a tone. */
function labelled(runs) {
  const parts = runs.map((run) => run.name.split("-"));
  const isCommon = (at) => runs.length > 1 && parts.every((own) => own.length > 1 && own.at(at) === parts[0].at(at));
  while (isCommon(0)) parts.forEach((own) => own.shift());
  while (isCommon(-1)) parts.forEach((own) => own.pop());
  const names = parts.map((own) => own.join("-"));
  const areTold = new Set(names).size === runs.length;
  runs.forEach((run, index) => {
    run.label = areTold ? names[index] : run.name;
    run.tone = `s${index % 6}`;
    run.isDashed = index > 5;
  });
}
