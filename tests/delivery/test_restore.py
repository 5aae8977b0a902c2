"""A real copy of the database, taken in mid-campaign and put back: nothing is lost, nothing is sent twice.

PostgreSQL of our own, stopped and started on its real files, because that is what a restore is.
"""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from outreach import db, engines, jobs
from outreach.access import audit
from outreach.access.sealing import Vault
from outreach.db import now
from outreach.delivery import incarnation
from outreach.delivery.incarnation import RedisMark
from outreach.engines import home
from outreach.jobs import restoring
from outreach.jobs.machine import text_provider
from outreach.jobs.restoring import Choices, Restored
from outreach.notices.channel import Channel
from outreach.providers.contract import Envelope
from tests.delivery.test_print_journey import POSTGRID
from tests.delivery.test_print_journey import cast as cast_letters
from tests.factories import make_incident
from tests.stage import Stage, mailbox, make_mail_recipients, make_notice, make_recipients, make_running, phone, raised

TEXTS, MAILS = 9, 4


@dataclass
class Keeper:
    """Whoever keeps the backups of a stage's own PostgreSQL."""

    folder: Path
    running: engines.Engines

    def back_up(self) -> datetime:
        """Copy the data, and start again; when that was."""
        at = now()
        with self._stopped():
            # With its owners: who runs the servers is not always who runs the tests.
            subprocess.run(["/bin/cp", "-a", "postgres", "backup"], cwd=self.folder, check=True)
        return at

    def restore(self) -> None:
        with self._stopped():
            shutil.rmtree(self.folder / "postgres")
            (self.folder / "backup").rename(self.folder / "postgres")

    def promote(self) -> None:
        """Start on the same data as a replica does, and have it take over."""
        data, who = self.folder / "postgres", home.run_as(self.folder)
        with self._stopped():
            (data / "standby.signal").touch()
            home.give(data / "standby.signal", who)
        pg_ctl = home.postgres_bin(home.find_packages(self.folder, who)) / "pg_ctl"
        subprocess.run([pg_ctl, "promote", "-D", data], cwd="/", check=True, capture_output=True, **who)

    @contextmanager
    def _stopped(self) -> Iterator[None]:
        self.running.stop()
        yield
        self.running = engines.start(self.folder, durable=False)


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    folder = home.temporary_folder()
    kept = Keeper(folder, engines.start(folder, durable=False))
    try:
        yield kept
    finally:
        kept.running.stop()
        shutil.rmtree(folder)


def test_after_a_restore_the_engine_stands_still_until_the_books_are_read_and_then_goes_on(
    keeper: Keeper, redis_url: str, tmp_path: Path
) -> None:
    url = keeper.running.database_url
    db.migrate(url)
    engine = db.make_engine(url)
    overrides = {"sendgrid_activity": "true", "lease_seconds": "5", "sms_timeout_seconds": "1", "mail_timeout_seconds": "1"}
    with closing_pool(engine), raised(tmp_path, url, redis_url, engine, overrides) as stage:
        cast(stage)
        for _ in range(2):  # A step is due once the one before it is planned.
            stage.plan()
        send(stage, texts=3, mails=1)
        stage.callbacks()
        backed_up_at = keeper.back_up()
        # What the backup does not know: texts and mails that arrived, one that failed, one whose answer was lost, one still queued.
        stage.control.fault("fate", to=phone(3), status="undelivered", code=30003)
        stage.control.fault("drop_after", to=phone(4), next=1)
        send(stage, texts=3, mails=2)
        stage.callbacks()
        stage.control.set(paused=True)
        send(stage, texts=1, mails=0)
        stage.control.clear_faults()
        accepted, mailed = stage.accepted(), stage.mailed()
        assert (accepted, mailed) == (7, 3)
        engine.dispose()
        keeper.restore()
        assert keeper.running.database_url == url
        assert stage.scalar("select count(*) from attempt") == 4  # The backup knows no more than that.

        stage.execute("update message set due_at = now() where state = 'ready'")
        assert (stage.dispatch(), stage.dispatch_mail()) == (0, 0)
        jobs.sweep_once(stage.machine)
        assert stage.scalar("select frozen_at is not null from incarnation")
        assert (stage.accepted(), stage.mailed()) == (accepted, mailed)

        done = reconcile(stage, backed_up_at)
        assert done.thawed, done.problems
        assert (done.books["twilio"].adopted, done.books["sendgrid"].adopted) == (4, 2)
        assert (done.books["twilio"].held, done.strays) == (0, 0)

        stage.control.set(paused=False)
        stage.run_until_quiet()
        # One had failed at first, as the books told, and was tried again; no other was.
        assert stage.accepted() == TEXTS + 1
        assert stage.control.summary()["duplicates"] == 1
        assert stage.mailed() == MAILS
        stage.check_promises()
        assert stage.outcomes() == {"reached": TEXTS + MAILS}


@contextmanager
def closing_pool(engine: sa.Engine) -> Iterator[None]:
    try:
        yield
    finally:
        engine.dispose()


def cast(stage: Stage) -> None:
    with stage.sessions.begin() as session:
        incident = make_incident(session)
        notice = make_notice(session, channels=(Channel.SMS, Channel.EMAIL))
        campaign = make_running(session, incident, notice, steps=((Channel.SMS, 0), (Channel.EMAIL, 0)))
        make_recipients(session, incident, TEXTS)
        make_mail_recipients(session, incident, [mailbox(number) for number in range(MAILS)])
        stage.incident_id, stage.campaign_id = incident.id, campaign.id


def send(stage: Stage, *, texts: int, mails: int) -> None:
    """Send so many, by their contacts' order, and leave the others for later."""
    stage.execute("update message set due_at = now() + interval '1 hour' where state = 'ready'")
    for channel, size in ((Channel.SMS, texts), (Channel.EMAIL, mails)):
        stage.execute(
            """update message set due_at = now() where id in (
                   select id from message where channel = :channel and state = 'ready' order by contact_point_id limit :size)""",
            channel=channel,
            size=size,
        )
    stage.dispatch()
    stage.dispatch_mail()


def reconcile(stage: Stage, since: datetime, choices: Choices | None = None) -> Restored:
    return restoring.restore(stage.machine, since, choices or Choices(), sleep=lambda _: None)


def forget(stage: Stage) -> None:
    """Make the database what it was before anything was sent. It is this quick where no file has to be put back."""
    stage.execute("alter table message disable trigger user")
    stage.execute("alter table event disable trigger user")
    for table in ("look", "task", "event", "access_code", "letter", "attempt"):
        stage.execute(f"delete from {table}")
    stage.execute("update message set state = 'ready', attempts = 0, reason = null, due_at = now() - interval '1 minute'")
    stage.execute("update outcome set state = 'planned', reason = null")
    stage.execute("alter table message enable trigger user")
    stage.execute("alter table event enable trigger user")


def sent_and_forgotten(stage: Stage, people: int = 3) -> datetime:
    since = now() - timedelta(minutes=1)
    stage.cast(people)
    stage.plan()
    stage.dispatch()
    stage.callbacks()
    forget(stage)
    return since


def test_it_stays_frozen_until_the_books_were_read_and_doing_it_twice_changes_nothing(stage: Stage) -> None:
    since = sent_and_forgotten(stage)
    rule = stage.control.fault("read_error")
    done = reconcile(stage, since)
    assert not done.thawed
    assert set(done.unreadable) == {"twilio", "sendgrid"}
    assert stage.dispatch() == 0
    stage.control.remove_fault(rule)
    assert reconcile(stage, since).books["twilio"].adopted == 3
    again = reconcile(stage, since)
    assert (again.thawed, again.books["twilio"].known, again.books["twilio"].adopted) == (True, 3, 0)
    stage.run_until_quiet()
    assert (stage.accepted(), stage.outcomes()) == (3, {"reached": 3})
    stage.check_promises()


def test_whoever_got_a_text_that_cannot_be_recognized_waits_for_a_person_to_decide(stage: Stage) -> None:
    since = now() - timedelta(minutes=1)
    stage.cast(3)
    stage.plan()
    stage.execute("update message set due_at = now() + interval '1 hour' where contact_point_id = :id", id=stage.contact(2).id)
    stage.dispatch()
    stage.callbacks()
    forget(stage)
    redacted = next(text for text in stage.control.messages() if text["to"] == phone(1))

    async def meddle() -> None:
        async with text_provider(stage.settings) as provider:
            assert await provider.redact(redacted["sid"])
            await provider.send(Envelope(uuid4(), phone(2), "Something else, that only the lost database knew of.", 600))

    asyncio.run(meddle())
    done = reconcile(stage, since)
    assert (done.thawed, done.books["twilio"].adopted, done.books["twilio"].held) == (True, 1, 2)
    assert stage.scalar("select count(*) from task where kind = 'undecided' and closed_at is null") == 2
    for _ in range(3):  # No look into the books frees them: they were read already.
        stage.later(hours=2)
        jobs.sweep_once(stage.machine)
        assert stage.dispatch() == 0
    assert stage.accepted() == 2 + 1
    assert stage.outcomes() == {"reached": 1, "in_progress": 2}


def test_traffic_that_belongs_to_no_message_keeps_it_frozen_until_somebody_has_seen_to_it(stage: Stage) -> None:
    since = sent_and_forgotten(stage)
    gone = stage.contact(2).id
    stage.execute("delete from message_person where message_id in (select id from message where contact_point_id = :id)", id=gone)
    stage.execute("delete from message where contact_point_id = :id", id=gone)
    done = reconcile(stage, since)
    assert (done.thawed, done.strays) == (False, 1)
    assert not reconcile(stage, since, Choices(strays=2)).thawed
    assert reconcile(stage, since, Choices(strays=1)).thawed


@pytest.mark.parametrize("stage", [{"sendgrid_activity": "false"}], indirect=True)
def test_mails_without_books_stay_where_they_are_until_somebody_says_what_is_to_become_of_them(stage: Stage) -> None:
    stage.cast_mail([mailbox(number) for number in range(2)])
    stage.plan()
    stage.dispatch_mail()
    forget(stage)
    for choices in (Choices(), Choices(doubles=1)):
        done = reconcile(stage, now(), choices)
        assert (done.mails_unproven, done.mails_held, done.thawed) == (2, 0, False)
    assert stage.dispatch_mail() == 0
    done = reconcile(stage, now(), Choices(hold=True))
    assert (done.mails_unproven, done.mails_held, done.thawed) == (0, 2, True)
    assert stage.dispatch_mail() == 0
    assert stage.scalar("select count(*) from task where kind = 'undecided' and closed_at is null") == 2
    assert stage.mailed() == 2


@pytest.mark.parametrize("stage", [POSTGRID], indirect=True)
def test_letters_in_a_mail_house_are_known_by_our_token_alone(stage: Stage) -> None:
    cast_letters(stage, outside=2, inside=0)
    since = now() - timedelta(minutes=1)
    assert jobs.letters_due(stage.machine).sent == 2
    assert len(list(stage.control.letters())) == 2
    forget(stage)
    done = reconcile(stage, since)
    assert (done.thawed, done.books["postgrid"].adopted, done.strays) == (True, 2, 0)
    assert jobs.letters_due(stage.machine).sent == 0
    assert len(list(stage.control.letters())) == 2
    stage.check_outcomes()


def test_a_replica_that_takes_over_is_another_life_at_once(keeper: Keeper, vault: Vault, redis_url: str) -> None:
    db.migrate(keeper.running.database_url)
    sessions = db.make_sessions(db.make_engine(keeper.running.database_url, pool=sa.NullPool), vault)
    with sessions.begin() as session:
        assert incarnation.look(session, "first", RedisMark(redis_url))
    keeper.promote()
    with sessions.begin() as session:
        assert not incarnation.look(session, "first", RedisMark(redis_url))
        (entry,), _ = audit.entries(session, audit.Query(action="incarnation.freeze"), limit=10)
        assert entry.detail == {"signs": ["timeline"]}


def test_paper_is_printed_again_only_once_somebody_says_that_the_old_one_is_destroyed() -> None:
    done = Restored(now(), letters_unproven=75)
    assert "75 letters" in " ".join(restoring._problems(done, Choices()))
    assert not list(restoring._problems(done, Choices(paper_collected=True)))
