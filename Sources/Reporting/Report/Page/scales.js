// Numbers as text, places on an axis, and ticks.

/** A number to three significant digits, as the program prints it: 0.0123, 1.53e-5, 12.3. */
function brief(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(3)))));
  if (exponent < -3 || exponent > 5) return value.toExponential(2);
  return value.toFixed(Math.max(0, 2 - exponent));
}

/** The same in as little room as a cell has: two digits. */
function tiny(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(Number(value.toPrecision(2)));
  if (size < 0.01 || size >= 1e4) return value.toExponential(1).replace("e+", "e");
  return (size >= 10 ? Math.round(value).toString() : value.toPrecision(2)).replace(/^(-?)0\./, "$1.");
}

/** The number of an axis' tick, without digits that say nothing. */
function tickText(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e5) return String(Number(value.toPrecision(6)));
  return value.toExponential().replace("e+", "e");
}

/** A linear scale from a domain onto a range of pixels. */
function linearScale([low, high], [start, end]) {
  const width = high - low || 1;
  const scale = (value) => start + ((value - low) / width) * (end - start);
  scale.invert = (pixel) => low + ((pixel - start) / (end - start || 1)) * width;
  scale.ticks = (count) => linearTicks(low, high, count);
  scale.domain = [low, high];
  return scale;
}

/** A logarithmic scale; what is not positive has no place on it. */
function logScale([low, high], [start, end]) {
  const width = Math.log(high / low) || 1;
  const scale = (value) => (value > 0 ? start + (Math.log(value / low) / width) * (end - start) : NaN);
  scale.invert = (pixel) => low * Math.exp(((pixel - start) / (end - start || 1)) * width);
  scale.ticks = (count) => logTicks(low, high, count);
  scale.domain = [low, high];
  return scale;
}

/** Round numbers inside a range, about as many as wished. */
function linearTicks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** Powers of ten, with 2 and 5 times them where there are few. */
function logTicks(low, high, count) {
  const [first, last] = [Math.floor(Math.log10(low) - 1e-9), Math.ceil(Math.log10(high) + 1e-9)];
  const inside = (values) => values.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  const powers = (factors) => {
    const found = [];
    for (let exponent = first; exponent <= last; exponent++) found.push(...factors.map((factor) => Number(`${factor}e${exponent}`)));
    return inside(found);
  };
  const decades = powers([1]);
  if (decades.length > count) {
    const every = Math.ceil(decades.length / count);
    return decades.filter((_, index) => index % every === 0);
  }
  if (decades.length >= 3) return decades;
  const finer = powers([1, 2, 5]);
  return finer.length >= 2 ? finer : linearTicks(low, high, count);
}

/** A domain with some room, so that no line runs along the frame. */
function padded([low, high], kind) {
  if (kind === "log") {
    const room = Math.max((high / low) ** 0.06, 1.08);
    return [low / room, high * room];
  }
  const room = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
}

/** Finite numbers, and only positive ones for a logarithm. */
function shown(values, kind) {
  return values.filter((value) => Number.isFinite(value) && (kind !== "log" || value > 0));
}

/** The middle of some numbers; NaN for none. */
function quantile(values, share) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (!sorted.length) return NaN;
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  return sorted[below] + (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below]) * (place - below);
}
