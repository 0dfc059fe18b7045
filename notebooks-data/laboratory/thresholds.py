"""What healthy and collapsed laboratory runs do, run by run, and the bounds that follow.

    python thresholds.py collect LAB...        reads grids that `spectroscope lab` made and `analyze` analysed: writes thresholds.csv
    python thresholds.py table                 prints the bounds and how they err on runs that they were not taken from
    python thresholds.py findings LAB...       counts what `analyze` found in those runs, by their label

A run's statistic is its largest velocity: of the whole run, or before its onset if it collapsed. Adam's first steps are its largest unless the rate
is warmed up, so runs with and without warm-up have bounds of their own. Runs of the seeds in CALIBRATION make the bounds, those of other seeds
count their errors. `collect` needs h5py and NumPy, `findings` h5py, the others nothing.
"""
import csv
import json
import math
import sys
from pathlib import Path

HERE = Path(__file__).parent
FILE = HERE / "thresholds.csv"
CALIBRATION = {"10", "11", "20"}
COLUMNS = {"update": "update_velocity", "shift": "shift_velocity"}
SPACINGS = (1, 5)
LEAST_HEALTHY = 3


# --- collecting


def onset(rewards):
    """The first step of the final stretch in which the mean reward of three steps stays below half of its peak."""
    means = [sum(rewards[i - 2 : i + 1]) / 3 for i in range(2, len(rewards))]
    peak = max([rewards[0]] + means)
    above = [i for i, mean in enumerate(means) if mean >= peak / 2]
    first = above[-1] + 1 if above else 0
    return first + 3 if first < len(means) else len(rewards)


def largest(values, steps, end):
    found = [v for v, s in zip(values, steps) if s > 0 and (end is None or s < end) and v is not None and not math.isnan(v)]
    return max(found, default=None)


def from_log(records, column, end):
    return largest([r.get(column) for r in records], [r["step"] for r in records], end)


def from_files(path, column, end):
    import h5py
    import numpy as np

    with h5py.File(path) as file:
        norms = file["analysis/base/frobenius_norm"][:]
        group = file.get("analysis/previous")
        if group is None or column not in group:
            return None
        total = np.sqrt(np.nansum((group[column][:] * norms) ** 2, axis=1) / np.sum(norms**2))
        return largest([float(v) for v in total], group["step"][:], end)


def runs(lab):
    """The runs of one grid. A run's folder begins with its method and ends with its rate and seed."""
    for row in csv.DictReader(open(lab / "summary.csv")):
        rate = float(row["learning_rate"])
        for folder in lab.glob(f"{row['method']}*-seed{row['seed']}"):
            parts = folder.name.removeprefix(row["method"]).split("-lr")
            given = float(parts[1].split("-seed")[0])
            rank = parts[0].removeprefix("-rank")
            if math.isclose(given, rate) and (not parts[0] or rank == row["rank"]) and parts[0].startswith(("", "-rank")):
                yield row, folder


def collect(labs):
    rows = []
    for lab in map(Path, labs):
        for row, folder in runs(lab):
            records = [json.loads(line) for line in open(folder / "training.jsonl")]
            records = [r for r in records if r["step"] > 0]
            end = onset([r["reward"] for r in records]) if row["label"] == "collapsed" else None
            found = {
                "method": row["method"],
                "learning_rate": row["learning_rate"],
                "seed": row["seed"],
                "rank": row["rank"],
                "task": "modular-sums" if row["base"] != "embedded" else "two-step-arithmetic",
                "warmup": "yes" if 2 * records[0]["learning_rate"] < max(r["learning_rate"] for r in records) else "no",
                "label": row["label"],
                "onset": end,
            }
            for name, column in COLUMNS.items():
                found[f"{name}_1"] = from_log(records, column, end)
                found[f"{name}_5"] = from_files(folder / "analysis.h5", column, end)
            rows.append({k: "" if v is None else f"{v:.3g}" if isinstance(v, float) else v for k, v in found.items()})
    rows.sort(key=lambda r: (r["method"], r["warmup"], int(r["rank"] or 0), float(r["learning_rate"]), int(r["seed"])))
    with open(FILE, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def findings(labs):
    """How many runs of each label have a finding, by its code and severity."""
    import h5py

    counts, totals = {}, {}
    for lab in map(Path, labs):
        for row, folder in runs(lab):
            label = "healthy" if is_healthy(row) else row["label"]
            totals[label] = totals.get(label, 0) + 1
            with h5py.File(folder / "analysis.h5") as file:
                found = {(f["code"], f["name"], f["severity"]) for f in json.loads(file["findings"][()])}
            for kind in found:
                counts.setdefault(kind, {}).setdefault(label, 0)
                counts[kind][label] += 1
    for kind in sorted(counts):
        print(*kind, *(f"{label} {counts[kind].get(label, 0)}/{total}" for label, total in sorted(totals.items())), sep="  ")


# --- bounds


def read():
    return list(csv.DictReader(open(FILE)))


def kind_of(row):
    return row["method"], row["warmup"]


def is_healthy(row):
    return row["label"] in ("clean", "unlearned")


def bounds(rows, column):
    """By method and whether there is a warm-up: the largest healthy value, the smallest collapsed one, the bound between, how many runs, and their rates."""
    table = {}
    for kind in sorted({kind_of(row) for row in rows}):
        own = [row for row in rows if kind_of(row) == kind and row[column]]
        healthy = [row for row in own if is_healthy(row)]
        collapsed = [row for row in own if row["label"] == "collapsed"]
        if len(healthy) < LEAST_HEALTHY:
            continue
        most = max(float(row[column]) for row in healthy)
        least = min((float(row[column]) for row in collapsed), default=None)
        if least and least <= most:
            continue  # Velocity does not part them.
        bound = math.sqrt(most * least) if least else 2 * most
        rates = [float(row["learning_rate"]) for row in healthy + collapsed]
        table[kind] = dict(
            healthy=most, collapsed=least, bound=bound, healthy_runs=len(healthy), collapsed_runs=len(collapsed), rates=(min(rates), max(rates))
        )
    return table


def errors(rows, table, column):
    known = [row for row in rows if row[column] and kind_of(row) in table]
    beyond = lambda row: float(row[column]) > table[kind_of(row)]["bound"]
    healthy = [row for row in known if is_healthy(row)]
    collapsed = [row for row in known if row["label"] == "collapsed"]
    damaged = [row for row in known if row["label"] == "damaged"]
    return (
        sum(map(beyond, healthy)), len(healthy), sum(not beyond(row) for row in collapsed), len(collapsed), sum(map(beyond, damaged)), len(damaged),
    )


def split():
    rows = read()
    return [r for r in rows if r["seed"] in CALIBRATION], [r for r in rows if r["seed"] not in CALIBRATION]


def table():
    calibration, test = split()
    for name in COLUMNS:
        for spacing in SPACINGS:
            column = f"{name}_{spacing}"
            found = bounds(calibration, column)
            alarmed, healthy, missed, collapsed, of_damaged, damaged = errors(test, found, column)
            print(f"{name} velocity, {spacing} step{'s' if spacing > 1 else ''} apart: {alarmed} of {healthy} healthy runs of other seeds alarmed,")
            print(f"  {missed} of {collapsed} collapsed ones missed before their onset, {of_damaged} of {damaged} damaged ones alarmed")
            for (method, warmup), b in found.items():
                least = f"{b['collapsed']:.2g}" if b["collapsed"] else "none"
                print(f"  {method:10} {'warm-up' if warmup == 'yes' else '       '} healthy to {b['healthy']:.2g} ({b['healthy_runs']})  collapsed from {least} ({b['collapsed_runs']})  bound {b['bound']:.2g}")


if __name__ == "__main__":
    commands = {"collect": lambda: collect(sys.argv[2:]), "findings": lambda: findings(sys.argv[2:]), "table": table}
    commands[sys.argv[1]]()
