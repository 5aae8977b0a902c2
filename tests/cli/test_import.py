"""`python -m outreach import` and `incident`, as somebody at a server uses them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session, sessionmaker

from outreach import jobs, settings
from outreach.cli import main
from outreach.people.custody import CustodyEvent
from outreach.people.incident import Incident
from outreach.people.person import Person
from outreach.people.roster.imports import ImportState, RosterChunk, RosterImport

HEADER = "A-Number,Name,Date of Birth,Custody\n"
GOOD = f"{HEADER}A900000001,Brisa Muestra,1990-04-13,released\nA900000002,Ana Otra,1991-05-14,detained\n"
Command = Callable[..., Result]


@pytest.fixture
def outreach(clean_database: str, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """`outreach("import", ..., file=content)`: run a command on this process's database."""
    chosen = settings.load({
        "OUTREACH_ENVIRONMENT": "test", "DATABASE_URL": clean_database, "REDIS_URL": "redis://127.0.0.1:1/0",
        "OUTREACH_SECRET_KEY": "0" * 64, "OUTREACH_KEY_RING": "none", "OUTREACH_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "OUTREACH_TWILIO_AUTH_TOKEN": "0" * 32,
    })  # fmt: skip
    machine = jobs.Machine(replace(chosen, roster_max_bytes=100_000), sessions)
    monkeypatch.setattr(jobs, "machine", lambda: machine)

    def run(*words: str, file: str | bytes = "", typed: str = "") -> Result:
        path = tmp_path / "roster"
        path.write_bytes(file.encode() if isinstance(file, str) else file)
        return CliRunner().invoke(main, [str(path) if word == "FILE" else word for word in words], input=typed)

    return run


def people(sessions: sessionmaker[Session]) -> int:
    with sessions() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Person)) or 0


def test_a_roster_is_imported_and_counted(outreach: Command, sessions: sessionmaker[Session]) -> None:
    about = ("--incident", "A", "--title", "First", "--occurred-on", "2022-11-28", "--as-of", "2023-01-19")
    result = outreach("import", "FILE", *about, "--yes", file=GOOD)
    assert result.exit_code == 0, result.output
    assert "2 rows read" in result.output
    assert "2 people were added" in result.output
    with sessions() as session:
        incident = session.scalars(sa.select(Incident)).one()
        assert (incident.code, incident.title, str(incident.occurred_on)) == ("A", "First", "2022-11-28")
        assert {str(day) for day in session.scalars(sa.select(CustodyEvent.as_of))} == {"2023-01-19"}
    again = outreach("import", "FILE", "--incident", "A", "--as-of", "2023-01-19", "--yes", file=GOOD)
    assert "2 rows were here already" in again.output
    assert people(sessions) == 2


@pytest.mark.parametrize(("words", "typed"), [(("--dry-run",), ""), ((), "n\n")])
def test_a_dry_run_says_what_would_be_and_keeps_nothing(
    outreach: Command, sessions: sessionmaker[Session], words: tuple[str, ...], typed: str
) -> None:
    result = outreach("import", "FILE", "--incident", "A", *words, file=f"{GOOD}12,Nobody,1990-02-30,detained\n", typed=typed)
    assert result.exit_code == 0, result.output
    assert "2 people would be added" in result.output
    assert "1 rows would be set aside" in result.output
    assert "“Date of Birth” is a day that does not exist. Correct it from the record. (rows 4)" in result.output
    assert "Nothing was imported, and the file was not kept." in result.output
    assert people(sessions) == 0
    with sessions() as session:
        assert session.scalars(sa.select(RosterImport.state)).all() == [ImportState.DISCARDED]
        assert session.scalars(sa.select(RosterChunk)).all() == []


def test_without_yes_it_asks_first(outreach: Command, sessions: sessionmaker[Session]) -> None:
    result = outreach("import", "FILE", "--incident", "A", file=GOOD, typed="y\n")
    assert (result.exit_code, people(sessions)) == (0, 2)
    assert "Import these people?" in result.output


@pytest.mark.parametrize(
    ("words", "file", "sentence"),
    [
        ((), b"%PDF-1.7", "This is a PDF document"),
        ((), "", "This file is empty"),
        ((), HEADER, "no people under them"),
        ((), GOOD.replace("1990-04-13", "03/04/1990"), "Use --map and --date-order."),
        ((), "Name\nBrisa Muestra\n", "a_number or birth_date"),
        (("--map", "Nmae=full_name"), GOOD, "There is no column “Nmae”. The columns are: A-Number, Name"),
        (("--map", "Name=nmae"), GOOD, "“nmae” is no field"),
        ((), HEADER + "x" * 200_000, "at most"),
    ],
)
def test_what_is_wrong_is_said_with_how_to_mend_it(
    outreach: Command, sessions: sessionmaker[Session], words: tuple[str, ...], file: str, sentence: str
) -> None:
    result = outreach("import", "FILE", "--incident", "A", "--yes", *words, file=file)
    assert result.exit_code == 1
    assert sentence in result.output
    assert people(sessions) == 0


def test_answers_are_given_on_the_command_line(outreach: Command, sessions: sessionmaker[Session]) -> None:
    file = "Alien ref,Who,Date of Birth\nA900000001,Brisa Muestra,03/04/1990\n"
    words = ("--map", "Alien ref=a_number", "--map", "Who=full_name", "--date-order", "dmy")
    result = outreach("import", "FILE", "--incident", "A", "--yes", *words, file=file)
    assert result.exit_code == 0, result.output
    assert people(sessions) == 1


def test_a_mapping_that_is_none_is_refused_before_anything_is_read(outreach: Command) -> None:
    result = outreach("import", "FILE", "--incident", "A", "--map", "Name", file=GOOD)
    assert result.exit_code == 2
    assert "is not like" in result.output


def test_an_incident_is_added_once(outreach: Command, sessions: sessionmaker[Session]) -> None:
    words = ("incident", "add", "--code", "2022-A", "--title", "First")
    assert outreach(*words).exit_code == 0
    again = outreach(*words)
    assert again.exit_code == 1
    assert "There is an incident '2022-A' already" in again.output
    with sessions() as session:
        assert session.scalars(sa.select(Incident.code)).all() == ["2022-A"]
