"""The benchmarks still run, at a size that measures nothing: their figures are made by `make bench` alone."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main

# Without the carrier's, which is the whole system as test_journey runs it.
TINY = {
    "import": ["--rows", "40", "--memory", "20"],
    "plan": ["--people", "40"],
    "send": ["--messages", "40"],
    "mail": [],
    "callbacks": ["--reports", "40"],
    "letters": ["--letters", "4", "--run-letters", "4"],
    "background": ["--background-letters", "4"],
    "million": ["--million-people", "40"],
}
WITH_FLOOR = {"import", "plan", "send", "mail", "callbacks", "letters"}


def test_each_figure_is_measured_and_written_with_the_machine_it_was_measured_on(tmp_path: Path) -> None:
    options = [option for figure, sizes in TINY.items() for option in ("--only", figure, *sizes)]
    ran = CliRunner().invoke(main, ["--repeats", "1", "--results", str(tmp_path), *options])
    assert ran.exit_code == 0, ran.output
    (file,) = tmp_path.glob("*.json")
    result = json.loads(file.read_text())
    assert result["machine"]["cores"] >= 1
    assert result["machine"]["postgres"]["fsync"] == "on"
    assert result["references"]["values"]
    measured = {each["name"]: each for each in result["figures"]}
    assert set(TINY) <= set(measured)
    assert all(each["unit"] and len(each["runs"]) == 1 for each in measured.values())
    for figure in TINY:
        assert measured[figure]["value"] > 0
    for figure in WITH_FLOOR:
        assert measured[figure]["share_of_floor"] == pytest.approx(measured[figure]["value"] / measured[figure]["floor_value"])
        assert measured[figure]["floor"]
    for each in measured.values():
        assert each["title"] in ran.output
        assert each["title"] in (tmp_path / "latest.md").read_text()
