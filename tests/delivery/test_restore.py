"""A real copy of the database, taken in mid-campaign and put back: nothing is lost, nothing is sent twice.

PostgreSQL of our own, stopped and started on its real files, because that is what a restore is.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from outreach import db, engines, jobs
from outreach.db import now
from outreach.engines import home
from outreach.jobs import restoring
from outreach.jobs.restoring import Choices, Restored
from outreach.notices.channel import Channel
from tests.factories import make_contact, make_incident, make_person
from tests.stage import Stage, mailbox, make_mail_recipients, make_notice, make_recipients, make_running, phone, raised

TEXTS, MAILS = 9, 4


@dataclass
class Keeper:
    """Whoever keeps the backups of a stage's own PostgreSQL."""

    folder: Path
    running: engines.Engines
    stage: Stage | None = None

    def back_up(self) -> datetime:
        """Copy the data, and start again; when that was."""
        at = now()
        with self._stopped():
            # With its owners: who runs the servers is not always who runs the tests.
            subprocess.run(["cp", "-a", "postgres", "backup"], cwd=self.folder, check=True)
        return at

    def restore(self) -> None:
        with self._stopped():
            shutil.rmtree(self.folder / "postgres")
            (self.folder / "backup").rename(self.folder / "postgres")

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
