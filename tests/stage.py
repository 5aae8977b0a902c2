"""The whole stage in one place: people on file, a running campaign, our webhooks on a real port, and the sandbox carrier.

Everything speaks as it does in life: the real Twilio client, real callbacks over HTTP with real signatures, real commits.
"""

import hashlib
import importlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import time as clock
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.serving import WSGIRequestHandler, make_server

from outreach import db, jobs, settings
from outreach.access.accounts import Account, Role
from outreach.access.sealing import FileKeyRing, Vault, key_for
from outreach.campaigns.campaign import Campaign, Step
from outreach.db import new_id, now
from outreach.delivery import plan
from outreach.delivery.message import Attempt
from outreach.jobs import Machine
from outreach.notices import starter
from outreach.notices.notice import Channel, Notice, Purpose, Rendition, RenditionState
from outreach.people.contact import ContactKind, ContactPoint
from outreach.people.incident import Incident
from outreach.people.person import Person
from outreach.sandbox.config import Config
from outreach.sandbox.control import Control
from outreach.sandbox.server import Sandbox
from outreach.settings import Settings
from outreach.web import create_app
from tests.factories import make_account, make_campaign, make_contact, make_incident, make_person

TOKEN = "a token of the test carrier"
ACCOUNT = "AC" + "5a" * 16
ANY_HOUR = {"window_start": clock(0), "window_end": clock(0), "window_reason": "a test has no night"}
AREAS = (202, 203, 205, 206, 207, 208, 209, 210, 212, 213)
SHIPPED = {(t.channel, t.language, Purpose(t.kind)): t for t in starter.load()}


def phone(number: int) -> str:
    """One of a thousand phones of the range kept for fiction."""
    return f"+1{AREAS[number // 100 % len(AREAS)]}555{100 + number % 100:04}"


def mailbox(number: int) -> str:
    """A mailbox that receives and stays silent."""
    return f"sample.{number}@example.org"


def make_notice(
    session: Session,
    languages: Sequence[str] = ("es",),
    *,
    purpose: Purpose = Purpose.NOTICE,
    by: Account | None = None,
    channels: Sequence[Channel] = (Channel.SMS,),
) -> Notice:
    """A notice whose starter texts in these languages and for these channels are approved; those for attorneys in English."""
    by = by or make_account(session, Role.APPROVER)
    notice = Notice(id=new_id(), title="Sample notice", purpose=purpose)
    session.add(notice)
    session.flush()
    for channel, language in dict.fromkeys((c, "en" if c.to_attorney else language) for c in channels for language in languages):
        shipped = SHIPPED[channel, language, purpose]
        session.add(
            Rendition(
                id=new_id(), notice_id=notice.id, channel=channel, language=language, version=1, subject=shipped.subject,
                text=shipped.text, state=RenditionState.APPROVED, approved_by=by.id, approved_at=now(), policy="test",
            )
        )  # fmt: skip
    session.flush()
    return notice


def make_running(
    session: Session,
    incident: Incident,
    notice: Notice,
    *,
    waits: Sequence[int] = (0,),
    steps: Sequence[tuple[Channel, int]] = (),
    **columns: Any,
) -> Campaign:
    """A launched campaign about everybody of the incident: `steps` with their waits (hours after the launch), or a text a wait."""
    values = (
        {"notice_id": notice.id, "audience": {"incidents": [str(incident.id)]}, "launched_at": now() - timedelta(minutes=1)}
        | ANY_HOUR
        | columns
    )
    campaign = make_campaign(session, **values)
    session.add_all(
        Step(id=new_id(), campaign_id=campaign.id, position=position, channel=channel, wait_hours=wait)
        for position, (channel, wait) in enumerate(steps or [(Channel.SMS, wait) for wait in waits], start=1)
    )
    session.flush()
    return campaign


def make_recipients(session: Session, incident: Incident, count: int, first: int = 0, **columns: Any) -> list[Person]:
    """People who each have a phone of their own: `phone(first)`, `phone(first + 1)`, ..."""
    people = []
    for number in range(first, first + count):
        person = make_person(session, incident=incident, **columns)
        make_contact(session, person, value=phone(number))
        people.append(person)
    return people


def make_mail_recipients(session: Session, incident: Incident, mailboxes: Sequence[str], **columns: Any) -> list[Person]:
    """People who each have a mailbox of their own."""
    people = []
    for address in mailboxes:
        person = make_person(session, incident=incident, **columns)
        make_contact(session, person, value=address, kind=ContactKind.EMAIL)
        people.append(person)
    return people


@dataclass
class Stage:
    """Everything that runs, and what a test asks of it."""

    settings: Settings
    machine: Machine
    carrier: Sandbox
    web_url: str
    sessions: sessionmaker[Session]
    incident_id: UUID = field(default_factory=new_id)
    campaign_id: UUID = field(default_factory=new_id)

    @property
    def control(self) -> Control:
        return self.carrier.control

    def cast(
        self, people: int = 3, *, languages: Sequence[str] = ("es",), waits: Sequence[int] = (0,), **columns: Any
    ) -> list[UUID]:
        """Put this many recipients and a running campaign about them on stage; the people's ids."""
        with self.sessions.begin() as session:
            incident = make_incident(session)
            campaign = make_running(session, incident, make_notice(session, languages), waits=waits, **columns)
            for purpose in (Purpose.HELP, Purpose.WRONG_PERSON):
                make_notice(session, languages, purpose=purpose)
            found = make_recipients(session, incident, people)
            self.incident_id, self.campaign_id = incident.id, campaign.id
            return [person.id for person in found]

    def cast_mail(self, mailboxes: Sequence[str], *, steps: Sequence[tuple[Channel, int]] = ((Channel.EMAIL, 0),)) -> list[UUID]:
        """Put a recipient a mailbox and a running campaign about them on stage; the people's ids."""
        channels = list(dict.fromkeys(channel for channel, _ in steps))
        with self.sessions.begin() as session:
            incident = make_incident(session)
            campaign = make_running(session, incident, make_notice(session, channels=channels), steps=steps)
            found = make_mail_recipients(session, incident, mailboxes)
            self.incident_id, self.campaign_id = incident.id, campaign.id
            return [person.id for person in found]

    def plan(self) -> None:
        with self.sessions.begin() as session:
            for step in plan.due_steps(session):
                plan.plan(session, step)

    def dispatch(self) -> int:
        return jobs.send_due(self.machine).sent

    def dispatch_mail(self) -> int:
        return jobs.mail_due(self.machine).sent

    def callbacks(self, *, within: float = float("inf")) -> None:
        """Let the carrier report everything that is due, and apply it."""
        self.control.wait_until_quiet(within=within)
        jobs.apply_due(self.machine)

    def run_until_quiet(self, rounds: int = 40) -> None:
        """Plan, send, report and sweep until nothing is due any more. Waits are skipped: hours pass between rounds."""
        for _ in range(rounds):
            jobs.sweep_once(self.machine)
            self.dispatch()
            if self.scalar(
                "select exists (select 1 from message where channel in ('email', 'attorney_email') and state = 'ready')"
            ):
                self.dispatch_mail()
            self.callbacks()
            if self.is_quiet():
                return
            self.later(hours=2)
        raise AssertionError(f"After {rounds} rounds there was still something to do: {self.states()}")

    def is_quiet(self) -> bool:
        pending = """
            select exists (select 1 from event where applied_at is null)
                or exists (select 1 from attempt where state in ('open', 'unknown'))
                or exists (select 1 from message m join campaign c on c.id = m.campaign_id
                    where c.state = 'running' and (m.state in ('ready', 'submitting', 'unknown')
                        or (m.state = 'undelivered' and m.due_at is not null)))
        """
        return not self.scalar(pending)

    def later(self, *, hours: float = 0, seconds: float = 0) -> None:
        """Let time pass: everything that waits has waited so much longer."""
        gone = {"gone": hours * 3600 + seconds}
        with self.sessions.begin() as session:
            session.execute(sa.text("update message set due_at = due_at - :gone * interval '1 second'"), gone)
            columns = ("started_at", "lease_until", "finished_at", "checked_at", "seen_at")
            moved = ", ".join(f"{column} = {column} - :gone * interval '1 second'" for column in columns)
            session.execute(sa.text(f"update attempt set {moved}"), gone)

    def scalar(self, statement: str, **parameters: object) -> Any:
        with self.sessions() as session:
            return session.scalar(sa.text(statement), parameters)

    def execute(self, statement: str, **parameters: object) -> None:
        with self.sessions.begin() as session:
            session.execute(sa.text(statement), parameters)

    def states(self, table: str = "message") -> dict[str, int]:
        with self.sessions() as session:
            return {
                row.state: row.n for row in session.execute(sa.text(f"select state, count(*) as n from {table} group by state"))
            }

    def breakers(self) -> list[tuple[str, str, str | None]]:
        """The open breakers: their kind, the provider that is stopped (or "step"), and the code."""
        opened = "select kind, coalesce(provider, 'step') as stopped, code from breaker where closed_at is null order by 1, 2"
        with self.sessions() as session:
            return [(row.kind, row.stopped, row.code) for row in session.execute(sa.text(opened))]

    def outcomes(self) -> dict[str, int]:
        """Outcomes of the campaign, as "state" or "state:reason"."""
        with self.sessions() as session:
            rows = session.execute(
                sa.text("select concat_ws(':', state, reason) as name from outcome where campaign_id = :id"),
                {"id": self.campaign_id},
            )
            return dict(Counter(row.name for row in rows))

    def answer_mail(self, address: str, body: str, **how: bool) -> None:
        """The owner of a mailbox answers the last mail it got, and that comes to us. `how` is as of `Control.answer_mail`."""
        self.control.answer_mail(address, body, **how)
        self.callbacks()

    def contact(self, number: int) -> ContactPoint:
        """The contact point of `phone(number)`, detached."""
        return self._contact(ContactKind.PHONE, phone(number))

    def mailbox(self, address: str) -> ContactPoint:
        """The contact point of a mailbox, detached."""
        return self._contact(ContactKind.EMAIL, address)

    def _contact(self, kind: ContactKind, value: str) -> ContactPoint:
        with self.sessions() as session:
            vault: Vault = session.info["vault"]
            index = vault.blind_index(kind, value)
            return session.scalars(sa.select(ContactPoint).where(ContactPoint.value_index == index)).one()

    def check_promises(self) -> None:
        """The promises that hold at every moment: nobody falls out, nothing is lost, nothing is sent twice."""
        self.check_outcomes()
        self.check_books()

    def check_outcomes(self) -> None:
        """The audience is the sum over the outcomes."""
        audience = self.scalar(
            "select count(distinct e.person_id) from exposure e"
            " join campaign c on c.audience->'incidents' ? cast(e.incident_id as text) where c.id = :id",
            id=self.campaign_id,
        )
        planned = self.scalar(
            "select bool_and(planned_at is not null) from step where campaign_id = :id and position = 1", id=self.campaign_id
        )
        assert sum(self.outcomes().values()) == (audience if planned else 0)

    def check_books(self, *, settled: bool = True) -> None:
        """Our database against the providers' own books, text by text and mail by mail, by the token that each has with it.

        `settled`: nothing is undecided any more, so that both must agree on everything.
        """
        self._check_texts(settled=settled)
        self._check_mails(settled=settled)

    def _check_texts(self, *, settled: bool) -> None:
        texts = list(self.control.messages())
        by_token = {token_of(text): text for text in texts}
        assert len(by_token) == len(texts), "one attempt was handed over twice"
        with self.sessions() as session:
            attempts = {
                attempt.id: attempt for attempt in session.scalars(sa.select(Attempt).where(Attempt.channel == Channel.SMS))
            }
            assert by_token.keys() <= attempts.keys(), "the carrier has a text that we know nothing of"
            for token, attempt in attempts.items():
                check_attempt(session, attempt, by_token.get(token), settled=settled)
            alive: Counter[UUID] = Counter()
            for token, text in by_token.items():
                if text["status"] not in ("undelivered", "failed"):
                    alive[attempts[token].message_id] += 1
        assert max(alive.values(), default=0) <= 1, "a text that did not fail was sent again"

    def _check_mails(self, *, settled: bool) -> None:
        found = list(self.control.mails())
        by_token = {UUID(json.loads(mail["arguments"])["token"]): mail for mail in found}
        assert len(by_token) == len(found), "one attempt was handed over twice"
        with self.sessions() as session:
            rows = session.scalars(sa.select(Attempt).where(Attempt.channel.in_([Channel.EMAIL, Channel.ATTORNEY_EMAIL])))
            attempts = {attempt.id: attempt for attempt in rows}
        assert by_token.keys() <= attempts.keys(), "the provider has a mail that we know nothing of"
        alive: Counter[UUID] = Counter()
        for token, attempt in attempts.items():
            taken = attempt.state not in ("open", "unknown", "not_sent", "refused")
            if settled:
                assert attempt.state not in ("open", "unknown"), "an attempt was left undecided"
                assert (token in by_token) == taken, "we and the provider disagree on whether it has a mail"
            elif taken:
                assert token in by_token, "we call a mail accepted that the provider does not have"
            if token in by_token and by_token[token]["status"] not in ("blocked", "dropped"):
                alive[attempt.message_id] += 1
        assert max(alive.values(), default=0) <= 1, "a mail that was not refused was sent again"

    def mailed(self) -> int:
        """Mails that the provider has accepted."""
        return int(self.control.summary()["mail"]["accepted"])

    def accepted(self) -> int:
        return int(self.control.summary()["accepted"])


def token_of(text: Mapping[str, Any]) -> UUID:
    return UUID(str(text["callback"]).partition("#")[0].rpartition("/")[2])


def check_attempt(session: Session, attempt: Attempt, text: Mapping[str, Any] | None, *, settled: bool) -> None:
    taken = ("accepted", "sent", "delivered", "undelivered", "failed")
    if text is None:
        assert attempt.state not in taken, "we call a text accepted that the carrier does not have"
    else:
        body = key_for(session, attempt.contact_point_id).open("attempt.body", attempt.id, attempt.body_sealed)
        assert hashlib.sha256(body.encode()).hexdigest() == text["body_sha256"], "the text sent is not the text on file"
        assert attempt.state not in ("not_sent", "refused"), "the carrier has a text that we call not sent"
        assert attempt.provider_id in (None, text["sid"])
    if settled:
        assert attempt.state not in ("open", "unknown"), "an attempt was left undecided"
        assert (text is not None) == (attempt.state in taken)


@contextmanager
def swept(engine: sa.Engine) -> Iterator[None]:
    """Afterwards every table is empty again, which is quicker than another clone: there are hundreds of such tests."""
    yield
    tables = ", ".join(table.name for table in db.Base.metadata.sorted_tables)
    guarded = ("audit_entry", "custody_event", "event", "hand_service")
    shipped = importlib.import_module("outreach.migrations.versions.0004_guarantees_of_channels")
    with engine.begin() as connection:
        connection.execute(sa.text("set local lock_timeout = '10s'"))
        for table in guarded:
            connection.execute(sa.text(f"alter table {table} disable trigger user"))
        connection.execute(sa.text(f"truncate {tables} restart identity"))
        for table in guarded:
            connection.execute(sa.text(f"alter table {table} enable trigger user"))
        connection.execute(sa.text(shipped.ADD_RULE), shipped.RULES)
        connection.execute(sa.text("insert into audit_head (id, seq, mac) values (1, 0, decode(repeat('00', 32), 'hex'))"))


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # werkzeug's own name for it
        """Tests are quiet."""


@contextmanager
def raised(
    folder: Path, database_url: str, redis_url: str, engine: sa.Engine, overrides: Mapping[str, str] | None = None
) -> Iterator[Stage]:
    """A stage on this database; `overrides` are environment variables without OUTREACH_."""
    ring = folder / "ring.json"
    if not ring.exists():
        FileKeyRing.create(ring)
    sessions = db.make_sessions(engine, Vault(FileKeyRing(ring)))
    app: list[Any] = []
    server = make_server("127.0.0.1", 0, lambda *call: app[0](*call), threaded=True, request_handler=_Quiet)  # noqa: PLW0108  # made later
    web_url = f"http://127.0.0.1:{server.server_port}"
    config = Config(
        account_sid=ACCOUNT, auth_token=TOKEN, books=folder / "books.sqlite", inbound_url=f"{web_url}/webhooks/twilio/inbound",
        status_delay_ms=2, retry_delay_ms=20, opt_out_replies=False,
        sendgrid_api_key=TOKEN, mail_events_url=f"{web_url}/webhooks/sendgrid/events",
        inbound_mail_url=f"{web_url}/webhooks/sendgrid/inbound", inbound_mail_password=TOKEN,
        post_api_key=TOKEN, post_webhook_secret=TOKEN, post_webhook_url=f"{web_url}/webhooks/postgrid", letter_delay_ms=2,
    )  # fmt: skip
    with Sandbox(config) as carrier:
        environ = environment(folder, database_url, redis_url, web_url, carrier.url) | {
            "OUTREACH_SENDGRID_WEBHOOK_KEYS": carrier.control.webhook_key()
        }
        environ |= {f"OUTREACH_{name.upper()}": value for name, value in (overrides or {}).items()}
        chosen = settings.load(environ)
        app.append(create_app(chosen, sessions))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Stage(chosen, Machine(chosen, sessions), carrier, web_url, sessions)
        finally:
            carrier.control.set(paused=True)
            server.shutdown()
            thread.join()
            server.server_close()


def environment(folder: Path, database_url: str, redis_url: str, web_url: str, api_url: str) -> dict[str, str]:
    """What a process of ours is started with, to work on this stage."""
    return {
        "OUTREACH_ENVIRONMENT": "test",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OUTREACH_SECRET_KEY": "s" * 40,
        "OUTREACH_KEY_RING": str(folder / "ring.json"),
        "OUTREACH_PUBLIC_BASE_URL": web_url,
        "OUTREACH_TWILIO_API_URL": api_url,
        "OUTREACH_TWILIO_ACCOUNT_SID": ACCOUNT,
        "OUTREACH_TWILIO_AUTH_TOKEN": TOKEN,
        "OUTREACH_SMS_RETRY_SECONDS": "60",
        "OUTREACH_SENDGRID_API_URL": api_url,
        "OUTREACH_SENDGRID_API_KEY": TOKEN,
        "OUTREACH_INBOUND_MAIL_PASSWORD": TOKEN,
        "OUTREACH_POSTGRID_API_URL": api_url,
        "OUTREACH_POSTGRID_API_KEY": TOKEN,
        "OUTREACH_POSTGRID_WEBHOOK_SECRET": TOKEN,
    }


def poll(condition: Any, seconds: float = 10.0) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "What was waited for did not happen."
        time.sleep(0.01)


@pytest.fixture
def stage(database_url: str, redis_url: str, engine: sa.Engine, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A stage of one's own; a folder's conftest.py imports it.

    Settings for it: `@pytest.mark.parametrize("stage", [{"sms_attempts": "1"}], indirect=True)`.
    """
    with swept(engine), raised(tmp_path, database_url, redis_url, engine, getattr(request, "param", None)) as found:
        yield found
