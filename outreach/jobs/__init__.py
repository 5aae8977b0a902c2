"""The background jobs, and the doorbell that starts them.

Redis is only the doorbell: each job asks PostgreSQL what there is to do, so that a lost ring costs seconds and a doubled one
nothing. Jobs carry ids only, are few and long, and are the only functions that a worker will run.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from outreach.db import now
from outreach.delivery import events, plan, spending
from outreach.jobs.bookkeeping import bookkeepers, books_due, compare_due, redact_due, redactions_due
from outreach.jobs.machine import (
    Machine,
    carriers,
    house,
    limits,
    limits_of,
    machine,
    machine_for,
    mail_house,
    mail_provider,
    meaning,
    roster_limits,
    sendgrid_provider,
    tariff,
    text_provider,
)
from outreach.jobs.sending import letters_due, mail_due, send_due
from outreach.jobs.sweeping import sweep_once, waits_of
from outreach.notices.channel import Channel
from outreach.people.roster import importing
from outreach.people.roster.problems import RosterError
from outreach.people.roster.report import Report
from outreach.settings import Settings

__all__ = [
    "ALLOWED",
    "QUEUE",
    "AllowedJob",
    "Machine",
    "NotAllowed",
    "apply_due",
    "apply_events",
    "bookkeepers",
    "carriers",
    "check_roster",
    "compare_books",
    "compare_due",
    "dispatch",
    "dispatch_letters",
    "dispatch_mail",
    "due",
    "house",
    "letters_due",
    "limits",
    "machine",
    "machine_for",
    "mail_due",
    "mail_house",
    "mail_provider",
    "meaning",
    "plan_campaign",
    "redact_due",
    "redact_texts",
    "redactions_due",
    "report_failure",
    "ring",
    "roster_limits",
    "run_roster",
    "send_due",
    "sendgrid_provider",
    "sweep_once",
    "sweep_up",
    "tariff",
    "text_provider",
    "waits_of",
]  # fmt: skip

log = structlog.get_logger()

QUEUE = "outreach"  # one queue for each worker: a worker on several was measured to lose jobs when it dies
LONGEST_SECONDS = 3600  # a roster of the largest size takes minutes
CROWD = 20  # rings that may wait: more would only repeat what the first ones do
EVENTS_A_TURN = 2000
LETTERS_PLACE = 0x6C657474  # the first key of the advisory locks; any number that nobody else uses
FAILED_SECONDS = 3600  # what a failed job leaves in Redis (its function and ids) stays so long


def dispatch() -> None:
    """Send the texts that are due, for a while; ring again when there are more."""
    m = machine()
    if send_due(m).more:
        ring(m.settings, dispatch)


def dispatch_mail() -> None:
    """Send the mails that are due, for a while; ring again when there are more."""
    m = machine()
    if mail_due(m).more:
        ring(m.settings, dispatch_mail)


def dispatch_letters() -> None:
    """Set the letters that are due, for a while; ring again when there are more. Where enough workers do so already, nothing."""
    m = machine()
    # Setting letters takes a whole core for minutes. This process is the job's own: nothing else stands back with it.
    os.nice(m.settings.letter_niceness)
    with letters_place(m) as free:
        more = free and letters_due(m).more
    if more:
        ring(m.settings, dispatch_letters)


@contextmanager
def letters_place(m: Machine) -> Iterator[bool]:
    """Whether one more worker may set letters: all may but one, so that texts, mails and reports never wait for a print run.

    A place is an advisory lock of PostgreSQL, which lets go when its holder dies.
    """
    workers = Worker.count(connection=Redis.from_url(m.settings.redis_url, socket_timeout=2.0))
    engine = m.sessions.kw["bind"]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        places = ({"kind": LETTERS_PLACE, "place": place} for place in range(max(1, workers - 1)))
        mine = next((p for p in places if connection.scalar(text("select pg_try_advisory_lock(:kind, :place)"), p)), None)
        try:
            yield mine is not None
        finally:
            if mine:
                connection.execute(text("select pg_advisory_unlock(:kind, :place)"), mine)


def plan_campaign(campaign_id: str) -> None:
    """Plan the steps of a launched campaign that are due."""
    planned = 0
    while True:
        with machine().sessions.begin() as session:
            steps = session.scalars(text("select id from step where campaign_id = :id"), {"id": UUID(campaign_id)}).all()
            # A step is due once those before it are planned, so each turn may bring another.
            found = [step for step in plan.due_steps(session) if step in steps]
            planned += sum(plan.plan(session, step) for step in found)
        if not found:
            break
    if planned:
        with machine().sessions.begin() as session:
            plan.refresh_statistics(session)
    log.info("plan.planned", campaign=campaign_id, messages=planned)
    with machine().sessions() as session:
        wanted = due(session, carriers(machine().settings), machine().settings.carrier_day_zone)
    for job in wanted:
        ring(machine().settings, job)


def apply_events() -> None:
    """Project the reports that came in."""
    apply_due(machine())


def apply_due(m: Machine) -> int:
    """Project all reports that have come in; how many."""
    s, done = m.settings, 0
    while True:
        with m.sessions.begin() as session:
            applied = events.apply(session, size=EVENTS_A_TURN, meaning=meaning, limits=partial(limits_of, s))
        done += applied
        if applied < EVENTS_A_TURN:
            return done


def sweep_up() -> None:
    """Re-do whatever was forgotten: plan, expire, reconcile, retry, finish, import."""
    m = machine()
    try:
        sweep_once(m)
    finally:
        _ring_forgotten(m)


def _ring_forgotten(m: Machine) -> None:
    with m.sessions.begin() as session:
        forgotten = importing.forgotten(session)
    for import_id, running in forgotten:
        ring(m.settings, run_roster if running else check_roster, str(import_id))
    if books_due(m):
        ring(m.settings, compare_books)
    if redactions_due(m):
        ring(m.settings, redact_texts)


def compare_books() -> None:
    """Compare the providers' books with ours, of the days for which that is wanted."""
    m = machine()
    if compare_due(m):
        ring(m.settings, apply_events)


def redact_texts() -> None:
    """Have the provider forget what texts said whose fate is known."""
    redact_due(machine())


def check_roster(import_id: str) -> None:
    """Find out what importing a roster would do."""
    _with_roster(importing.check, import_id)


def run_roster(import_id: str) -> None:
    """Import a roster that was checked."""
    _with_roster(importing.run, import_id)


def _with_roster(work: Callable[..., Report], import_id: str) -> None:
    m = machine()
    try:
        report = work(m.sessions, UUID(import_id), roster_limits(m.settings), today=now().date())
    except (RosterError, importing.NotNow) as error:
        log.warning("roster.not_read", id=import_id, work=work.__name__, error=type(error).__name__)
    except OperationalError:
        # The database went away: the sweep rings again when it is back.
        raise
    except Exception:
        # What failed once by itself would fail every minute: it waits for somebody to start it again.
        importing.halt(m.sessions, UUID(import_id))
        raise
    else:
        log.info("roster.worked", id=import_id, work=work.__name__, rows=report.rows)


def ring(chosen: Settings, job: Callable[..., None], *ids: str) -> bool:
    """Ring the doorbell for a job. False when Redis cannot be reached: the ticker and the sweep make up for it."""
    try:
        queue = Queue(QUEUE, connection=Redis.from_url(chosen.redis_url, socket_timeout=2.0), serializer=JSONSerializer)
        if queue.count < CROWD:
            queue.enqueue_call(
                f"{job.__module__}.{job.__name__}", args=tuple(ids), timeout=LONGEST_SECONDS, result_ttl=0, failure_ttl=0,
                description=job.__name__,
            )  # fmt: skip
    except RedisError as error:
        log.warning("doorbell.unreachable", job=job.__name__, error=type(error).__name__)
        return False
    return True


def due(session: Session, by: Mapping[Channel, str], zone: str = spending.DEFAULT.zone) -> list[Callable[..., None]]:
    """The jobs for which there is something to do now, by what PostgreSQL says.

    `by` are the providers, as of `carriers`; `zone` is the carriers' own, by whose midnight their day ends.
    """
    reports = session.scalar(text("select exists (select 1 from event where applied_at is null)"))
    rows = session.scalars(
        text(f"""
            select distinct s.channel from step s join campaign c on c.id = s.campaign_id
            join unnest(cast(:channels as text[]), cast(:providers as text[])) as p(channel, provider) on p.channel = s.channel
            where c.state = 'running'
              and exists (select 1 from message m where m.step_id = s.id and m.state = 'ready' and m.due_at <= now())
              and not exists (
                  select 1 from breaker b where b.closed_at is null and (b.step_id = s.id or b.provider = p.provider))
              and not exists (select 1 from incarnation where frozen_at is not null)
              and coalesce({spending.ROOM}, 1) > 0
            order by s.channel
        """),  # noqa: S608  # made from our own constant
        {"channels": list(by), "providers": list(by.values()), "day_zone": zone},
    )
    return [*([apply_events] if reports else []), *dict.fromkeys(SENDERS[channel] for channel in rows)]


SENDERS: dict[str, Callable[..., None]] = {
    "sms": dispatch,
    "email": dispatch_mail,
    "attorney_email": dispatch_mail,
    "hand": dispatch_letters,
    "letter": dispatch_letters,
    "attorney_letter": dispatch_letters,
}
"""The job that hands over each channel's messages."""

ALLOWED = {
    f"{__name__}.{job.__name__}": job
    for job in (
        dispatch, dispatch_mail, dispatch_letters, plan_campaign, apply_events, sweep_up, check_roster, run_roster, compare_books,
        redact_texts,
    )
}  # fmt: skip
"""The functions that a worker will run, by the name in the queue. Whoever can write to Redis cannot make it run another."""


class NotAllowed(Exception):
    """A job in the queue names a function that is none of ours, or brings callbacks along."""


class AllowedJob(Job):
    """A job whose function is one of ours and whose arguments are ids, and that runs or calls nothing else besides."""

    _brings_more = False

    def restore(self, raw_data: Any) -> None:
        # RQ would run the failure callback and call the webhooks of a job even though its function is refused.
        super().restore(raw_data)
        callbacks = (self._success_callback_name, self._failure_callback_name, self._stopped_callback_name)
        self._brings_more = any(callbacks) or bool(self.webhooks)
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self.webhooks = []

    @property
    def func(self) -> Callable[..., Any]:
        if self.func_name not in ALLOWED or self._brings_more or self.instance:
            raise NotAllowed
        if self.kwargs or not all(_is_id(argument) for argument in self.args):
            raise NotAllowed
        return ALLOWED[self.func_name]


def report_failure(job: Job, _kind: type[BaseException], error: BaseException, _traceback: object) -> bool:
    """RQ's exception handler: log type and place, and store nothing in Redis. The sweep re-does what the job left."""
    log.error("job.failed", job=job.id, function=job.func_name, exc_info=error)
    job.connection.expire(job.key, FAILED_SECONDS)  # RQ sets no end to a failed job where its own handler is turned off.
    return False


def _is_id(argument: object) -> bool:
    try:
        UUID(str(argument))
    except ValueError:
        return False
    return True
