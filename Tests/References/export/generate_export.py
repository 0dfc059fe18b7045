"""Writes small files with pyarrow and NumPy, against which the fast tests of `export` hold its files and their own reader.

    python generate_export.py

Needs pyarrow==26.0.1 and numpy==2.4.6. The output is the same to the byte.
"""

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent

# Runs and alternations of values and nulls, so that lengths of runs and packed bits both occur.
steps = [None] * 9 + [5] * 20 + [5, None] * 6 + list(range(3)) + [2**63 - 1, -(2**63)]
numbers = [None if i % 3 == 1 else (-1) ** i * 0.1 * i for i in range(len(steps))]
texts = [None if i % 7 == 2 else ["a", "größe", "", "a,\n\"b\""][(i // 5) % 4] for i in range(len(steps))]
table = pa.table(
    {"step": pa.array(steps, pa.int64()), "value": pa.array(numbers, pa.float64()), "text": pa.array(texts, pa.string())})
for name, dictionary in ("plain", False), ("dictionary", ["step", "text"]):
    pq.write_table(
        table, HERE / f"{name}.parquet", compression="none", use_dictionary=dictionary, row_group_size=20,
        data_page_version="1.0", store_schema=False)

np.save(HERE / "step.npy", np.array([5, 10], dtype="<i8"))
np.save(HERE / "module.npy", np.array(["größe · ‖ΔW‖", "q", "\U0001f600"]))
np.save(HERE / "init_relative_norm.npy", np.array([[np.nan, 0.1, np.nan], [np.nan, 1 / 3, 5e-324]]))
none = [np.nan, np.nan]
np.save(HERE / "init_singular_values.npy", np.array([[none, [2, 1.5], none], [none, [3, np.nan], [0.25, np.nan]]]))
np.save(HERE / "training_reward.npy", np.array([0.5, np.nan, 1e-7]))
