"""Tallies: what is quickly counted is always true now; what is slowly counted is kept, with the time as of which it is true."""

import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach import tally
from outreach.db import now
from outreach.proof import figures
from outreach.tally import Tally
from tests.factories import make_person

# In a process of its own: a tally is known once its module is imported.
SWEEPER = """
import outreach.jobs.sweeping
from outreach import tally
swept = tally.known()
import outreach.web
assert swept == tally.known() and swept, tally.known() - swept
"""
PEOPLE = Tally("test", "select custody, count(*) as people from person where cast(:campaign as uuid) is null group by 1")


def people(session: Session) -> int:
    return sum(row["people"] for row in PEOPLE.rows(session).rows)


def renew(session: Session) -> int:
    """What a sweep does; how many were counted again."""
    found = tally.looked_at(session)
    for name, scope in found:
        tally.renew(session, name, scope)
    return len(found)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything counts as slow, and as much."""
    monkeypatch.setattr(tally, "COSTLY_SECONDS", 0.0)
    monkeypatch.setattr(tally, "MANY_ROWS", -1)


def test_what_is_quickly_counted_is_not_kept(session: Session) -> None:
    make_person(session)
    assert people(session) == 1
    make_person(session)
    assert people(session) == 2
    assert session.scalar(sa.text("select count(*) from tally")) == 0


def test_of_few_people_nothing_is_kept_however_busy_the_machine_is(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "COSTLY_SECONDS", 0.0)
    people(session)
    assert session.scalar(sa.text("select count(*) from tally")) == 0


@pytest.mark.usefixtures("slow")
def test_what_is_slowly_counted_is_as_of_when_it_was_counted_until_the_sweep_counts_again(session: Session) -> None:
    make_person(session)
    before = now()
    counted = PEOPLE.rows(session)
    make_person(session)
    assert PEOPLE.rows(session) == counted
    assert counted.as_of >= before
    assert renew(session) == 1
    assert people(session) == 2


@pytest.mark.usefixtures("slow")
def test_nothing_is_shown_that_is_older_than_minutes(session: Session) -> None:
    make_person(session)
    people(session)
    make_person(session)
    session.execute(sa.text("update tally set as_of = :old"), {"old": now() - tally.KEPT})
    assert people(session) == 2


@pytest.mark.usefixtures("slow")
def test_what_nobody_looks_at_is_not_counted_again(session: Session) -> None:
    people(session)
    session.execute(sa.text("update tally set looked_at = :old"), {"old": now() - tally.LOOKED_AT})
    assert renew(session) == 0
    assert session.scalar(sa.text("select count(*) from tally")) == 0


@pytest.mark.usefixtures("slow")
def test_a_look_is_noted_so_that_what_is_looked_at_stays_fresh(session: Session) -> None:
    people(session)
    session.execute(sa.text("update tally set looked_at = :old"), {"old": now() - timedelta(minutes=10)})
    people(session)
    assert session.scalar(sa.text("select looked_at from tally")) > now() - timedelta(minutes=1)


@pytest.mark.usefixtures("slow")
def test_the_overview_says_as_of_when_its_figures_are(session: Session) -> None:
    make_person(session)
    first = figures.count(session)
    make_person(session)
    again = figures.count(session)
    assert (again.as_of, again.people) == (first.as_of, 1)
    assert again.people == sum(group.people for group in again.languages) == sum(group.people for group in again.custody)


def test_a_sweep_knows_every_tally_that_the_panel_looks_at() -> None:
    subprocess.run([sys.executable, "-c", SWEEPER], check=True)


@pytest.mark.usefixtures("slow")
def test_what_another_version_has_kept_is_forgotten(session: Session) -> None:
    make_person(session)
    people(session)
    session.execute(sa.text("update tally set name = 'of another version'"))
    assert renew(session) == 1
    assert session.scalar(sa.text("select count(*) from tally")) == 0


def test_two_tallies_never_share_a_name() -> None:
    with pytest.raises(ValueError, match="test"):
        Tally("test", "select 1")
