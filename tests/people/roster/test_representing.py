"""Attorneys in rosters: known by number or by name and address, never merged, never ended, nothing of it keeps a person out."""

import io
from collections.abc import Mapping
from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from outreach.access.accounts import Role
from outreach.people.attorney import AppearanceForm, Attorney, Ending, Representation, file, record, representation
from outreach.people.attorney.particulars import Particulars
from outreach.people.file import Reader
from outreach.people.person import Person
from outreach.people.roster import importing
from outreach.people.roster.limits import Limits
from outreach.people.roster.problems import Fault
from outreach.people.roster.report import Report
from outreach.people.synth.rosters import Plan, first_incident, second_incident, write_csv
from outreach.people.synth.settling import settle
from tests.factories import make_account
from tests.people.roster.conftest import AS_OF, TODAY, Bring, roster_of

Row = Mapping[str, str]
CLIENT = {"A-Number": "A900-000-001", "Name": "MUESTRA, Brisa", "Date of Birth": "1990-04-13", "Custody": "removed"}
COUNSEL = {
    "Attorney": "Avery Q. Sample", "Law Firm": "Example Legal Aid", "EOIR ID": "ZZ000123", "Attorney Bar State": "CA",
    "Attorney Bar Number": "00123", "Attorney Email": "avery@example.org", "Attorney Phone": "(202) 555-0142",
    "Attorney Address": "100 Sample Ave, Suite 4\nSample City, TX 75001", "G-28": "2022-11-02", "EOIR-28": "",
}  # fmt: skip
ROW = CLIENT | COUNSEL
LATER = date(2023, 1, 30)


def client(number: int, **cells: str) -> dict[str, str]:
    return {**ROW, "A-Number": f"A900-000-{number:03}", "Name": f"MUESTRA, Brisa {number}", **cells}


def remarked(report: Report) -> dict[str, str]:
    return {kind.code: kind.column for kind in report.remarks if kind.code != "language_missing"}


def held(session: Session) -> list[tuple[str, date | None, bool]]:
    rows = session.scalars(sa.select(Representation).order_by(Representation.form, Representation.id))
    return [(one.form, one.filed_on, one.ended_at is None) for one in rows]


def count(session: Session, table: type) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def only(session: Session) -> Particulars:
    """The particulars of the one attorney there is."""
    attorney_id = session.scalars(sa.select(Attorney.id)).one()
    found = file.open_file(session, file.Permit((attorney_id,))).particulars
    assert found is not None
    return found


def test_a_row_brings_its_attorney_with_everything_said_of_them_to_be_verified(
    bring: Bring, sessions: sessionmaker[Session]
) -> None:
    report = bring([ROW])
    assert (report.added.attorneys, report.added.representations, report.added.new) == (1, 1, 1)
    with sessions() as session:
        found = only(session)
        assert (found.name, found.firm, found.eoir_id, found.bar) == (
            "Avery Q. Sample",
            "Example Legal Aid",
            "ZZ000123",
            "CA:00123",
        )
        assert (found.email, found.phone, found.grade) == ("avery@example.org", "+12025550142", "good")
        one = session.scalars(sa.select(Representation)).one()
        assert (one.form, one.filed_on, one.source, one.verified_at) == ("g28", date(2022, 11, 2), "roster", None)
        assert one.source_id is not None


@pytest.mark.parametrize("as_of", [AS_OF, LATER])
def test_the_same_roster_again_adds_nothing(bring: Bring, sessions: sessionmaker[Session], as_of: date) -> None:
    rows = [
        ROW,
        client(2, **{"EOIR ID": "", "Attorney Bar State": "", "Attorney Bar Number": ""}),
        client(3, **dict.fromkeys(set(COUNSEL) - {"Attorney", "Law Firm"}, ""), Attorney="Blake Example"),
        {**client(4), "A-Number": "", "EOIR-28": "yes"},
    ]
    bring(rows)
    with sessions() as session:
        before = (count(session, Attorney), held(session))
    report = bring(rows, as_of=as_of)
    assert (report.added.attorneys, report.added.representations, report.added.new) == (0, 0, 0)
    with sessions() as session:
        assert (count(session, Attorney), held(session)) == before
        assert count(session, Person) == 4


def test_a_roster_that_was_imported_without_its_attorneys_brings_them_when_it_comes_again(
    bring: Bring, sessions: sessionmaker[Session]
) -> None:
    bring([CLIENT, {**client(2), "A-Number": ""} | dict.fromkeys(COUNSEL, "")])
    report = bring([ROW, {**client(2), "A-Number": ""}])
    assert (report.added.updated, report.added.unchanged, report.added.representations) == (2, 0, 2)
    with sessions() as session:
        assert (count(session, Person), count(session, Attorney)) == (2, 1)


@pytest.mark.parametrize(
    ("cells", "attorneys", "remark"),
    [
        ({}, 1, None),
        ({"EOIR ID": "zz 000-123", "Attorney Bar Number": "", "Attorney Email": "", "Attorney Phone": ""}, 1, None),
        ({"EOIR ID": "", "Attorney Email": "", "Attorney Phone": ""}, 1, None),
        ({"EOIR ID": "", "Attorney Bar Number": ""}, 1, None),
        ({"EOIR ID": "", "Attorney Bar Number": "", "Attorney Email": ""}, 1, None),
        ({"Attorney": "A. Sample"}, 1, Fault.ATTORNEY_DIFFERS),
        ({"Attorney Email": "other@example.org"}, 1, Fault.ATTORNEY_DIFFERS),
        # A firm's address, and another name: another attorney.
        ({"EOIR ID": "", "Attorney Bar Number": "", "Attorney": "Blake Example"}, 2, None),
        ({"EOIR ID": "ZZ000777", "Attorney Bar Number": "777"}, 2, None),
        # A wrong digit is another attorney's number: nobody is entered.
        ({"Attorney": "Blake Example"}, 1, Fault.ATTORNEYS_OF_TWO),
        ({"EOIR ID": "ZZ000777"}, 1, Fault.ATTORNEYS_OF_TWO),
    ],
    ids=repr,
)
def test_an_attorney_is_known_by_a_number_or_by_name_and_address(
    bring: Bring, sessions: sessionmaker[Session], cells: Row, attorneys: int, remark: Fault | None
) -> None:
    bring([ROW])
    report = bring([client(2, **cells)])
    assert report.added.new == 1
    assert set(remarked(report)) == ({remark} if remark else set())
    with sessions() as session:
        assert count(session, Attorney) == attorneys
        assert count(session, Representation) == (1 if remark is Fault.ATTORNEYS_OF_TWO else 2)


def test_what_is_blank_in_a_known_record_is_filled_and_nothing_is_overwritten(
    bring: Bring, sessions: sessionmaker[Session]
) -> None:
    bring([client(1, **{"Law Firm": "", "Attorney Email": "", "Attorney Phone": "", "Attorney Address": "", "G-28": "yes"})])
    bring([{**ROW, "Attorney Email": "avery@example.org"}], as_of=LATER)
    bring([client(2, **{"Law Firm": "Another Firm", "Attorney Phone": "(202) 555-0199"})], as_of=LATER)
    with sessions() as session:
        found = only(session)
        assert (found.firm, found.email, found.phone) == ("Example Legal Aid", "avery@example.org", "+12025550142")
        assert held(session)[0] == ("g28", date(2022, 11, 2), True), "the day of filing was not known, and is now"


@pytest.mark.parametrize(
    ("cells", "forms", "remarks"),
    [
        ({"G-28": "yes", "EOIR-28": "2022-10-01"}, [("eoir28", date(2022, 10, 1)), ("g28", None)], []),
        ({"G-28": "", "EOIR-28": ""}, [("g28", None)], [Fault.APPEARANCE_MISSING]),
        ({"G-28": "no", "EOIR-28": "no"}, [], [Fault.APPEARANCE_NONE]),
        ({"G-28": "pending"}, [("g28", None)], [Fault.APPEARANCE_UNREADABLE, Fault.APPEARANCE_MISSING]),
        ({"G-28": "2022"}, [("g28", None)], [Fault.DATE_NOT_EXACT, Fault.APPEARANCE_MISSING]),
        ({"Attorney": ""}, [], [Fault.ATTORNEY_NAME_MISSING]),
        ({"EOIR ID": "?"}, [("g28", date(2022, 11, 2))], [Fault.EOIR_ID_UNREADABLE]),
        ({"Attorney Email": "avery at example"}, [("g28", date(2022, 11, 2))], [Fault.EMAIL_INVALID]),
        ({"Attorney Bar State": "Utopia"}, [("g28", date(2022, 11, 2))], [Fault.BAR_STATE_UNKNOWN]),
    ],
    ids=repr,
)
def test_nothing_wrong_with_an_attorney_keeps_a_person_out(
    bring: Bring, sessions: sessionmaker[Session], cells: Row, forms: list[tuple[str, date | None]], remarks: list[Fault]
) -> None:
    report = bring([{**ROW, **cells}])
    assert (report.added.new, report.quarantined) == (1, 0)
    assert set(remarked(report)) == set(remarks)
    with sessions() as session:
        assert [(form, on) for form, on, _ in held(session)] == forms


def test_an_attorney_named_later_stands_beside_the_earlier_one_and_staff_are_told(
    bring: Bring, sessions: sessionmaker[Session]
) -> None:
    bring([ROW])
    other = {"Attorney": "Blake Example", "EOIR ID": "ZZ000777", "Attorney Bar Number": "777", "Attorney Email": "b@example.org"}
    later = bring([{**ROW, **other}], as_of=LATER)
    assert set(remarked(later)) == {Fault.ATTORNEY_ANOTHER}
    with sessions() as session:
        assert [still for _, _, still in held(session)] == [True, True]
    assert remarked(bring([{**ROW, **other}], as_of=LATER)) == {}, "said once"


def test_what_staff_ended_does_not_come_back_with_a_roster(bring: Bring, sessions: sessionmaker[Session]) -> None:
    bring([ROW])
    with sessions.begin() as session:
        by = Reader(make_account(session).actor, supervises=False)
        found = session.scalars(sa.select(Representation)).one()
        representation.end(session, found.id, ended_as=Ending.WITHDRAWN, on=date(2022, 12, 1), by=by)
    again = bring([ROW], as_of=LATER)
    assert (set(remarked(again)), again.added.representations) == ({Fault.ATTORNEY_ENDED}, 0)
    filed_anew = bring([{**ROW, "G-28": "2023-01-15"}], as_of=LATER)
    assert filed_anew.added.representations == 1


def test_whoever_imported_does_not_verify(bring: Bring, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        account = make_account(session, Role.SUPERVISOR)
    importing.import_file(
        sessions, io.BytesIO(roster_of(ROW)), incident_code="T", as_of=AS_OF, today=TODAY, limits=Limits(), by=account.actor
    )
    with sessions.begin() as session:
        found = session.scalars(sa.select(Representation)).one()
        with pytest.raises(representation.OwnWork):
            representation.verify(session, found.id, by=Reader(account.actor, supervises=True))


def test_an_import_of_an_attorney_entered_by_hand_finds_them(bring: Bring, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        by = make_account(session).actor
        record.enter(session, Particulars(name="Avery Q. Sample", eoir_id="ZZ000123"), by=by)
    assert bring([ROW]).added.attorneys == 0


def test_synthetic_rosters_have_clinics_pairs_and_attorneys_who_cannot_be_reached(
    bring: Bring, sessions: sessionmaker[Session]
) -> None:
    plan = Plan(people=1_500, second=60, shared=40)
    for rows, code in ((first_incident(plan), "A"), (second_incident(plan), "B")):
        text = io.StringIO(newline="")
        write_csv(text, rows)
        bring(text.getvalue().encode(), incident=code)
    per_attorney = sa.select(sa.func.count(Representation.person_id.distinct())).group_by(Representation.attorney_id)
    per_person = sa.select(sa.func.count(Representation.attorney_id.distinct())).group_by(Representation.person_id)
    with sessions.begin() as session:
        assert 0.3 < len(session.scalars(per_person).all()) / count(session, Person) < 0.4
        assert 25 < max(session.scalars(per_attorney)) <= 60
        assert max(session.scalars(per_person)) == 2
        unreachable = sa.select(sa.func.count()).where(Attorney.email_point_id.is_(None))
        assert 0.1 < (session.scalar(unreachable) or 0) / count(session, Attorney) < 0.3
        assert set(session.scalars(sa.select(Representation.form))) == set(AppearanceForm)
        by = Reader(make_account(session, Role.SUPERVISOR).actor, supervises=True)
        standing = settle(session, seed=1, on=AS_OF, by=by)
        assert standing["live"] > standing["waiting"] > 20
        assert standing["ended"] > 10
        assert settle(session, seed=1, on=AS_OF, by=by) == standing
