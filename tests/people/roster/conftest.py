"""Rosters brought into a database of their own, and what is in it afterwards."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from outreach.db import Base
from outreach.people.roster import importing
from outreach.people.roster.limits import Limits
from outreach.people.roster.report import Report

TODAY = date(2023, 2, 1)
AS_OF = date(2023, 1, 19)
Bring = Callable[..., Report]


def roster_of(*rows: Mapping[str, str]) -> bytes:
    """A CSV file of these rows; its columns are all that any of them has."""
    headers = list(dict.fromkeys(header for row in rows for header in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, headers, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.fixture
def bring(clean_database: str, sessions: sessionmaker[Session]) -> Bring:
    """`bring(file, incident="T", as_of=...)`: import a file, given as bytes or rows, as the command line does."""

    def bring(file: bytes | Sequence[Mapping[str, str]], *, incident: str = "T", as_of: date = AS_OF, **options: object) -> Report:
        content = file if isinstance(file, bytes) else roster_of(*file)
        asked: dict[str, object] = {"today": TODAY, "limits": Limits(), **options}
        return importing.import_file(sessions, io.BytesIO(content), incident_code=incident, as_of=as_of, **asked)  # type: ignore[arg-type]  # passed on

    return bring


PEOPLE = (
    "person", "person_name", "a_number", "contact_point", "person_contact", "custody_event", "exposure", "facility",
    "quarantined_row", "data_key", "roster_chunk",
)  # fmt: skip


def contents(session: Session) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table about people, to compare two moments."""
    tables = Base.metadata.tables
    return {name: sorted(map(tuple, session.execute(sa.select(tables[name]))), key=repr) for name in PEOPLE}


def counts(session: Session) -> dict[str, int]:
    """How many rows each table about people has."""
    return {name: len(rows) for name, rows in contents(session).items()}
