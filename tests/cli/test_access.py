"""The command lines of access: accounts, the key ring, and checking the audit log."""

import re
import stat
from pathlib import Path

import pyotp
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.orm import Session, sessionmaker

from outreach import jobs, settings
from outreach.access import accounts, audit
from outreach.access.accounts import Account
from outreach.access.audit import COMMAND
from outreach.access.sealing import FileKeyRing
from outreach.cli import main
from tests.factories import PASSWORD

ADD = ["account", "add", "--login", "First", "--name", "Frida First", "--role", "supervisor", "--password", PASSWORD]


@pytest.fixture
def run(sessions: sessionmaker[Session], clean_database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """A command line on the test's own database, with the test's own keys."""
    environment = {
        "OUTREACH_ENVIRONMENT": "test",
        "DATABASE_URL": clean_database,
        "REDIS_URL": redis_url,
        "OUTREACH_SECRET_KEY": "0" * 64,
        "OUTREACH_KEY_RING": "none",
        "OUTREACH_TWILIO_ACCOUNT_SID": f"AC{'0' * 32}",
        "OUTREACH_TWILIO_AUTH_TOKEN": "0" * 32,
    }
    machine = jobs.Machine(settings.load(environment), sessions)
    monkeypatch.setattr(jobs, "machine", lambda: machine)
    return CliRunner()


def test_an_account_made_at_the_command_line_signs_in_with_the_key_it_printed(
    run: CliRunner, sessions: sessionmaker[Session]
) -> None:
    done = run.invoke(main, ADD)
    assert done.exit_code == 0, done.output
    key = re.search(r"key +([A-Z2-7]{32})", done.output)
    assert key
    assert f"secret={key[1]}" in done.output
    with sessions.begin() as session:
        code = pyotp.TOTP(key[1]).now()
        account, _ = accounts.sign_in(session, login="first", password=PASSWORD, code=code, source="test")
        assert account.role == "supervisor"


def test_a_password_is_asked_for_twice_when_it_is_not_given(run: CliRunner) -> None:
    assert run.invoke(main, ADD[:-2], input=f"{PASSWORD}\n{PASSWORD}\n").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [([*ADD[:-1], "short"], "12 to 256 characters"), ([*ADD[:6], "--role", "owner", "--password", PASSWORD], "owner")],
)
def test_what_does_not_fit_is_said_and_nothing_is_made(
    run: CliRunner, sessions: sessionmaker[Session], arguments: list[str], says: str
) -> None:
    done = run.invoke(main, arguments)
    assert done.exit_code != 0
    assert says in done.output
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Account)) == 0


def test_a_login_is_taken_once(run: CliRunner) -> None:
    assert run.invoke(main, ADD).exit_code == 0
    again = run.invoke(main, ADD)
    assert again.exit_code == 1
    assert "There is an account 'First' already" in again.output


def test_verifying_ends_with_0_and_prints_the_head_when_the_log_is_whole(run: CliRunner, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        for _ in range(3):
            audit.record(session, COMMAND, "person.search", "person", by="name")
        head = audit.head(session)
    done = run.invoke(main, ["audit", "verify"])
    assert done.exit_code == 0
    assert "3 entries hold." in done.output
    assert f"Head: 3 {head.mac.hex()}" in done.output


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("update audit_entry set action = 'person.open' where seq = 2", "entry 2 does not follow"),
        ("delete from audit_entry where seq = 2", "entry 2 is missing"),
        ("delete from audit_entry where seq = 3", "the end was cut off"),
    ],
)
def test_verifying_ends_with_1_and_names_the_damage(
    run: CliRunner, sessions: sessionmaker[Session], damage: str, says: str
) -> None:
    with sessions.begin() as session:
        for _ in range(3):
            audit.record(session, COMMAND, "person.search", "person", by="name")
        session.flush()
        session.execute(sa.text("alter table audit_entry disable trigger all"))
        session.execute(sa.text(damage))
    done = run.invoke(main, ["audit", "verify"])
    assert done.exit_code == 1
    assert says in done.output


def test_a_new_key_ring_is_its_owners_alone_and_never_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "ring.json"
    assert CliRunner().invoke(main, ["keys", "new", str(path)]).exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert FileKeyRing(path).version == 1
    before = path.read_bytes()
    again = CliRunner().invoke(main, ["keys", "new", str(path)])
    assert again.exit_code == 1
    assert "would lose everything" in again.output
    assert path.read_bytes() == before
