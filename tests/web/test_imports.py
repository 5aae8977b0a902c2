"""Imports in the panel: from the upload to the people, and what happens to rows that could not go in.

Workers commit and run beside the panel, so these tests have a database that is really written to.
"""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from outreach import db, jobs
from outreach.access import audit
from outreach.access.accounts import Role
from outreach.access.sealing import Vault
from outreach.db import now
from outreach.people.person import Person
from outreach.people.roster import importing, merging
from outreach.people.roster.fields import Field
from outreach.people.roster.imports import ImportState, QuarantinedRow, RosterChunk, RosterImport, RowState
from outreach.people.roster.limits import Limits
from outreach.people.roster.problems import FileFault
from outreach.settings import Settings
from outreach.web.staff import roster_words
from outreach.web.uploads import PIECE, SealedSpool
from tests.web.conftest import Fetch, SignIn, form_token, submit

HEADER = "A-Number,Name,Date of Birth,Custody,Language,Phone\n"
GOOD = "A900000001,Layla SAMPLE,1990-04-13,released,Arabic,+12025550100\n"
BAD = "A900000002,Ana SAMPLE,1990-02-30,detained,Spanish,+12025550101\n"
Upload = Callable[..., tuple[UUID | None, str]]


@pytest.fixture
def sessions(clean_database: str, engine: sa.Engine, vault: Vault) -> sessionmaker[Session]:
    """Sessions that really commit, unlike those of the other pages' tests."""
    return db.make_sessions(engine, vault)


@pytest.fixture(scope="session")
def web_settings(web_settings: Settings) -> Settings:
    """With a limit that a test can reach."""
    return replace(web_settings, roster_max_bytes=100_000)


@pytest.fixture
def officer(sign_in: SignIn) -> FlaskClient:
    return sign_in(Role.OFFICER)


@pytest.fixture
def upload(officer: FlaskClient) -> Upload:
    """`upload(content)`: send a file for a new incident. The id of the import, or None, and the page that answered."""

    def upload(content: str | bytes, **fields: str) -> tuple[UUID | None, str]:
        file = io.BytesIO(content.encode() if isinstance(content, str) else content)
        form: dict[str, object] = {"incident": "new", "code": "T-1", "title": "Test", "as_of": "2023-01-19", **fields}
        form |= {"csrf_token": form_token(officer), "file": (file, "Zzyzxcanary names.csv")}
        answer = officer.post("/imports", data=form)
        found = re.search(r"/imports/([0-9a-f-]{36})", answer.headers.get("Location", ""))
        return (UUID(found[1]) if found else None), answer.text

    return upload


@pytest.fixture
def work(
    rings: list[tuple[object, ...]], sessions: sessionmaker[Session], web_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Do what the panel has rung for, as a worker does."""
    monkeypatch.setattr(jobs, "machine", lambda: jobs.Machine(web_settings, sessions))

    def work() -> None:
        for job, import_id in rings:
            assert job in (jobs.check_roster, jobs.run_roster)
            assert job in jobs.ALLOWED.values()
            (jobs.check_roster if job is jobs.check_roster else jobs.run_roster)(str(import_id))
        rings.clear()

    return work


def test_a_roster_becomes_people(
    officer: FlaskClient, upload: Upload, work: Callable[[], None], page: Fetch, sessions: sessionmaker[Session]
) -> None:
    assert "No roster was imported yet" in page(officer, "/imports").text
    import_id, _ = upload(HEADER + GOOD + BAD)
    address = f"/imports/{import_id}"
    assert "is being looked through" in page(officer, address).text
    work()
    checked = page(officer, address)
    assert "Ready to import" in checked.text
    assert "New people 1" in checked.text
    assert "Layla SAMPLE" in checked.text
    assert "a day that does not exist" in checked.text
    assert submit(officer, f"{address}/start").status_code == 302
    assert "Row 0 of 2" in page(officer, address).text
    work()
    done = page(officer, address)
    assert "Rows that wait to be corrected: 1" in done.text
    assert f"{address}/rows" in done.links()
    assert "T-1" in page(officer, "/imports").text
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Person)) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(RosterChunk)) == 0
        actions = [entry.action for entry in audit.entries(session, audit.Query(), limit=50)[0]]
        everything = repr([tuple(row) for row in session.execute(sa.select(RosterImport.__table__))])
    assert {"import.upload", "import.look", "import.start", "import.run", "incident.add"} <= set(actions)
    assert "Zzyzxcanary" not in everything, "the name of the file is not kept"


@pytest.mark.parametrize(
    ("content", "fields", "sentence"),
    [
        ("", {}, "This file is empty"),
        (b"%PDF-1.7", {}, "This is a PDF document"),
        (HEADER, {}, "no people under them"),
        (HEADER + GOOD, {"as_of": ""}, "Give the date on which the roster was true"),
        (HEADER + GOOD, {"as_of": "19/01/2023"}, "Write the date as year-month-day"),
        (HEADER + GOOD, {"as_of": "2190-01-01"}, "lies in the future"),
        (HEADER + GOOD, {"code": ""}, "Give the new incident a code and a title"),
        (HEADER + GOOD, {"incident": "nonsense"}, "Choose the incident"),
        (HEADER + GOOD, {"sheet": ""}, None),
    ],
)
def test_what_is_wrong_with_an_upload_is_said_at_once_and_nothing_is_kept(
    upload: Upload, sessions: sessionmaker[Session], content: str | bytes, fields: dict[str, str], sentence: str | None
) -> None:
    import_id, answer = upload(content, **fields)
    with sessions() as session:
        kept = session.scalar(sa.select(sa.func.count()).select_from(RosterImport))
    if sentence is None:
        assert (import_id is not None, kept) == (True, 1)
    else:
        assert sentence in answer
        assert (import_id, kept) == (None, 0)


def test_a_form_without_a_file_is_answered_in_words(officer: FlaskClient) -> None:
    assert "Choose the file to import" in submit(officer, "/imports", {"incident": "new"}).text


def test_a_code_that_is_taken_is_answered_in_words(upload: Upload, sessions: sessionmaker[Session]) -> None:
    upload(HEADER + GOOD)
    import_id, answer = upload(HEADER + GOOD)
    assert import_id is None
    assert "There is an incident with this code already" in answer


@pytest.mark.parametrize("extra", [1, 300_000])
def test_a_file_larger_than_the_limit_is_refused(
    upload: Upload, web_settings: Settings, sessions: sessionmaker[Session], extra: int
) -> None:
    import_id, answer = upload(HEADER + "x" * (web_settings.roster_max_bytes - len(HEADER) + extra))
    assert import_id is None
    assert "at most" in answer or "too large" in answer
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(RosterChunk)) == 0


def test_dates_in_doubt_are_asked_for_before_anything_is_counted(
    officer: FlaskClient, upload: Upload, work: Callable[[], None], page: Fetch, sessions: sessionmaker[Session]
) -> None:
    import_id, _ = upload(HEADER + GOOD.replace("1990-04-13", "03/04/1990"))
    work()
    address = f"/imports/{import_id}"
    assert officer.get(address).headers["Location"] == f"{address}/columns"
    asked = page(officer, f"{address}/columns")
    assert "How does “Date of Birth” write its dates?" in asked.text
    assert "either: 1" in asked.text
    assert not [field for field in asked.all("input") if field.get("type") == "radio" and "checked" in field], (
        "nothing is suggested"
    )
    meanings = {
        "column-0": "a_number",
        "column-1": "full_name",
        "column-2": "birth_date",
        "column-3": "custody",
        "column-5": "phone",
    }
    unanswered = page(officer, f"{address}/columns", status=400, post=meanings)
    assert "Say how “Date of Birth” writes its dates" in unanswered.text
    assert submit(officer, f"{address}/columns", meanings | {"order-2": "dmy"}).status_code == 302
    work()
    checked = page(officer, address)
    assert "3 Apr 1990" in checked.text
    assert "These columns are left out, because nobody said what they mean: Language" in checked.text
    with sessions() as session:
        assert session.scalars(sa.select(RosterImport.state)).one() == ImportState.CHECKED


@pytest.mark.parametrize(
    ("meanings", "sentence"),
    [
        ({"column-0": "full_name", "column-1": "full_name", "column-2": "birth_date"}, "are both “Full name”"),
        ({"column-0": "a_number"}, "No column is chosen for: Full name or Family name or Given name"),
        ({"column-1": "full_name"}, "No column is chosen for: A-number or Date of birth"),
    ],
)
def test_meanings_that_contradict_or_miss_something_are_not_saved(
    officer: FlaskClient, upload: Upload, work: Callable[[], None], page: Fetch, meanings: dict[str, str], sentence: str
) -> None:
    import_id, _ = upload(HEADER + GOOD)
    work()
    blank = {f"column-{index}": "" for index in range(6)}
    answer = page(officer, f"/imports/{import_id}/columns", status=400, post=blank | meanings)
    assert sentence in answer.text
    chosen = re.findall(r'<option value="(\w+)" selected', answer.html)
    assert chosen == list(meanings.values()), "what was typed is kept"


def test_the_page_says_how_far_it_is_and_when_no_worker_comes(
    officer: FlaskClient, upload: Upload, work: Callable[[], None], sessions: sessionmaker[Session]
) -> None:
    import_id, _ = upload(HEADER + GOOD)
    address = f"/imports/{import_id}/live?state=uploaded"
    early, late = officer.get(f"{address}&waited=0").text, officer.get(f"{address}&waited=20").text
    assert "No worker has picked this up yet" not in early
    assert "No worker has picked this up yet" in late
    assert "waited=22" in late
    work()
    assert officer.get(address).headers["HX-Refresh"] == "true"


def test_a_failed_import_says_why_in_the_reader_s_language(
    sign_in: SignIn, upload: Upload, page: Fetch, rings: list[tuple[object, ...]], sessions: sessionmaker[Session]
) -> None:
    import_id, _ = upload(HEADER + GOOD * 50 + 'A900009999,"Never closed')
    assert import_id is not None
    with pytest.raises(Exception, match="quotation mark"):
        importing.check(sessions, import_id, Limits(), today=now().date())
    spanish = page(sign_in(Role.SUPERVISOR, locale="es"), f"/imports/{import_id}")
    with sessions() as session:
        record = session.get_one(RosterImport, import_id)
    assert record.error is not None
    assert record.error not in spanish.text
    failed = record.report["failed"]
    assert isinstance(failed, dict)
    assert failed["code"] == FileFault.QUOTE_NOT_CLOSED


def _broken(_session: Session) -> None:
    raise ZeroDivisionError


def test_an_import_that_fails_by_our_fault_halts_until_somebody_starts_it_again(
    officer: FlaskClient, upload: Upload, page: Fetch, work: Callable[[], None], sessions: sessionmaker[Session],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import_id, _ = upload(HEADER + GOOD)
    with monkeypatch.context() as broken:
        broken.setattr(merging, "lock", _broken)
        with pytest.raises(ZeroDivisionError):
            work()
    with sessions() as session:
        assert importing.forgotten(session) == [], "it is not tried every minute"
    assert "stopped because of a fault of the system" in page(officer, f"/imports/{import_id}").text
    assert submit(officer, f"/imports/{import_id}/check").status_code == 302
    work_again = page(officer, f"/imports/{import_id}")
    assert "is being looked through" in work_again.text


def test_an_import_whose_ring_was_lost_is_found_by_the_sweep(
    upload: Upload, rings: list[tuple[object, ...]], sessions: sessionmaker[Session]
) -> None:
    import_id, _ = upload(HEADER + GOOD)
    with sessions() as session:
        assert importing.forgotten(session) == [(import_id, False)]


def test_a_discarded_import_leaves_no_file(
    officer: FlaskClient, upload: Upload, page: Fetch, sessions: sessionmaker[Session]
) -> None:
    import_id, _ = upload(HEADER + GOOD)
    assert submit(officer, f"/imports/{import_id}/discard").status_code == 302
    assert "its file is deleted" in page(officer, f"/imports/{import_id}").text
    assert submit(officer, f"/imports/{import_id}/start").status_code == 409
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(RosterChunk)) == 0


@pytest.fixture
def set_aside(officer: FlaskClient, upload: Upload, work: Callable[[], None], sessions: sessionmaker[Session]) -> UUID:
    """The id of a row in quarantine, whose date of birth does not exist."""
    import_id, _ = upload(HEADER + GOOD + BAD)
    work()
    submit(officer, f"/imports/{import_id}/start")
    work()
    with sessions() as session:
        return session.scalars(sa.select(QuarantinedRow.id)).one()


CELLS = dict(zip((f"cell-{n}" for n in range(6)), BAD.strip().split(","), strict=True))


def test_a_row_is_corrected_on_the_screen(
    officer: FlaskClient, set_aside: UUID, page: Fetch, sessions: sessionmaker[Session]
) -> None:
    address = f"/imports/rows/{set_aside}"
    form = page(officer, address)
    assert "Ana SAMPLE" in form.html
    (wrong,) = [field for field in form.all("input") if field.get("aria-invalid") == "true"]
    assert wrong["value"] == "1990-02-30"
    again = page(officer, address, status=400, post=CELLS | {"cell-2": "1990-02-31"})
    assert "Something is still wrong" in again.text
    assert 'value="1990-02-31"' in again.html
    with sessions() as session:
        import_id = session.scalars(sa.select(RosterImport.id)).one()
    assert submit(officer, address, CELLS | {"cell-2": "1990-02-28"}).headers["Location"] == f"/imports/{import_id}/rows"
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Person)) == 2
        row = session.get_one(QuarantinedRow, set_aside)
        assert row.state == RowState.CORRECTED
        assert row.handled_by is not None
    assert "No row of this import waits" in page(officer, f"/imports/{import_id}/rows").text
    assert officer.get(address).status_code == 409


def test_a_row_is_dismissed_once(officer: FlaskClient, set_aside: UUID, sessions: sessionmaker[Session]) -> None:
    assert submit(officer, f"/imports/rows/{set_aside}/dismiss").status_code == 302
    assert submit(officer, f"/imports/rows/{set_aside}/dismiss").status_code == 409
    with sessions() as session:
        assert session.get_one(QuarantinedRow, set_aside).state == RowState.DISMISSED


def test_no_row_is_corrected_while_a_roster_is_being_imported(
    officer: FlaskClient, set_aside: UUID, sessions: sessionmaker[Session]
) -> None:
    with sessions() as importing_now:
        merging.lock(importing_now)
        answer = submit(officer, f"/imports/rows/{set_aside}", CELLS | {"cell-2": "1990-02-28"})
    assert answer.status_code == 409
    assert "wait until it is done" in answer.text


def test_the_rows_are_downloaded_to_be_mended_and_that_is_recorded(
    officer: FlaskClient, set_aside: UUID, sessions: sessionmaker[Session]
) -> None:
    with sessions() as session:
        import_id = session.scalars(sa.select(RosterImport.id)).one()
    answer = submit(officer, f"/imports/{import_id}/rows.csv")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "attachment" in answer.headers["Content-Disposition"]
    headers, row = csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"), newline=""))
    assert headers[-2:] == ["problem", "outreach_row"]
    assert row[0] == "A900000002"
    assert row[5] == "'+12025550101"
    assert row[-1] == str(set_aside)
    with sessions() as session:
        newest = audit.entries(session, audit.Query(), limit=1)[0][0]
    assert (newest.action, newest.detail) == ("quarantine.export", {"rows": 1})


def test_opening_a_row_is_in_the_audit_log_before_it_is_shown(
    officer: FlaskClient, set_aside: UUID, page: Fetch, sessions: sessionmaker[Session]
) -> None:
    page(officer, f"/imports/rows/{set_aside}")
    with sessions() as session:
        newest = audit.entries(session, audit.Query(), limit=1)[0][0]
    assert (newest.action, newest.object_id) == ("quarantine.open", set_aside)


def test_every_field_and_state_has_a_word() -> None:
    assert set(roster_words.FIELDS) == set(Field)
    assert set(roster_words.STATES) == set(ImportState)


@pytest.mark.parametrize("size", [0, 5, PIECE, PIECE + 1, 3 * PIECE + 7])
def test_an_upload_waits_on_the_disk_sealed_and_comes_back_whole(size: int) -> None:
    content = b"Zzyzxcanary," * (size // 12) + b"x" * (size % 12)
    spool = SealedSpool()
    for at in range(0, size, 70_000):
        spool.write(content[at : at + 70_000])
    if spool._disk is not None:
        spool._disk.seek(0)
        assert b"Zzyzx" not in spool._disk.read()
    assert (spool._disk is None) == (size <= PIECE)
    spool.seek(0)
    pieces = list(iter(lambda: spool.read(100_000), b""))
    assert b"".join(pieces) == content
    spool.close()
