"""An import as it runs: once, whatever dies or comes twice, in sight, and nothing of the file is left afterwards."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from outreach import db
from outreach.access.audit import COMMAND
from outreach.access.sealing import FileKeyRing, Vault, key_for
from outreach.people.incident import Incident
from outreach.people.roster import importing, merging
from outreach.people.roster.imports import ImportState, RosterImport
from outreach.people.roster.limits import Limits
from outreach.people.roster.problems import FileFault, RosterError
from tests.people.roster.conftest import TODAY, Bring, counts, roster_of
from tests.people.roster.test_importing import ROOT, SAMPLE, begin


def test_the_file_and_its_key_are_gone_when_the_import_is_done(bring: Bring, sessions: sessionmaker[Session]) -> None:
    bring([SAMPLE])
    with sessions() as session:
        import_id = session.scalars(sa.select(RosterImport.id)).one()
        assert counts(session)["roster_chunk"] == 0
        with pytest.raises(Exception, match="erased"):
            key_for(session, import_id)


def test_a_file_that_turns_out_to_be_unreadable_fails_and_leaves_nothing(bring: Bring, sessions: sessionmaker[Session]) -> None:
    content = roster_of(*({**SAMPLE, "A-Number": f"A9{n:08}"} for n in range(1_500))) + b'A900009999,"Never closed'
    with pytest.raises(RosterError) as caught:
        bring(content)
    assert caught.value.code is FileFault.QUOTE_NOT_CLOSED
    with sessions() as session:
        assert not any(counts(session).values())
        failed = session.scalars(sa.select(RosterImport)).one()
        assert (failed.state, failed.error) == (ImportState.FAILED, caught.value.message)


def test_a_file_that_is_no_roster_is_not_kept_at_all(bring: Bring, sessions: sessionmaker[Session]) -> None:
    with pytest.raises(RosterError):
        bring(b"%PDF-1.7 nothing of ours")
    with sessions() as session:
        assert session.scalars(sa.select(RosterImport)).all() == []
        assert session.scalars(sa.select(Incident)).all() == []


def test_two_runs_at_once_import_once(clean_database: str, sessions: sessionmaker[Session]) -> None:
    import_id = begin(sessions, roster_of(*({**SAMPLE, "A-Number": f"A9{n:08}"} for n in range(600))))
    outcomes: list[str] = []

    def run() -> None:
        try:
            importing.run(sessions, import_id, Limits(), today=TODAY)
            outcomes.append("done")
        except importing.NotNow:
            outcomes.append("not now")

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["done", "not now"]
    with sessions() as session:
        assert counts(session)["person"] == 600


DOOMED = """
import sys, time
from datetime import date
from pathlib import Path
from uuid import UUID
from outreach import db
from outreach.access.sealing import FileKeyRing, Vault
from outreach.people.roster import importing
from outreach.people.roster.limits import Limits

def progress(rows, fraction):
    if rows >= 2000:
        print("half", flush=True)
        time.sleep(60)

sessions = db.make_sessions(db.make_engine(sys.argv[1]), Vault(FileKeyRing(Path(sys.argv[2]))))
importing.run(sessions, UUID(sys.argv[3]), Limits(), today=date(2023, 2, 1), progress=progress)
"""


def test_a_worker_killed_in_the_middle_leaves_nothing_and_the_next_one_imports_all(
    clean_database: str, engine: sa.Engine, tmp_path: Path
) -> None:
    ring = tmp_path / "ring.json"
    sessions = db.make_sessions(engine, Vault(FileKeyRing.create(ring)))
    import_id = begin(sessions, roster_of(*({**SAMPLE, "A-Number": f"A9{n:08}"} for n in range(3_500))))
    with subprocess.Popen(
        [sys.executable, "-c", DOOMED, clean_database, str(ring), str(import_id)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as doomed:
        assert doomed.stdout is not None
        assert doomed.stdout.readline() == "half\n"
        with sessions() as session:
            assert session.get_one(RosterImport, import_id).state == ImportState.RUNNING
            assert importing.forgotten(session) == [], "nobody else may take it while it is being written"
        os.kill(doomed.pid, signal.SIGKILL)
    with sessions() as session:
        merging.lock(session)  # until PostgreSQL has noticed
        found = counts(session)
        assert (found["person"], found["exposure"], found["contact_point"]) == (0, 0, 0)
    with sessions() as session:
        assert importing.forgotten(session) == [(import_id, True)]
    assert importing.run(sessions, import_id, Limits(), today=TODAY).added.new == 3_500
    with sessions() as session:
        assert session.get_one(RosterImport, import_id).state == ImportState.DONE


def test_how_far_an_import_is_can_be_seen_while_it_runs(
    clean_database: str, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outreach.people.roster.passes.TOLD_EVERY", 0)
    import_id = begin(sessions, roster_of(*({**SAMPLE, "A-Number": f"A9{n:08}"} for n in range(3_500))))
    seen: list[tuple[int, int]] = []

    def progress(rows: int, _fraction: float) -> None:
        with sessions() as session:
            record = session.get_one(RosterImport, import_id)
            seen.append((rows, record.rows_done))
            assert counts(session)["person"] == 0

    importing.run(sessions, import_id, Limits(), today=TODAY, progress=progress)
    assert [rows for rows, _ in seen] == [1_000, 2_000, 3_000, 3_500]
    assert [done for _, done in seen] == [0, 1_000, 2_000, 3_000]


def test_a_check_waits_its_turn_and_an_import_that_was_run_is_not_checked_again(
    clean_database: str, sessions: sessionmaker[Session]
) -> None:
    import_id = begin(sessions, roster_of(SAMPLE))
    importing.run(sessions, import_id, Limits(), today=TODAY)
    with pytest.raises(importing.NotNow):
        importing.check(sessions, import_id, Limits(), today=TODAY)
    with pytest.raises(importing.NotNow), sessions.begin() as session:
        importing.discard(session, import_id, by=COMMAND)
