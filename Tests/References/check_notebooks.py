"""Runs the notebooks of a folder from top to bottom, in a copy of it, each with a new kernel.

    python check_notebooks.py FOLDER

Prints one JSON object: by notebook the text that its cells printed and how many pictures they drew. A cell that fails ends it with the cell's error.
"""
import json
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = shutil.copytree(sys.argv[1], Path(scratch) / "notebooks")
        found = {}
        for path in sorted(folder.glob("*.ipynb")):
            notebook = nbformat.read(path, 4)
            NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
            made = outputs(notebook)
            found[path.stem] = {
                "text": "".join(output.text for output in made if output.output_type == "stream" and output.name == "stdout"),
                "pictures": sum("image/png" in output.get("data", {}) for output in made),
            }
        print(json.dumps(found))


if __name__ == "__main__":
    main()
