// Line charts in SVG. Nothing of a file's text is ever parsed: elements are made, and text is set.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and content; what is null is left out. */
function element(name, attributes = {}, ...content) {
  return filled(document.createElement(name), attributes, content);
}

/** The same in SVG. */
function shape(name, attributes = {}, ...content) {
  return filled(document.createElementNS(SVG, name), attributes, content);
}

function filled(node, attributes, content) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...content.filter((part) => part !== null && part !== undefined));
  return node;
}

/** Tells those who listen what has changed. */
function announce(text) {
  document.getElementById("announcement").textContent = text;
}

/** The space around a plot, for axes, marks and the names of lines. */
const MARGIN = { left: 46, right: 14, top: 12, bottom: 30 };

/**
 * A chart of lines over steps, which keeps its place in the page and is drawn anew whenever it is shown something.
 *
 * What it is shown: `title`, `unit`, `note`; `x` and `y` with `label` and `scale`; `lines` of `points`, with `name`, `tone` (a class),
 * `isDashed`, `hasDots`; `bands` of [x, low, high]; `levels`, horizontal lines; `marks`, vertical ones; `spans` between two x; `cursor`, the chosen x;
 * `onPick`, called with an x.
 */
class Chart {
  constructor(parent, { height = 190, isWide = false } = {}) {
    this.height = height;
    this.title = element("span", { class: "title" });
    this.unit = element("span", { class: "unit" });
    this.readout = element("span", { class: "readout" });
    this.plot = element("div", { class: "plot" });
    this.note = element("p", { class: "note" });
    this.node = element(
      "figure",
      { class: isWide ? "chart wide" : "chart" },
      element("figcaption", {}, this.title, this.unit, this.readout),
      this.plot,
      this.note,
    );
    parent.append(this.node);
    this.follow();
  }

  show(content) {
    this.content = content;
    this.title.textContent = content.title;
    this.unit.textContent = [content.unit, content.y?.scale === "log" ? "log scale" : ""].filter(Boolean).join(", ");
    this.note.textContent = content.note ?? "";
    this.note.hidden = !content.note;
    this.node.hidden = false;
    this.draw();
  }

  hide() {
    this.node.hidden = true;
    this.content = null;
  }

  // MARK: Drawing

  draw() {
    const { content } = this;
    const width = Math.max(220, Math.floor(this.plot.clientWidth || 320));
    const names = content.lines.filter((line) => line.name && line.isNamed !== false);
    const room = names.length ? Math.min(width * 0.3, 12 + 6.2 * Math.max(...names.map((line) => line.name.length))) : 0;
    const lanes = this.lanes(width, room);
    this.box = {
      left: MARGIN.left, right: width - Math.max(MARGIN.right, room), top: MARGIN.top + 13 * lanes.length,
      bottom: this.height - MARGIN.bottom, width,
    };
    this.x = this.axisScale(content.x ?? {}, content.xDomain ?? this.domain("x"), [this.box.left, this.box.right], false);
    this.y = this.axisScale(content.y ?? {}, content.yDomain ?? this.domain("y"), [this.box.bottom, this.box.top], true);
    const svg = shape("svg", {
      viewBox: `0 0 ${width} ${this.height}`, width, height: this.height, role: "img", "aria-label": this.description(),
    });
    svg.append(...this.axes(), ...this.spans(), ...this.bands(), ...this.levels(), ...this.marks(lanes), ...this.lines(), ...this.names(names));
    this.cursorLayer = shape("g", { class: "cursor" });
    svg.append(this.cursorLayer);
    this.plot.replaceChildren(svg);
    this.drawCursor(content.cursor);
  }

  /** The numbers along an axis. */
  numbers(axis) {
    const { lines, bands = [], levels = [], marks = [] } = this.content;
    const place = axis === "x" ? 0 : 1;
    const values = lines.flatMap((line) => line.points.map((point) => point[place]));
    if (axis === "x") return [...values, ...bands.flatMap((band) => band.points.map((point) => point[0]))];
    return [
      ...values, ...bands.flatMap((band) => band.points.flatMap((point) => [point[1], point[2]])),
      ...levels.filter((level) => level.isInside !== false).map((level) => level.y),
    ];
  }

  domain(axis) {
    const values = shown(this.numbers(axis), this.content[axis]?.scale);
    if (!values.length) return this.content[axis]?.scale === "log" ? [0.1, 1] : [0, 1];
    return [Math.min(...values), Math.max(...values)];
  }

  axisScale({ scale }, domain, range, isPadded) {
    const outer = isPadded ? padded(domain, scale) : domain;
    return scale === "log" ? logScale(outer, range) : linearScale(outer, range);
  }

  axes() {
    const { left, right, top, bottom } = this.box;
    const { x = {}, y = {} } = this.content;
    const parts = [];
    for (const value of this.y.ticks(Math.max(2, Math.round((bottom - top) / 34)))) {
      const place = this.y(value);
      parts.push(shape("line", { class: "grid", x1: left, x2: right, y1: place, y2: place }));
      parts.push(shape("text", { class: "tick end", x: left - 6, y: place + 3.5 }, tickText(value)));
    }
    for (const value of this.x.ticks(Math.max(2, Math.round((right - left) / 70)))) {
      const place = this.x(value);
      parts.push(shape("line", { class: "tickline", x1: place, x2: place, y1: bottom, y2: bottom + 4 }));
      parts.push(shape("text", { class: "tick middle", x: place, y: bottom + 15 }, tickText(value)));
    }
    parts.push(shape("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }));
    const label = (x.label ?? "step") + (x.scale === "log" ? " (log)" : "");
    parts.push(shape("text", { class: "tick middle", x: (left + right) / 2, y: bottom + 27 }, label));
    return parts;
  }

  bands() {
    return (this.content.bands ?? []).map((band) => {
      const points = band.points.filter(([x, low, high]) => [this.x(x), this.y(low), this.y(high)].every(Number.isFinite));
      const forth = points.map(([x, , high]) => `${this.x(x).toFixed(1)},${this.y(high).toFixed(1)}`);
      const back = points.map(([x, low]) => `${this.x(x).toFixed(1)},${this.y(low).toFixed(1)}`).reverse();
      return shape("polygon", { class: `band ${band.tone ?? ""}`, points: [...forth, ...back].join(" ") });
    });
  }

  /** Stretches of x, with a name where there is room for it. */
  spans() {
    const { top, bottom } = this.box;
    return (this.content.spans ?? []).flatMap((span) => {
      const [from, to] = [this.x(span.from), this.x(span.to)];
      const isRoomy = to - from > 6 * span.name.length + 6;
      return [
        shape("rect", { class: `span ${span.tone}`, x: from, width: to - from, y: top, height: bottom - top }),
        isRoomy ? shape("text", { class: `markname middle ${span.tone}`, x: (from + to) / 2, y: bottom - 6 }, span.name) : null,
      ].filter(Boolean);
    });
  }

  levels() {
    const { left, right } = this.box;
    let last = Infinity;
    const levels = [...(this.content.levels ?? [])].sort((a, b) => b.y - a.y);
    return levels.flatMap((level) => {
      const place = this.y(level.y);
      if (!(place >= this.box.top - 1 && place <= this.box.bottom + 1)) return [];
      // Two levels beside one another have their names above and below.
      const isBelow = Math.abs(place - last) < 14;
      last = place;
      return [
        shape("line", { class: `level ${level.tone ?? ""}`, x1: left, x2: right, y1: place, y2: place }),
        shape("text", { class: `levelname end ${level.tone ?? ""}`, x: right - 2, y: place + (isBelow ? 12 : -4) }, level.name),
      ];
    });
  }

  lines() {
    return this.content.lines.flatMap((line) => {
      const tone = `line ${line.tone ?? "s0"}${line.isDashed ? " dashed" : ""}`;
      const parts = [shape("path", { class: tone, d: this.path(line.points) })];
      // A point that has no neighbour draws no line, so it is drawn as a dot.
      line.points.forEach(([x, y], index) => {
        const isAlone = ![line.points[index - 1], line.points[index + 1]].some((point) => point && Number.isFinite(this.y(point[1])));
        if (Number.isFinite(this.y(y)) && (line.hasDots || isAlone)) {
          parts.push(shape("circle", { class: `dot ${line.tone ?? "s0"}`, cx: this.x(x), cy: this.y(y), r: 2.2 }));
        }
      });
      return parts;
    });
  }

  /** A line through the points, with a gap where one is missing. */
  path(points) {
    let path = "";
    let isDown = false;
    for (const [x, y] of points) {
      const [px, py] = [this.x(x), this.y(y)];
      if (Number.isFinite(py)) path += `${isDown ? "L" : "M"}${px.toFixed(1)},${py.toFixed(1)}`;
      isDown = Number.isFinite(py);
    }
    return path;
  }

  /** The lines' names at their ends, moved apart where they would lie on one another. */
  names(lines) {
    const ends = lines
      .map((line) => ({ line, end: line.points.findLast(([, y]) => Number.isFinite(this.y(y))) }))
      .filter(({ end }) => end)
      .map(({ line, end }) => ({ line, x: this.x(end[0]), y: this.y(end[1]) }))
      .sort((a, b) => a.y - b.y);
    const gap = 12;
    ends.forEach((entry, index) => {
      if (index) entry.y = Math.max(entry.y, ends[index - 1].y + gap);
    });
    for (let index = ends.length - 1, most = this.height - MARGIN.bottom + 6; index >= 0; index--, most -= gap) {
      ends[index].y = Math.min(ends[index].y, most);
    }
    return ends.map(({ line, x, y }) =>
      shape("text", { class: `linename ${line.tone ?? "s0"}`, x: x + 6, y: y + 3.5 }, line.name),
    );
  }

  // MARK: Marks

  /** Vertical marks in as many lanes above the plot as their names need. */
  lanes(width, room) {
    const lanes = [];
    const domain = this.content.xDomain ?? this.domain("x");
    const place = linearScale(domain, [MARGIN.left, width - Math.max(MARGIN.right, room)]);
    const marks = [...(this.content.marks ?? [])].sort((a, b) => a.x - b.x);
    for (const mark of marks) {
      const size = 6 * mark.name.length + 8;
      const at = place(mark.x);
      // A name that would leave the page stands on the other side of its line.
      const isLeft = at + size > width;
      const [start, end] = isLeft ? [at - size, at] : [at, at + size];
      let lane = lanes.find((lane) => lane.end <= start);
      if (!lane) lanes.push((lane = { end: 0, marks: [] }));
      lane.end = end;
      lane.marks.push({ ...mark, isLeft });
    }
    return lanes;
  }

  marks(lanes) {
    return lanes.flatMap((lane, index) =>
      lane.marks.flatMap((mark) => {
        const [at, y] = [this.x(mark.x), MARGIN.top + 13 * index];
        if (!Number.isFinite(at)) return [];
        return [
          shape("line", { class: `mark ${mark.tone ?? ""}`, x1: at, x2: at, y1: y - 8, y2: this.box.bottom }),
          shape("text", { class: `markname ${mark.tone ?? ""}${mark.isLeft ? " end" : ""}`, x: at + (mark.isLeft ? -4 : 4), y }, mark.name),
        ];
      }),
    );
  }

  // MARK: Cursor

  /** A thin line at an x, with the numbers of the lines there. */
  drawCursor(x) {
    this.cursorLayer.replaceChildren();
    this.readout.replaceChildren();
    if (!Number.isFinite(x)) return;
    const at = this.x(x);
    if (at < this.box.left - 1 || at > this.box.right + 1) return;
    this.cursorLayer.append(shape("line", { x1: at, x2: at, y1: this.box.top, y2: this.box.bottom }));
    for (const line of this.content.lines.filter((line) => line.isRead !== false)) {
      const point = nearest(line.points, x);
      if (!point) continue;
      if (Number.isFinite(this.y(point[1]))) {
        this.cursorLayer.append(shape("circle", { class: `dot ${line.tone ?? "s0"}`, cx: this.x(point[0]), cy: this.y(point[1]), r: 3.2 }));
      }
      this.readout.append(element("span", { class: `value ${line.tone ?? "s0"}` }, `${line.short ?? line.name ?? ""} ${brief(point[1])}`.trim()));
    }
    this.plot.firstChild?.setAttribute("aria-label", this.description(x));
  }

  /** What a picture says to those who cannot see it. */
  description(x = this.content.cursor) {
    const { title, unit, lines, marks = [] } = this.content;
    const parts = lines.filter((line) => line.isRead !== false).map((line) => {
      const values = shown(line.points.map((point) => point[1]));
      if (!values.length) return `${line.name || title}: no numbers`;
      const point = Number.isFinite(x) ? nearest(line.points, x) : null;
      const here = point ? `, ${brief(point[1])} at ${tickText(point[0])}` : "";
      return `${line.name || title}: from ${brief(values[0])} to ${brief(values.at(-1))}, at least ${brief(Math.min(...values))}, at most ${brief(Math.max(...values))}${here}`;
    });
    const named = marks.map((mark) => `${mark.name} at step ${mark.x}`);
    return [`${title}${unit ? `, ${unit}` : ""}`, ...parts, ...named].join(". ");
  }

  /** A pointer shows the numbers under it, and a click chooses them. */
  follow() {
    const under = (event) => {
      const bounds = this.plot.getBoundingClientRect();
      return this.x.invert(Math.min(this.box.right, Math.max(this.box.left, event.clientX - bounds.left)));
    };
    this.plot.addEventListener("pointermove", (event) => this.content && this.drawCursor(this.snapped(under(event))));
    this.plot.addEventListener("pointerleave", () => this.content && this.drawCursor(this.content.cursor));
    this.plot.addEventListener("click", (event) => this.content?.onPick?.(this.snapped(under(event))));
  }

  /** The x of the point next to it. */
  snapped(x) {
    const points = this.content.lines.flatMap((line) => line.points);
    return nearest(points, x)?.[0] ?? x;
  }
}

/** The point whose x is nearest, whether or not it has a number; among equals the first. */
function nearest(points, x) {
  let best = null;
  for (const point of points) {
    if (!best || Math.abs(point[0] - x) < Math.abs(best[0] - x)) best = point;
  }
  return best;
}
