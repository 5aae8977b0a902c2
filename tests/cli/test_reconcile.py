"""After a restore, at the command line: what it asks for, what it says, and its exit code."""

from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from outreach import jobs, logs
from outreach.cli import main, reconcile
from tests.stage import Stage, stage

__all__ = ["stage"]


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """A command line on the stage's own machine, which nobody keeps waiting."""
    monkeypatch.setattr(jobs, "machine", lambda: stage.machine)
    monkeypatch.setattr(logs, "start", lambda: None)  # the log of this process is the other tests' too
    monkeypatch.setattr(reconcile, "time", SimpleNamespace(sleep=lambda _: None))
    return CliRunner()


@pytest.mark.parametrize("since", ["yesterday", "2026-11-20T08:00", "2999-01-01T00:00Z", None])
def test_it_wants_to_know_since_when_and_in_which_time_zone(since: str | None) -> None:
    done = CliRunner().invoke(main, ["reconcile", *(["--since", since] if since else [])])
    assert done.exit_code == 2


def test_it_says_what_it_found_in_counts_and_the_engine_sends_again(run: CliRunner, stage: Stage) -> None:
    stage.cast(2)
    stage.run_until_quiet()
    stage.execute("update incarnation set deployment = 'another'")
    done = run.invoke(main, ["reconcile", "--since", "2026-11-20T08:00Z"])
    assert done.exit_code == 0, done.output
    assert f"Waiting {stage.settings.lease_seconds} seconds" in done.output
    assert (
        "twilio: 2 read, 2 known, 0 adopted, 0 held for a person to decide, 0 of nothing known, 0 to nobody on file" in done.output
    )
    assert "The engine sends again." in done.output
    assert stage.scalar("select frozen_at is null and deployment = 'first' from incarnation")
    assert stage.scalar("select detail->'books'->'twilio'->>'read' from audit_entry where action = 'incarnation.thaw'") == "2"


def test_books_that_cannot_be_read_keep_it_frozen_with_an_exit_code_and_a_sentence(run: CliRunner, stage: Stage) -> None:
    stage.control.fault("read_error")
    done = run.invoke(main, ["reconcile", "--since", "2026-11-20T08:00Z"])
    assert done.exit_code == 1
    assert "The books of twilio could not be read" in done.output
    assert "Nothing is sent: the engine stays frozen." in done.output
    assert stage.scalar("select frozen_at is not null from incarnation")
    assert stage.scalar("select count(*) from audit_entry where action = 'incarnation.reconcile'") == 1
