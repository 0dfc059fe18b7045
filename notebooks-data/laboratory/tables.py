"""Renews the tables of README.md from the summaries beside it: python3 tables.py (the standard library is enough)."""

import csv
import math
import re
from pathlib import Path
from statistics import mean, median, stdev

FOLDER = Path(__file__).resolve().parent
METHODS = ["lora", "rslora", "lora-plus", "lora-fa", "dora", "adalora", "pissa", "milora", "miss", "vera", "ia3", "ln-tuning",
           "rank1", "full"]
PUBLISHED = {"full": 44.9, "lora": 42.5, "dora": 46.6, "adalora": 44.2, "miss": 43.4, "pissa": 0.2, "milora": 18.0, "vera": 40.7,
             "ia3": 22.3, "rank1": 40.5}


def runs(name):
    """The rows of a summary, with numbers as numbers."""
    with open(FOLDER / f"{name}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for column in ("learning_rate", "start_accuracy", "final_accuracy", "retention", "seconds"):
            row[column] = float(row[column])
        row["seed"] = int(row["seed"])
    return rows


def select(rows, **wanted):
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def rates(rows):
    return sorted({row["learning_rate"] for row in rows})


def spread(values):
    return f"{mean(values):.2f} ± {stdev(values):.2f}" if len(values) > 1 else f"{values[0]:.2f}"


def critical(rows):
    """As `lab` defines it: where the final accuracy falls through that of the start, behind the best rate; of one seed."""
    rows = sorted(rows, key=lambda row: row["learning_rate"])
    gains = [row["final_accuracy"] - row["start_accuracy"] for row in rows]
    best = gains.index(max(gains))
    for i in range(best, len(rows)):
        if gains[i] < 0:
            if i == 0:
                return 0.0
            share = gains[i - 1] / (gains[i - 1] - gains[i])
            before, after = rows[i - 1]["learning_rate"], rows[i]["learning_rate"]
            return before * (after / before) ** share
    return math.inf


def number(rate):
    return f"{rate:.2g}" if rate < 1e-3 else f"{rate:.3g}".rstrip("0").rstrip(".")


def critical_text(rows):
    """Median and extremes over the seeds."""
    values = sorted(critical(select(rows, seed=seed)) for seed in sorted({row["seed"] for row in rows}))
    top = max(rates(rows))
    if median(values) == math.inf:
        return f"> {number(top)}", math.inf
    last = f"> {number(top)}" if values[-1] == math.inf else number(values[-1])
    return f"{number(median(values))} ({number(values[0])} to {last})", median(values)


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def same_rate(rows, base):
    columns = rates(rows)
    body = []
    for method in [m for m in METHODS if select(rows, method=m)]:
        cells = []
        for rate in columns:
            cell = select(rows, method=method, base=base, learning_rate=rate)
            cells.append(spread([row["final_accuracy"] for row in cell]) if cell else "")
        body.append([method] + cells + ([f"{PUBLISHED[method]:.1f}" if method in PUBLISHED else ""]))
    return table(["method"] + [number(rate) for rate in columns] + ["published"], body)


def own_rate(rows, bases):
    body = []
    lora = {base: critical_text(select(rows, method="lora", base=base))[1] for base in bases}
    for method in [m for m in METHODS if select(rows, method=m)]:
        cells = [method]
        for base in bases:
            own = select(rows, method=method, base=base)
            best = max(rates(own), key=lambda r: mean(x["final_accuracy"] for x in select(own, learning_rate=r)))
            chosen = select(own, learning_rate=best)
            text, value = critical_text(own)
            ratio = "" if math.inf in (value, lora[base]) else f"{value / lora[base]:.2f}"
            cells += [number(best), spread([row["final_accuracy"] for row in chosen]),
                      f"{mean(row['retention'] for row in chosen):.2f}", text, ratio]
        body.append(cells)
    header = ["method"]
    for base in bases:
        header += [f"best rate, {base}", "accuracy", "retention", "critical rate", "÷ LoRA's"]
    return table(header, body)


def controls(rows, bases):
    body = []
    for directions in ("top", "middle", "bottom", "random"):
        for magnitudes in ("top", "middle", "bottom", "unit"):
            method = f"svd-{directions}-{magnitudes}"
            name = {"top-top": " (PiSSA)", "bottom-bottom": " (MiLoRA)"}.get(f"{directions}-{magnitudes}", "")
            cells = [directions + name, magnitudes]
            for base in bases:
                own = select(rows, method=method, base=base)
                cells += [spread([row["final_accuracy"] for row in select(own, learning_rate=rate)])
                          for rate in (3e-3, 5e-3, 1e-2)]
                cells.append(critical_text(own)[0])
            body.append(cells)
    header = ["directions", "magnitudes"]
    for base in bases:
        header += [f"0.003, {base}", "0.005", "0.01", "critical rate"]
    return table(header, body)


def labels(rows):
    body = []
    for method in [m for m in METHODS if select(rows, method=m)]:
        counts = [len(select(rows, method=method, label=label)) for label in ("clean", "damaged", "collapsed", "unlearned")]
        body.append([method] + [str(count) for count in counts])
    return table(["method", "clean", "damaged", "collapsed", "unlearned"], body)


def main():
    methods, control, larger, slow = (runs(name) for name in ("methods", "controls", "larger", "slow"))
    parts = {
        "same-rate-embedded": same_rate(methods, "embedded"),
        "same-rate-second": same_rate(methods, "second"),
        "own-rate": own_rate(methods, ["embedded", "second"]),
        "labels": labels(methods),
        "controls": controls(control, ["embedded", "second"]),
        "larger": same_rate(larger, "large") + "\n\n" + own_rate(larger, ["large"]),
        "slow": same_rate(slow, "embedded"),
    }
    page = FOLDER / "README.md"
    text = page.read_text()
    for name, part in parts.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.S)
        assert pattern.search(text), name
        text = pattern.sub(lambda match: match.group(1) + part + "\n" + match.group(2), text)
    page.write_text(text)


if __name__ == "__main__":
    main()
