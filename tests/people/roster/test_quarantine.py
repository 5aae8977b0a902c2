"""Rows that could not go in: corrected on the screen or in a spreadsheet, or dismissed, and each handled once."""

import io
import json
from collections.abc import Mapping
from datetime import date
from uuid import UUID

import defusedcsv.csv
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from outreach.access import audit
from outreach.access.audit import COMMAND
from outreach.people.incident import Exposure
from outreach.people.roster import correcting, merging
from outreach.people.roster.imports import QuarantinedRow, RosterImport, RowState
from outreach.people.roster.problems import Fault
from tests.people.roster.conftest import TODAY, Bring, counts

GOOD = {"A-Number": "A900000001", "Full Name": "Brisa Muestra", "Date of Birth": "1990-04-13", "Phone": "+12025550100"}
BAD = {**GOOD, "A-Number": "A900000002", "Full Name": "=Ana Otra", "Date of Birth": "1990-02-30"}
Sessions = sessionmaker[Session]


def the_row(session: Session) -> QuarantinedRow:
    return session.scalars(sa.select(QuarantinedRow)).one()


def correct(sessions: Sessions, cells: Mapping[str, str]) -> list[str]:
    with sessions.begin() as session:
        row_id = the_row(session).id
        return [problem.code for problem in correcting.correct(session, row_id, cells, today=TODAY, by=COMMAND)]


def download(sessions: Sessions) -> list[list[str]]:
    with sessions() as session:
        import_id = session.scalars(sa.select(QuarantinedRow.import_id).order_by(QuarantinedRow.created_at)).first()
        assert import_id is not None
        return list(correcting.table(session, import_id))


def as_file(table: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    defusedcsv.csv.writer(text).writerows(table)
    return text.getvalue().encode()


def states(sessions: Sessions) -> list[str]:
    with sessions() as session:
        return list(session.scalars(sa.select(QuarantinedRow.state)))


def test_a_row_in_quarantine_keeps_its_cells_sealed_and_says_what_is_wrong(bring: Bring, sessions: Sessions) -> None:
    bring([GOOD, BAD])
    with sessions() as session:
        row = the_row(session)
        assert (row.row_number, row.state) == (3, RowState.OPEN)
        assert [(one["code"], one["column"]) for one in row.problems] == [(Fault.DATE_IMPOSSIBLE, "Date of Birth")]
        assert b"Otra" not in row.cells_sealed
        assert correcting.opened(session, row.id).cells == BAD


def test_a_corrected_row_goes_in_and_counts_as_an_exposure_of_its_incident(bring: Bring, sessions: Sessions) -> None:
    bring([GOOD, BAD])
    assert correct(sessions, {**BAD, "Date of Birth": "1990-02-28"}) == []
    with sessions() as session:
        assert counts(session)["person"] == counts(session)["exposure"] == 2
        assert session.scalars(sa.select(Exposure.import_id).distinct()).one() == the_row(session).import_id
        assert audit.entries(session, audit.Query(), limit=1)[0][0].action == "quarantine.correct"
    assert states(sessions) == [RowState.CORRECTED]
    assert bring([GOOD, {**BAD, "Date of Birth": "1990-02-28"}]).added.unchanged == 2


def test_a_correction_that_is_still_wrong_says_so_and_changes_nothing(bring: Bring, sessions: Sessions) -> None:
    bring([GOOD, BAD])
    assert correct(sessions, {**BAD, "Date of Birth": "1990-02-31"}) == [Fault.DATE_IMPOSSIBLE]
    other = {**BAD, "A-Number": GOOD["A-Number"], "Date of Birth": "1980-01-01"}
    assert correct(sessions, other) == [Fault.A_NUMBER_OF_ANOTHER]
    assert states(sessions) == [RowState.OPEN]
    with sessions() as session:
        assert counts(session)["person"] == 1


@pytest.mark.parametrize("handled", ["corrected", "dismissed"])
def test_a_row_is_handled_once(bring: Bring, sessions: Sessions, handled: str) -> None:
    bring([GOOD, BAD])
    with sessions.begin() as session:
        row_id = the_row(session).id
        if handled == "dismissed":
            correcting.dismiss(session, row_id, by=COMMAND)
        else:
            correcting.correct(session, row_id, {**BAD, "Date of Birth": "1990-02-28"}, today=TODAY, by=COMMAND)
    with pytest.raises(correcting.AlreadyHandled), sessions.begin() as session:
        correcting.dismiss(session, row_id, by=COMMAND)
    with pytest.raises(correcting.AlreadyHandled), sessions.begin() as session:
        correcting.correct(session, row_id, BAD, today=TODAY, by=COMMAND)
    report = bring([GOOD, BAD])
    assert (report.quarantined, report.quarantined_before) == (0, 1), "the same file does not bring it back"


def test_no_row_is_corrected_while_an_import_is_written(bring: Bring, sessions: Sessions) -> None:
    bring([GOOD, BAD])
    with sessions() as importing:
        merging.lock(importing)
        with pytest.raises(correcting.Busy):
            correct(sessions, {**BAD, "Date of Birth": "1990-02-28"})


def test_a_downloaded_row_that_comes_back_mended_closes_the_one_it_mends(bring: Bring, sessions: Sessions) -> None:
    bring([GOOD, BAD])
    headers, row = download(sessions)
    assert headers == [*BAD, "problem", "outreach_row"]
    assert row[:4] == list(BAD.values())
    assert row[4].startswith("“Date of Birth” is a day that does not exist")
    mended = [headers, [row[0], row[1], "1990-02-28", *row[3:]]]
    report = bring(as_file(mended))
    assert (report.added.new, report.corrected, report.quarantined) == (1, 1, 0)
    assert states(sessions) == [RowState.CORRECTED]
    with sessions() as session:
        assert counts(session)["contact_point"] == 1, "the guard against formulas was undone: it is the same phone"
    again = bring(as_file(mended))
    assert (again.added.unchanged, again.corrected) == (1, 0)


def test_a_downloaded_row_that_comes_back_as_it_was_stays_one(bring: Bring, sessions: Sessions) -> None:
    bring([GOOD, BAD])
    report = bring(as_file(download(sessions)))
    assert (report.quarantined, report.quarantined_before, report.corrected) == (0, 1, 0)
    assert states(sessions) == [RowState.OPEN]


def test_a_downloaded_row_that_comes_back_wrong_in_another_way_takes_its_old_place(bring: Bring, sessions: Sessions) -> None:
    bring([GOOD, BAD])
    headers, row = download(sessions)
    report = bring(as_file([headers, ["12", *row[1:]]]))
    assert (report.quarantined, report.quarantined_before) == (0, 1)
    with sessions() as session:
        found = correcting.opened(session, the_row(session).id)
    assert found.cells["A-Number"] == "12"
    assert {problem.code for problem in found.problems} == {Fault.A_NUMBER_LENGTH, Fault.DATE_IMPOSSIBLE}


def test_a_row_of_another_incident_is_not_closed_by_its_id(bring: Bring, sessions: Sessions) -> None:
    bring([GOOD, BAD], incident="A")
    headers, row = download(sessions)
    report = bring(as_file([headers, [row[0], row[1], "1990-02-28", *row[3:]]]), incident="B")
    assert (report.added.new, report.corrected) == (1, 0)
    assert states(sessions) == [RowState.OPEN]


def test_cells_beyond_the_headers_are_not_lost(bring: Bring, sessions: Sessions) -> None:
    bring(b"A-Number,Full Name,Date of Birth\nA900000001,Muestra, Brisa,1990-04-13\n")
    headers, row = download(sessions)
    assert headers == ["A-Number", "Full Name", "Date of Birth", "problem", "outreach_row"]
    assert (row[:3], row[5:]) == (["A900000001", "Muestra", " Brisa"], ["1990-04-13"])


def test_a_download_is_safe_to_open_in_a_spreadsheet_program(bring: Bring, sessions: Sessions) -> None:
    bring([GOOD, BAD])
    content = as_file(download(sessions)).decode()
    assert "'=Ana Otra" in content
    assert "'+12025550100" in content


def test_many_rows_are_downloaded_in_their_order(bring: Bring, sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correcting, "AT_ONCE", 3)
    bring([{**BAD, "A-Number": f"A90000001{n}"} for n in range(8)])
    assert [row[0] for row in download(sessions)[1:]] == [f"A90000001{n}" for n in range(8)]


def test_every_opening_and_download_is_in_the_audit_log_with_counts_only(bring: Bring, sessions: Sessions) -> None:
    bring([GOOD, BAD])
    with sessions.begin() as session:
        row = the_row(session)
        correcting.ask_to_open(session, row.id, by=COMMAND)
        assert correcting.record_download(session, row.import_id, by=COMMAND) == 1
        entries, _ = audit.entries(session, audit.Query(), limit=2)
        assert [(entry.action, entry.detail) for entry in entries] == [("quarantine.export", {"rows": 1}), ("quarantine.open", {})]
        with pytest.raises(correcting.NoSuchRow):
            correcting.ask_to_open(session, UUID(int=1), by=COMMAND)


def test_the_import_s_own_answers_are_used_for_a_corrected_row(bring: Bring, sessions: Sessions) -> None:
    from outreach.people.roster.columns import DateOrder

    bring(
        [{**GOOD, "Date of Birth": "03/04/1990"}, {**BAD, "Date of Birth": "31/31/1990"}],
        date_order=DateOrder.DMY,
        as_of=date(2023, 1, 1),
    )
    assert correct(sessions, {**BAD, "Date of Birth": "05/06/1991"}) == []
    with sessions() as session:
        assert json.dumps(session.scalars(sa.select(RosterImport.mapping)).one()).count('"dmy"') == 1
