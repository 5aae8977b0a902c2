"""Importing: nobody is lost, nobody is merged by accident, nothing is overwritten, and doing it twice changes nothing."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from outreach import db
from outreach.access import audit
from outreach.access.audit import COMMAND
from outreach.access.sealing import keys_for
from outreach.people import file
from outreach.people.contact import COUNTRY, VALUE, ContactKind, ContactPoint, PersonContact
from outreach.people.custody import CustodyEvent
from outreach.people.incident import Exposure
from outreach.people.person import Person
from outreach.people.roster import importing, merging, passes
from outreach.people.roster.columns import DateOrder
from outreach.people.roster.imports import ImportState, QuarantinedRow, RememberedMapping, RosterChunk, RosterImport
from outreach.people.roster.limits import Limits
from outreach.people.roster.problems import Fault
from outreach.people.roster.report import Report
from outreach.people.synth.bad_rows import bad_rows
from outreach.people.synth.person import HEADERS, person
from outreach.people.synth.rosters import Plan, first_incident, second_incident, write_csv, write_xlsx
from tests.people.roster.conftest import AS_OF, TODAY, Bring, contents, counts, roster_of

ROOT = Path(__file__).parents[3]
SAMPLE = {
    "A-Number": "A900-000-001", "Given Name": "Brisa", "Family Name": "Muestra", "Date of Birth": "1990-04-13",
    "Nationality": "Utopia", "Custody": "detained", "Custody Since": "2022-11-01", "Facility Code": "FIC",
    "Facility Name": "Fiction",
    "Language": "Spanish", "Phone": "+12025550100",
}  # fmt: skip
Row = Mapping[str, str]


def synthetic(rows: Iterable[dict[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    write_csv(text, rows)
    return text.getvalue().encode()


def opened(session: Session, person_id: UUID) -> file.File:
    return file.open_file(session, file.Permit((person_id,), in_full=True))


def the_person(session: Session) -> file.File:
    return opened(session, session.scalars(sa.select(Person.id)).one())


def codes(report: Report) -> dict[str, int]:
    return {kind.code: kind.count for kind in report.problems}


def remarked(report: Report) -> set[str]:
    return {kind.code for kind in report.remarks}


def test_two_incidents_that_share_46_people_are_6309_people_with_6355_exposures(
    bring: Bring, sessions: sessionmaker[Session]
) -> None:
    plan = Plan()
    first, second = synthetic(first_incident(plan)), synthetic(second_incident(plan))
    assert bring(first, incident="A").added.new == 6_252
    report = bring(second, incident="B")
    assert (report.added.new, report.added.updated) == (57, 46)
    with sessions() as session:
        found = counts(session)
        before = contents(session)
    assert (found["person"], found["exposure"], found["quarantined_row"]) == (6_309, 6_355, 0)
    again = [bring(first, incident="A"), bring(second, incident="B")]
    assert [(report.added.unchanged, report.rows) for report in again] == [(6_252, 6_252), (103, 103)]
    with sessions() as session:
        assert contents(session) == before


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "unchanged"),
        ({"Given Name": "BRISA", "Family Name": "muestra"}, "updated"),
        ({"Given Name": "Brisa Maria"}, "updated"),
        ({"Date of Birth": "1991-05-14"}, "updated"),
        ({"Given Name": "Ana", "Family Name": "Otra", "Date of Birth": "1991-05-14"}, Fault.A_NUMBER_OF_ANOTHER),
        ({"Given Name": "Ana", "Family Name": "Otra", "Date of Birth": ""}, Fault.A_NUMBER_OF_ANOTHER),
        ({"Given Name": "Ana", "Family Name": "Otra", "Date of Birth": "1990"}, Fault.A_NUMBER_OF_ANOTHER),
        ({"A-Number": "A900-000-002"}, "new"),
        ({"A-Number": ""}, "new"),
    ],
    ids=repr,
)
def test_a_row_is_a_known_person_only_by_a_number_and_a_second_fact(
    bring: Bring, sessions: sessionmaker[Session], changes: Row, outcome: str
) -> None:
    bring([SAMPLE], incident="A")
    report = bring([{**SAMPLE, **changes}], incident="B" if changes else "A")
    if isinstance(outcome, Fault):
        assert codes(report) == {outcome: 1}
        assert report.quarantined == 1
    else:
        assert getattr(report.added, outcome) == 1
    with sessions() as session:
        assert counts(session)["person"] == (2 if outcome == "new" else 1)


def test_a_year_of_birth_alone_is_no_second_fact(bring: Bring) -> None:
    bring([{**SAMPLE, "Date of Birth": "1990"}])
    report = bring([{**SAMPLE, "Given Name": "Ana", "Family Name": "Otra", "Date of Birth": "1990"}])
    assert codes(report) == {Fault.A_NUMBER_OF_ANOTHER: 1}


def test_two_a_numbers_of_two_people_are_set_aside(bring: Bring) -> None:
    other = {**SAMPLE, "A-Number": "A900-000-002", "Phone": ""}
    both = {**SAMPLE, "Other A-Number": other["A-Number"]}
    assert codes(bring([SAMPLE, other, both])) == {Fault.A_NUMBERS_OF_TWO: 1}


def test_a_workbook_with_the_rows_of_a_csv_file_adds_nothing_to_them(bring: Bring, sessions: sessionmaker[Session]) -> None:
    rows = [dict(person(1, index)) for index in range(60)]
    assert bring(synthetic(rows)).added.new == 60
    workbook = io.BytesIO()
    write_xlsx(workbook, rows)
    with sessions() as session:
        before = contents(session)
    assert bring(workbook.getvalue()).added.unchanged == 60
    with sessions() as session:
        assert contents(session) == before


def test_equal_rows_without_a_number_are_two_people_and_the_file_again_adds_nobody(
    bring: Bring, sessions: sessionmaker[Session]
) -> None:
    nameless = {**SAMPLE, "A-Number": ""}
    report = bring([nameless, SAMPLE, nameless])
    assert report.added.new == 3
    assert Fault.ROW_TWICE in remarked(report)
    assert bring([nameless, SAMPLE, nameless]).added.unchanged == 3
    assert bring([nameless]).added.unchanged == 1
    with sessions() as session:
        assert counts(session)["person"] == 3


def test_a_match_adds_what_was_not_known(bring: Bring, sessions: sessionmaker[Session]) -> None:
    poor = {key: SAMPLE[key] for key in ("A-Number", "Given Name", "Family Name", "Date of Birth")}
    bring([poor])
    rich = {
        **SAMPLE, "Given Name": "Briza", "Other A-Number": "A900000009", "Second Language": "English", "Reads": "yes",
        "Protected": "yes",
        "Posture": "final order", "Email": "brisa@example.org", "Native Name": "بريسا",
    }  # fmt: skip
    report = bring([rich], incident="B")
    assert (report.added.new, report.added.updated) == (0, 1)
    with sessions() as session:
        found = the_person(session)
    assert {(name.kind, name.whole) for name in found.names} == {
        ("recorded", "Brisa Muestra"), ("alias", "Briza Muestra"), ("native", "بريسا"),
    }  # fmt: skip
    assert found.a_numbers == ("A900000001", "A900000009")
    assert found.nationality == "Utopia"
    assert {contact.value for contact in found.contacts} == {"+12025550100", "brisa@example.org"}
    known = found.person
    assert (known.language, known.second_language, known.reads, known.protected) == ("es", "en", True, True)
    assert (known.posture, known.custody, known.custody_since) == ("final_order", "detained", date(2022, 11, 1))
    assert len(found.exposures) == 2


def test_a_match_overwrites_nothing_and_says_what_contradicts(bring: Bring, sessions: sessionmaker[Session]) -> None:
    bring([SAMPLE])
    report = bring([{**SAMPLE, "Date of Birth": "1991-01-02", "Language": "Russian", "Nationality": "Erewhon"}])
    assert {Fault.BIRTH_DATE_DIFFERS, Fault.LANGUAGE_DIFFERS} <= remarked(report)
    with sessions() as session:
        found = the_person(session)
    assert (found.birth_date, found.nationality, found.person.language) == ("1990-04-13", "Utopia", "es")


def test_a_shared_phone_is_one_contact_point_of_many_people(bring: Bring, sessions: sessionmaker[Session]) -> None:
    bring([{**SAMPLE, "A-Number": f"A90000010{n}", "Phone Role": role} for n, role in enumerate(("own", "sister", "shelter"))])
    with sessions() as session:
        point = session.scalars(sa.select(ContactPoint)).one()
        roles = session.scalars(sa.select(PersonContact.role).where(PersonContact.contact_point_id == point.id)).all()
    assert sorted(roles) == ["family", "own", "shelter"]
    assert point.time_zone == "America/New_York"


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [("", "yes", "yes"), ("yes", "no", "no"), ("no", "yes", "no"), ("never", "no", "never"), ("yes", "", "yes")],
)
def test_of_two_words_on_safety_the_more_careful_one_counts(
    bring: Bring, sessions: sessionmaker[Session], first: str, then: str, kept: str
) -> None:
    bring([{**SAMPLE, "Phone Safety": first}])
    bring([{**SAMPLE, "Phone Safety": then}])
    with sessions() as session:
        assert session.scalars(sa.select(PersonContact.safety)).one() == kept


def test_the_newest_roster_says_where_a_person_is_even_in_the_words_of_an_older_one(
    bring: Bring, sessions: sessionmaker[Session]
) -> None:
    released = {**SAMPLE, "Custody": "released", "Custody Since": "2022-12-20", "Facility Code": "", "Facility Name": ""}
    bring([SAMPLE], as_of=date(2022, 12, 1))
    bring([released], as_of=date(2022, 12, 21))
    bring([SAMPLE], as_of=date(2023, 1, 10))
    with sessions() as session:
        states = session.execute(sa.select(CustodyEvent.as_of, CustodyEvent.state).order_by(CustodyEvent.as_of)).all()
        assert [state for _, state in states] == ["detained", "released", "detained"]
        assert session.scalars(sa.select(Person.custody)).one() == "detained"
        assert counts(session)["person"] == 1


def test_a_facility_is_one_whatever_the_case_of_its_code(bring: Bring, sessions: sessionmaker[Session]) -> None:
    bring([SAMPLE, {**SAMPLE, "A-Number": "A900000002", "Facility Code": "fic"}])
    bring([{**SAMPLE, "A-Number": "A900000003", "Facility Code": "", "Facility Name": "FICTION"}])
    with sessions() as session:
        assert counts(session)["facility"] == 1


@pytest.mark.parametrize("name", ["محمد المثال", "李晨星", "Ñandú-Íñigo Ejemplo", "ਤਾਰੀਪਾਲ ਮਿਸਾਲ", "=HYPERLINK", "X"])
def test_a_name_in_any_script_comes_out_as_it_went_in(bring: Bring, sessions: sessionmaker[Session], name: str) -> None:
    bring([{"A-Number": "A900000001", "Full Name": name, "Date of Birth": "1990-04-13"}])
    with sessions() as session:
        assert [one.whole for one in the_person(session).names] == [name]


def test_a_postal_address_is_not_added_twice(bring: Bring, sessions: sessionmaker[Session]) -> None:
    row = {**SAMPLE, "Address 1": "12 Placeholder Rd", "City": "Imaginary Grove", "State": "GA", "ZIP": "30398"}
    bring([row])
    bring([{**row, "Given Name": "Briza"}], incident="B")
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).where(ContactPoint.kind == "post")) == 1


@pytest.mark.parametrize(("order", "born"), [(DateOrder.DMY, "1990-04-03"), (DateOrder.MDY, "1990-03-04")])
def test_a_date_that_can_be_read_in_two_ways_is_asked_for_and_never_guessed(
    bring: Bring, sessions: sessionmaker[Session], order: DateOrder, born: str
) -> None:
    rows = [{**SAMPLE, "Date of Birth": "03/04/1990"}, {**SAMPLE, "A-Number": "A900000002", "Date of Birth": "25/12/1990"}]
    with pytest.raises(importing.NotAnswered, match=r"Date of Birth.*day/month/year"):
        bring(rows)
    with sessions() as session:
        assert not any(counts(session).values())
        assert session.scalars(sa.select(RosterImport.state)).one() == ImportState.DISCARDED
    report = bring(rows[:1], date_order=order)
    assert report.added.new == 1
    with sessions() as session:
        assert the_person(session).birth_date == born


def test_the_order_of_dates_is_not_remembered_for_the_next_file(bring: Bring, sessions: sessionmaker[Session]) -> None:
    rows = [{**SAMPLE, "Date of Birth": "03/04/1990"}]
    bring(rows, date_order=DateOrder.DMY)
    with pytest.raises(importing.NotAnswered):
        bring(rows)
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(RememberedMapping)) == 1


def test_what_a_column_means_is_remembered(bring: Bring, sessions: sessionmaker[Session]) -> None:
    rows = [{"Alien ref": "A900000001", "Who": "Brisa Muestra", "Date of Birth": "1990-04-13"}]
    with pytest.raises(importing.NotAnswered, match="full_name"):
        bring(rows, fields={"Alien ref": "a_number"})
    assert bring(rows, fields={"alien REF": "a_number", "Who": "full_name"}).added.new == 1
    assert bring(rows).added.unchanged == 1


@pytest.mark.parametrize("fields", [{"No such column": "phone"}, {"Phone": "telephone number"}])
def test_a_column_or_field_that_there_is_not_is_refused_by_name(bring: Bring, fields: Row) -> None:
    with pytest.raises(importing.BadAnswer, match=r"no column|is no field"):
        bring([SAMPLE], fields=fields)


def test_every_bad_row_is_set_aside_with_what_is_wrong_with_it(bring: Bring, sessions: sessionmaker[Session]) -> None:
    wrong = list(bad_rows(1, 500, 36))
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HEADERS)
    writer.writerow(person(1, 0).values())
    writer.writerows(bad.cells for bad in wrong)
    report = bring(text.getvalue().encode(), date_order=DateOrder.YMD)
    assert (report.rows, report.added.new, report.quarantined) == (37, 1, 36)
    with sessions() as session:
        rows = session.scalars(sa.select(QuarantinedRow).order_by(QuarantinedRow.row_number)).all()
    found = {row.row_number: {(problem["code"], problem["column"]) for problem in row.problems} for row in rows}
    for number, bad in enumerate(wrong, 3):
        # That the order was said turns the question into an answer that does not fit.
        code = Fault.DATE_AGAINST_ORDER if bad.fault is Fault.DATE_ORDER_NEEDED else bad.fault
        assert (code, bad.column) in found[number], bad.comment
    again = bring(text.getvalue().encode(), date_order=DateOrder.YMD)
    assert (again.quarantined, again.quarantined_before) == (0, 36)


def test_the_dry_run_counts_what_the_import_does_and_leaves_nothing(bring: Bring, sessions: sessionmaker[Session]) -> None:
    bring([SAMPLE])
    rows = [
        {**SAMPLE, "Email": "brisa@example.org"}, {**SAMPLE, "A-Number": "A900000002"}, {**SAMPLE, "A-Number": "12"}, SAMPLE,
        {**SAMPLE, "Given Name": "Ana", "Date of Birth": "1980-01-01"},
    ]  # fmt: skip
    with sessions() as session:
        before = contents(session)
    import_id = begin(sessions, roster_of(*rows))
    rehearsed = importing.check(sessions, import_id, Limits(), today=TODAY)
    with sessions() as session:
        after = contents(session)
        assert session.get_one(RosterImport, import_id).state == ImportState.CHECKED
        first = passes.first_rows(session, session.get_one(RosterImport, import_id), Limits(), today=TODAY)
    assert {**after, "roster_chunk": [], "data_key": before["data_key"]} == before
    assert [type(row).__name__ for row in first] == ["ParsedRow", "ParsedRow", "BadRow", "ParsedRow", "ParsedRow"]
    done = importing.run(sessions, import_id, Limits(), today=TODAY)
    assert done.as_json() == rehearsed.as_json()
    assert (done.added.new, done.added.updated, done.added.unchanged, done.quarantined) == (1, 1, 1, 2)


def begin(sessions: sessionmaker[Session], content: bytes) -> UUID:
    return importing.begin(
        sessions, io.BytesIO(content), incident_code="T", title=None, occurred_on=None, as_of=AS_OF, limits=Limits(), by=COMMAND,
        fields={}, date_order=DateOrder.UNKNOWN, today=TODAY,
    )  # fmt: skip


def test_the_first_rows_of_a_large_file_take_its_beginning_only(sessions: sessionmaker[Session]) -> None:
    wide = [{**SAMPLE, "A-Number": f"A9{number:08}", "Remarks": "é" * 900} for number in range(700)]
    import_id = begin(sessions, roster_of(*wide))
    with sessions.begin() as session:
        session.execute(sa.delete(RosterChunk).where(RosterChunk.position > 0))
        record = session.get_one(RosterImport, import_id)
        assert len(passes.first_rows(session, record, Limits(), today=TODAY)) == 10
        assert len(passes.glance(session, record, Limits(), 100)) == 100


CANARY = "Zzyzxcanary"


def test_nothing_of_any_cell_is_outside_sealed_columns(
    bring: Bring, sessions: sessionmaker[Session], caplog: pytest.LogCaptureFixture
) -> None:
    good = {header: f"{CANARY} {header}" for header in ("Given Name", "Family Name", "Nationality", "Address 1", "City")}
    good |= {"A-Number": "A918273645", "Date of Birth": "1977-07-17", "Phone": "+12025550123", "Email": f"{CANARY}@example.org"}
    bad = {**good, "A-Number": f"{CANARY}", "Phone": CANARY, "Language": CANARY, "Custody": CANARY, "Posture": CANARY}
    bring([good, bad, {**good, "Date of Birth": CANARY}])
    with sessions() as session:
        rows = [tuple(row) for table in db.Base.metadata.sorted_tables for row in session.execute(sa.select(table))]
        assert counts(session)["quarantined_row"] == 2
    seen = f"{rows!r} {caplog.text}".lower()
    for secret in (CANARY, "918273645", "1977", "2025550123"):
        assert secret.lower() not in seen


def test_what_is_in_the_audit_log_are_counts(bring: Bring, sessions: sessionmaker[Session]) -> None:
    bring([SAMPLE, {**SAMPLE, "A-Number": "?"}])
    with sessions() as session:
        entries, _ = audit.entries(session, audit.Query(), limit=10)
        assert [entry.action for entry in entries] == ["import.run", "incident.add", "import.upload"]
        assert entries[0].detail == {
            "rows": 2, "new": 1, "updated": 0, "unchanged": 0, "quarantined": 1, "quarantined_before": 0,
        }  # fmt: skip
        assert audit.verify(session).problem is None


_numbers = count()
_cells = st.fixed_dictionaries({
    "A-Number": st.sampled_from(["", "A900000001", "A900000002", "A900000003; A900000002", "bad"]),
    "Full Name": st.sampled_from(["Brisa Muestra", "MUESTRA, Brisa", "Ana Otra", "李晨星", ""]),
    "Date of Birth": st.sampled_from(["1990-04-13", "1990", "", "1991-05-14"]),
    "Phone": st.sampled_from(["", "+12025550100", "+12025550101; +12025550100", "ask"]),
    "Email": st.sampled_from(["", "a@example.org"]),
    "Custody": st.sampled_from(["", "detained", "released"]),
    "Address": st.sampled_from(["", "12 Placeholder Rd, Imaginary Grove, GA 30398"]),
    "Language": st.sampled_from(["", "Spanish", "Chinese", "Russian"]),
})  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(_cells, min_size=1, max_size=8))
def test_any_file_imported_twice_is_as_if_it_was_imported_once(
    bring: Bring, sessions: sessionmaker[Session], rows: list[dict[str, str]]
) -> None:
    incident = f"H-{next(_numbers)}"
    first = bring(rows, incident=incident)
    with sessions() as session:
        before = contents(session)
    again = bring(rows, incident=incident)
    with sessions() as session:
        assert contents(session) == before
    assert again.added.unchanged == first.rows - first.quarantined - first.quarantined_before
    for report in (first, again):
        added = report.added
        assert report.rows == added.new + added.updated + added.unchanged + report.quarantined + report.quarantined_before


def test_an_exposure_names_what_the_row_held(bring: Bring, sessions: sessionmaker[Session]) -> None:
    bring([SAMPLE, {"Full Name": "Ana Otra", "Date of Birth": "1980-01-02"}])
    with sessions() as session:
        held = {tuple(elements) for elements in session.scalars(sa.select(Exposure.elements))}
    assert held == {("name", "a_number", "birth_date", "nationality", "facility"), ("name", "birth_date")}


@pytest.mark.parametrize(
    ("country", "zones", "zone"),
    [
        ("US", ("America/New_York",), "America/New_York"),
        ("US", ("America/Chicago", "America/New_York"), None),
        ("CU", ("America/Havana",), "America/Havana"),
        ("MX", ("America/Cancun", "America/Mexico_City", "America/Tijuana"), "America/Mexico_City"),
        (None, (), None),
    ],
)
def test_a_number_of_several_time_zones_gets_none_at_home_and_the_middle_one_abroad(
    country: str | None, zones: tuple[str, ...], zone: str | None
) -> None:
    assert merging.time_zone(country, zones) == zone


def test_addresses_are_graded_by_what_all_of_them_say(bring: Bring, sessions: sessionmaker[Session]) -> None:
    def somebody(number: int, address: str, **more: str) -> dict[str, str]:
        return {"Name": f"Sol Ficticio {number}", "A#": f"A90000000{number}", "Address": address, **more}

    bring([
        *(somebody(number, "12 Sample Road, Sampleton, TX 78701") for number in range(3)),
        somebody(3, "14 Sample Road Apt 1, Sampleton, TX 78701"),
        somebody(4, "14 Sample Road #2, Sampleton, TX 78701"),
        somebody(5, "14 Sample Rd, Sampleton, TX 78701"),
        somebody(6, "Calle Inventada 5, Ciudad Ejemplo, Guatemala"),
        somebody(7, "Embassy of Utopia, 5 Sample Road, Washington, DC 20001", Email="archive@consulate.example.org"),
        somebody(8, "homeless"),
    ], limits=Limits(address_reuse=2))  # fmt: skip

    with sessions() as session:
        posts = session.scalars(sa.select(ContactPoint).where(ContactPoint.kind == ContactKind.POST)).all()
        email = session.scalars(sa.select(ContactPoint).where(ContactPoint.kind == ContactKind.EMAIL)).one()
        keys = keys_for(session, [post.id for post in posts])
    found = [(keys[post.id].open(VALUE, post.id, post.value_sealed), post) for post in posts]
    assert sorted((lines, post.grade) for lines, post in found) == [
        *[("12 Sample Road, Sampleton, TX 78701", "crowded")] * 3,
        ("14 Sample Rd, Sampleton, TX 78701", "no_unit"),
        ("14 Sample Road #2, Sampleton, TX 78701", "good"),
        ("14 Sample Road Apt 1, Sampleton, TX 78701", "good"),
        ("Calle Inventada 5, Ciudad Ejemplo", "foreign"),
        ("Embassy of Utopia, 5 Sample Road, Washington, DC 20001", "denied"),
        ("homeless", "blank"),
    ]
    never = [point for point in (*posts, email) if point.state != "usable"]
    assert [(point.state, point.state_reason) for point in never] == [("bad", "denied:foreign_government")] * 2
    (abroad,) = (post for post in posts if post.country_sealed)
    assert abroad.country_sealed
    assert keys[abroad.id].open(COUNTRY, abroad.id, abroad.country_sealed) == "GT"
    assert (abroad.place_zones, abroad.time_zone) == (["America/Guatemala"], None)


def test_an_address_becomes_crowded_by_a_later_roster(bring: Bring, sessions: sessionmaker[Session]) -> None:
    for number in range(3):
        bring(
            [{"Name": f"Sol Ficticio {number}", "A#": f"A90000000{number}", "Address": "12 Sample Road, Sampleton, TX 78701"}],
            incident=f"T-{number}", limits=Limits(address_reuse=2),
        )  # fmt: skip

    with sessions() as session:
        assert session.scalars(sa.select(ContactPoint.grade)).all() == ["crowded"] * 3
