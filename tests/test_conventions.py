"""The house rules, kept by reading the source: who may import whom, how modules are named, how long they are."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "outreach"
MODULES = sorted(p for p in PACKAGE.rglob("*.py"))

# The rooms from the top down. A room may import itself and any room on a later line; rooms of one line not each other, but for
# what ALSO says.
FLOORS = (
    ("cli",),
    ("web",),
    ("jobs",),
    ("proof",),
    ("delivery",),
    ("campaigns",),
    ("people", "notices"),
    ("access", "tally"),
    ("db", "settings", "logs", "engines", "supervisor", "progress"),
)
ALSO = {
    ("people", "notices"),  # A roster's language column is read with the table of languages.
    ("delivery", "providers"),  # The contract's values travel through delivery.
    ("jobs", "providers"),  # The one place that chooses a provider.
    ("web", "providers"),  # Webhooks are read by the provider's adapter.
    ("cli", "sandbox"),
    ("cli", "providers"),
    ("access", "db"),
    ("db", "access"),  # For the type of the vault only.
    ("supervisor", "engines"),
    ("engines", "supervisor"),  # Both start programs that must not outlive us.
}
LEAVES = ("providers", "sandbox")


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def floor_of(room: str) -> int:
    return next((number for number, rooms in enumerate(FLOORS) if room in rooms), -1)


def rooms_used(path: Path) -> set[str]:
    names = (name.split(".") for name in imports_of(path))
    return {parts[1] for parts in names if parts[0] == "outreach" and len(parts) > 1} - {room_of(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    if floor_of(room) < 0 and room not in LEAVES:
        assert room in ("__init__", "__main__", "migrations"), f"{room} has no floor"
        return
    for used in rooms_used(path):
        if (room, used) in ALSO:
            continue
        assert floor_of(used) > floor_of(room) >= 0, f"{room} may not import {used}"


@pytest.mark.parametrize("path", [p for p in MODULES if room_of(p) in LEAVES], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_providers_and_the_sandbox_know_neither_the_database_nor_flask(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imports_of(path)}
    assert not tops & {"sqlalchemy", "flask", "rq", "redis", "psycopg"}
    assert not rooms_used(path)


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if room_of(p) in ("access", "people", "notices", "campaigns", "delivery", "proof")],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_the_domain_knows_neither_the_web_nor_the_queue_nor_the_settings(path: Path) -> None:
    names = set(imports_of(path))
    assert not {name.partition(".")[0] for name in names} & {"flask", "rq", "click"}
    assert "outreach.settings" not in names


def test_no_module_is_named_for_having_no_subject() -> None:
    nameless = {"utils", "helpers", "models", "services", "common", "misc"}
    assert not [p for p in MODULES if p.stem in nameless]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_module_is_longer_than_500_lines(path: Path) -> None:
    if "versions" not in path.parts:
        assert len(path.read_text().splitlines()) <= 500


def test_every_command_of_the_readme_is_a_target_of_make() -> None:
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    commands = {line.split()[1] for line in readme.splitlines() if line.startswith("    make ")}
    assert commands == {"demo", "test"}
    assert all(f"\n{command}:" in makefile for command in commands)


def test_every_command_is_a_module_that_has_one() -> None:
    from outreach.cli import COMMANDS, main

    for name in COMMANDS:
        assert main.get_command(main.make_context("outreach", [name, "--help"], resilient_parsing=True), name) is not None
