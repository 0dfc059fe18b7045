"""Opens what `spectroscope export` wrote with the tools that it is for, and compares it with the CSV files of the same analysis.

    python check_export.py FOLDER

FOLDER holds `csv`, `parquet`, `npz`, `tensorboard` and `vega-lite`, each written by `export --format`, and may hold `wide.zip`. One line is printed a check; a
tool that is not installed is named and passed over. Nothing here knows how the files were written.
"""

import csv
import json
import math
import pathlib
import struct
import sys
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

TEXTS = {"module", "method", "delta", "side", "code", "name", "severity", "message", "cause", "remedy"}
INTEGERS = {
    "step", "index", "bin", "first", "last", "rows", "columns", "rank", "k", "k_gap", "numerical_rank", "intruder_count",
}


def table(path):
    """The cells of a CSV file by column, None where they are empty."""
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return {name: [row[i] if row[i] != "" else None for row in rows] for i, name in enumerate(header)}


def bits(value):
    return struct.pack("<d", value)


def typed(name, cell):
    if cell is None or name in TEXTS:
        return cell
    return int(cell) if name in INTEGERS else float(cell)


def check_parquet(folder):
    for path in sorted((folder / "csv").glob("*.csv")):
        cells = table(path)
        file = folder / "parquet" / (path.stem + ".parquet")
        found = pq.read_table(file)
        assert found.column_names == list(cells), file
        for field in found.schema:
            expected = pa.string() if field.name in TEXTS else pa.int64() if field.name in INTEGERS else pa.float64()
            assert field.type == expected, f"{file} {field.name}: {field.type}"
        for name, column in cells.items():
            wanted, values = [typed(name, cell) for cell in column], found[name].to_pylist()
            if found.schema.field(name).type == pa.float64():
                wanted, values = ([None if v is None else bits(v) for v in list] for list in (wanted, values))
            assert wanted == values, f"{file} {name}"
        check_statistics(pq.ParquetFile(file), found)
        frame = pd.read_parquet(file)
        assert list(frame) == list(cells) and len(frame) == found.num_rows
        from_csv = pd.read_csv(path, keep_default_na=False, na_values=[""])
        for name in frame:
            if name not in TEXTS:
                assert np.array_equal(frame[name].astype(float), from_csv[name].astype(float), equal_nan=True), name
        print(f"parquet {path.stem}: {found.num_rows} rows, {found.num_columns} columns as in the CSV file")


def check_statistics(file, found):
    """The least and greatest value and the number of nulls of every row group, against its values."""
    start = 0
    for index in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(index)
        part = found.slice(start, group.num_rows)
        start += group.num_rows
        for column in range(group.num_columns):
            said = group.column(column).statistics
            values = [value for value in part.column(column).to_pylist() if value is not None]
            assert said.null_count == group.num_rows - len(values)
            if said.has_min_max:
                assert (said.min, said.max) == (min(values), max(values)), file
    assert start == found.num_rows


def check_npz(folder):
    arrays = np.load(folder / "npz" / "spectra.npz", allow_pickle=False)
    cells = table(folder / "csv" / "modules.csv")
    step, module = arrays["step"], arrays["module"]
    assert step.dtype == np.int64 and module.dtype.kind == "U"
    place = {(str(s), m): (i, j) for i, s in enumerate(step) for j, m in enumerate(module)}
    metrics = [name for name in cells if name not in ("step", "module", "method", "delta")]
    compared = 0
    for delta in dict.fromkeys(cells["delta"]):
        expected = {name: np.full((len(step), len(module)), np.nan) for name in metrics}
        for row in range(len(cells["step"])):
            if cells["delta"][row] == delta:
                for name in metrics:
                    if cells[name][row] is not None:
                        expected[name][place[cells["step"][row], cells["module"][row]]] = float(cells[name][row])
        for name, values in expected.items():
            key = f"{delta}/{name}"
            if key not in arrays.files:
                assert np.isnan(values).all(), key
                continue
            assert arrays[key].dtype == np.float64 and np.array_equal(arrays[key], values, equal_nan=True), key
            compared += 1
    compared += check_singular_values(folder, arrays, place)
    compared += check_training_arrays(folder, arrays)
    print(f"npz: {len(arrays.files)} arrays, {compared} of them as in the CSV files")


def check_singular_values(folder, arrays, place):
    cells = table(folder / "csv" / "singular_values.csv")
    expected = {}
    for step, module, delta, index, value in zip(*cells.values()):
        key = f"{delta}/singular_values"
        if key not in expected:
            expected[key] = np.full_like(arrays[key], np.nan)
        at = place[step, module] if step is not None else (list(arrays["module"]).index(module),)
        expected[key][at + (int(index),)] = float(value)
    for key, values in expected.items():
        assert np.array_equal(arrays[key], values, equal_nan=True), key
    return len(expected)


def check_training_arrays(folder, arrays):
    path = folder / "csv" / "training.csv"
    cells = table(path) if path.exists() else {}
    for name, column in cells.items():
        values = np.array([math.nan if cell is None else float(cell) for cell in column])
        assert np.array_equal(arrays["training/" + name], values, equal_nan=True), name
    return len(cells)


def check_tensorboard(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (file,) = (folder / "tensorboard").iterdir()
    assert file.name.startswith("events.out.tfevents.")
    events = EventAccumulator(str(file.parent), size_guidance={"scalars": 0, "histograms": 0})
    events.Reload()
    tags = events.Tags()["scalars"]
    assert len(tags) == len(set(tags))

    def curve(tag):
        return [(event.step, event.value) for event in events.Scalars(tag)] if tag in tags else []

    with np.errstate(over="ignore"):  # TensorBoard's scalars are float32
        compared = check_training_curves(folder, tags, curve) + check_module_curves(folder, tags, curve)
    assert compared == sum(not ("/train/" in tag) for tag in tags)
    for tag in events.Tags()["histograms"]:
        for event in events.Histograms(tag):
            histogram = event.histogram_value
            assert sum(histogram.bucket) == histogram.num > 0 and histogram.min <= histogram.max
    histograms = len(events.Tags()["histograms"])
    print(f"tensorboard: {len(tags)} curves, {compared} of them as in the CSV files, {histograms} histograms")


def check_training_curves(folder, tags, curve):
    path = folder / "csv" / "training.csv"
    if not path.exists():
        return 0
    training = table(path)
    steps = [int(step) for step in training.pop("step")]
    compared = 0
    for name, column in training.items():
        wanted = [(s, np.float32(float(cell))) for s, cell in zip(steps, column) if cell is not None]
        # Numbers by module, `<column>.<module>`, have tags of the module.
        if "." not in name or "train/" + name in tags:
            assert curve("train/" + name) == wanted, name
            compared += len(wanted) > 0
    return compared


def check_module_curves(folder, tags, curve):
    modules = table(folder / "csv" / "modules.csv")
    found = {}
    for row in range(len(modules["step"])):
        step, module, delta = int(modules["step"][row]), modules["module"][row], modules["delta"][row]
        for name in modules:
            if name not in TEXTS and modules[name][row] is not None:
                value = float(modules[name][row])
                found.setdefault((module, delta, name), {})[step] = [value]
                found.setdefault(("median", delta, name), {}).setdefault(step, []).append(value)
    compared = 0
    for tag in tags:
        if tag.startswith("train/") or tag.rsplit("/", 2)[1] == "train":
            continue
        values = found[tuple(tag.rsplit("/", 2))]
        assert curve(tag) == [(step, np.float32(np.median(values[step]))) for step in sorted(values)], tag
        compared += 1
    assert compared > 0 or not found
    return compared


def check_vega_lite(folder):
    files = sorted((folder / "vega-lite").glob("*.vl.json"))
    assert files or not table(folder / "csv" / "modules.csv")["step"]
    specifications = {file.name.removesuffix(".vl.json"): json.loads(file.read_text("utf-8")) for file in files}
    validate(specifications)
    try:
        import vl_convert
    except ModuleNotFoundError:
        print("vega-lite: not drawn, because the module vl_convert is missing (pip install vl-convert-python)")
        return
    for name, specification in specifications.items():
        image = vl_convert.vegalite_to_png(specification, vl_version="5.20", scale=1.5)
        assert image.startswith(b"\x89PNG")
        (folder / f"{name}.png").write_bytes(image)
        drawing = vl_convert.vegalite_to_svg(specification, vl_version="5.20")
        assert "NaN" not in drawing and specification["title"]["text"] in drawing, name
        assert drawing.count("mark-line") > 0, name
        print(f"vega-lite {name}: drawn, {len(image)} bytes")


def validate(specifications):
    """Against the schema that comes with Altair 5."""
    try:
        import altair
        import jsonschema
    except ModuleNotFoundError as error:
        print(f"vega-lite: not validated, because the module {error.name} is missing (pip install altair==5.5.0 jsonschema)")
        return
    schemas = pathlib.Path(altair.__file__).parent / "vegalite"
    schema = json.loads((schemas / "v5" / "schema" / "vega-lite-schema.json").read_text("utf-8"))
    for name, specification in specifications.items():
        jsonschema.validate(specification, schema, cls=jsonschema.Draft7Validator)
        print(f"vega-lite {name}: valid")


def check_wide_archive(folder):
    """An archive with the extension zip64, where there is one."""
    path = folder / "wide.zip"
    if path.exists():
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            contents = {name: archive.read(name) for name in archive.namelist()}
        assert contents == {"a.txt": b"a", "größe/b": b"", "c": b"\x07" * 70_000}
        print("zip64: 3 entries")


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1])
    for check in (check_parquet, check_npz, check_tensorboard, check_vega_lite, check_wide_archive):
        check(root)
