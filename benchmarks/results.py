"""Figures on the screen, in a JSON file for each run, and as a page about the latest run."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure

REFERENCES = (
    {
        "what": "GOV.UK Notify's API, texts to a local stub, 2 workers",
        "value": "55 to 79 messages/s, 19.4 ms of worker CPU and 15 SQL statements each",
    },
    {"what": "GOV.UK Notify's API, delivery reports from call to status", "value": "100 to 134 callbacks/s"},
    {"what": "RQ alone, starting jobs that do nothing", "value": "44 to 48 jobs/s"},
)
SOURCE = "Measured on a similar 2-core machine in November 2026, not in this run."


def as_json(machine: dict[str, object], options: dict[str, object], figures: Sequence[Figure]) -> dict[str, Any]:
    return {
        "machine": machine,
        "options": options,
        "figures": [figure.as_json() for figure in figures],
        "references": {"source": SOURCE, "values": list(REFERENCES)},
    }


def write(folder: Path, name: str, result: dict[str, Any]) -> Path:
    """The run's JSON file, and latest.md beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['machine']['at'][:10]}-{name}.json"
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "latest.md").write_text(_page(path.name, result), encoding="utf-8")
    return path


def table(result: dict[str, Any]) -> str:
    """For the screen."""
    lines = ["", *(f"{name}: {value}" for name, value in _machine(result["machine"])), ""]
    rows = [("", "measured", "floor", "of floor"), *_rows(result)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    aims = [("met" if met else "MISSED", sentence) for met, sentence in _aims(result)]
    lines += ["", *(f"{word:7} {sentence}" for word, sentence in aims)]
    lines += ["", SOURCE, *(f"  {reference['what']}: {reference['value']}" for reference in REFERENCES)]
    return "\n".join(lines)


def _page(file: str, result: dict[str, Any]) -> str:
    lines = [
        "# The latest figures",
        "",
        f"Written by `make bench` from `{file}`, which has every run and detail. What each figure means: docs/benchmarks.md.",
        "",
        *(f"- {name}: {value}" for name, value in _machine(result["machine"])),
        "",
        "| figure | measured | floor | of the floor |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in _rows(result)),
        "",
        "| aim | measured | |",
        "|---|---|---|",
        *(
            f"| {figure['title']}: {aim['text']} | {aim['measured']} | {'met' if aim['met'] else '**missed**'} |"
            for figure in result["figures"]
            for aim in figure["aims"]
        ),
        "",
    ]
    for figure in result["figures"]:
        lines += [f"## {figure['title']}", "", *(f"- {_words(key)}: {_shown(value)}" for key, value in figure["details"].items())]
        if figure["floor"]:
            lines.append(f"- floor: {figure['floor']}")
        lines.append("")
    lines += ["## For comparison", "", SOURCE, "", *(f"- {r['what']}: {r['value']}" for r in REFERENCES), ""]
    return "\n".join(lines)


def _machine(machine: dict[str, Any]) -> list[tuple[str, str]]:
    postgres = machine["postgres"]
    return [
        ("machine", f"{machine['cores']} cores, {machine['cpu']}, {machine['memory_gb']} GB, {machine['system']}"),
        ("versions", f"Python {machine['python']}, PostgreSQL {postgres['server_version']}, Valkey {machine['valkey']}"),
        ("commits", f"fsync {postgres['fsync']}, synchronous_commit {postgres['synchronous_commit']}"),
        ("started", f"{machine['at']}, load average {machine['load_average_at_start'][0]}"),
    ]


def _rows(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [
        (
            figure["title"],
            f"{figure['value']:,.0f} {figure['unit']}",
            f"{figure['floor_value']:,.0f}" if figure["floor_value"] else "",
            f"{figure['share_of_floor']:.0%}" if figure["share_of_floor"] else "",
        )
        for figure in result["figures"]
    ]


def _aims(result: dict[str, Any]) -> list[tuple[bool, str]]:
    return [
        (aim["met"], f"{figure['title']}: {aim['text']}: {aim['measured']}")
        for figure in result["figures"]
        for aim in figure["aims"]
    ]


def _words(key: str) -> str:
    return key.replace("_", " ")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(each)}" for key, each in value.items()) or "none"
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
