"""Bounces at the command line: piped in by a mail server, or from a Maildir."""

import os
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from outreach import jobs, logs, settings
from outreach.access.sealing import Vault
from outreach.cli import main
from outreach.delivery import mail_address
from outreach.delivery.mail_address import Purpose

DELAYED = Path(__file__).parents[1] / "providers" / "recorded" / "dsn" / "rfc_delayed.eml"
FAILED = DELAYED.with_name("exim.eml")
TOKEN = UUID("018f5b1e-7a00-7000-8000-0123456789ab")


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
        "OUTREACH_SMTP_BOUNCE_DOMAIN": "bounce.example.org",
    }
    machine = jobs.Machine(settings.load(environment), sessions)
    monkeypatch.setattr(jobs, "machine", lambda: machine)
    monkeypatch.setattr(logs, "start", lambda: None)  # the log of this process is the other tests' too
    return CliRunner()


def bounced(vault: Vault, path: Path = FAILED) -> bytes:
    address = f"{mail_address.sign(vault, Purpose.BOUNCE, TOKEN)}@bounce.example.org"
    return path.read_text().replace("{bounce}", address).encode()


def kept(sessions: sessionmaker[Session]) -> list[tuple[object, ...]]:
    with sessions.begin() as session:
        rows = session.execute(sa.text("select provider, attempt_id, provider_id, state, error_code from event order by id"))
        return [tuple(row) for row in rows]


def row(vault: Vault, state: str, code: str) -> tuple[object, ...]:
    return ("smtp", TOKEN, f"<{mail_address.sign(vault, Purpose.BOUNCE, TOKEN)}@bounce.example.org>", state, code)


def test_a_notification_that_is_piped_in_is_kept_once(run: CliRunner, sessions: sessionmaker[Session], vault: Vault) -> None:
    for _ in range(2):
        done = run.invoke(main, ["bounces"], input=bounced(vault))
        assert (done.exit_code, done.exception) == (0, None)
    assert kept(sessions) == [row(vault, "returned", "dsn:5.2.2")]


@pytest.mark.parametrize("mail", [b"", b"To: b+aaaa@bounce.example.org\nSubject: secret words\n\nI am away\n", b"\xff\x00" * 100])
def test_what_is_no_notification_is_given_back_to_the_mail_server(
    run: CliRunner, sessions: sessionmaker[Session], mail: bytes
) -> None:
    done = run.invoke(main, ["bounces"], input=mail)
    assert done.exit_code == os.EX_DATAERR
    assert "secret" not in done.output
    assert kept(sessions) == []


def test_a_maildir_is_read_and_what_is_no_notification_stays(
    run: CliRunner, sessions: sessionmaker[Session], vault: Vault, tmp_path: Path
) -> None:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "1.a").write_bytes(bounced(vault, DELAYED))
    (tmp_path / "new" / "2.b").write_bytes(b"Subject: no notification\n\nHello\n")
    (tmp_path / "new" / "3.c").write_bytes(bounced(vault))
    (tmp_path / "tmp" / "4.d").write_bytes(b"half a mai")
    for _ in range(2):
        done = run.invoke(main, ["bounces", "--maildir", str(tmp_path)])
        assert (done.exit_code, done.exception) == (0, None)
        assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["2.b"]
        assert sorted(path.name for path in (tmp_path / "cur").iterdir()) == ["1.a:2,S", "3.c:2,S"]
    assert kept(sessions) == [row(vault, "accepted", "dsn:4.0.0"), row(vault, "returned", "dsn:5.2.2")]


def test_without_a_database_the_mail_server_is_asked_to_come_again(
    run: CliRunner, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreachable = sessionmaker(sa.create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing"), info={"vault": vault})
    machine = jobs.Machine(jobs.machine().settings, unreachable)
    monkeypatch.setattr(jobs, "machine", lambda: machine)
    done = run.invoke(main, ["bounces"], input=bounced(vault))
    assert done.exit_code == os.EX_TEMPFAIL
    assert not isinstance(done.exception, OperationalError)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "1.a").write_bytes(bounced(vault))
    assert run.invoke(main, ["bounces", "--maildir", str(tmp_path)]).exit_code == os.EX_TEMPFAIL
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["1.a"]
