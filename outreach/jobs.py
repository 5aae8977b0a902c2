"""The background jobs, and the doorbell that starts them.

Redis is only the doorbell: each job asks PostgreSQL what there is to do, so that a lost ring costs seconds and a doubled one
nothing. Jobs carry ids only, are few and long, and are the only functions that a worker will run.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy import NullPool, Pool, QueuePool, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from outreach import settings
from outreach.access.sealing import FileKeyRing, Vault
from outreach.db import make_engine, make_sessions, now
from outreach.delivery import dispatch as dispatching
from outreach.delivery import events, letter, plan, reconcile, sweep  # noqa: F401  # letter: its tables
from outreach.delivery.claim import Rules
from outreach.delivery.limits import Limiter
from outreach.delivery.record import Limits
from outreach.notices.house import House
from outreach.notices.notice import Channel
from outreach.people.roster import importing
from outreach.people.roster import limits as roster
from outreach.people.roster.problems import RosterError
from outreach.people.roster.report import Report
from outreach.providers.contract import Refusal
from outreach.providers.twilio import TwilioTexts, codes
from outreach.settings import Settings

log = structlog.get_logger()

QUEUE = "outreach"  # one queue for each worker: a worker on several was measured to lose jobs when it dies
LONGEST_SECONDS = 3600  # a roster of the largest size takes minutes
CROWD = 20  # rings that may wait: more would only repeat what the first ones do
EVENTS_A_TURN = 2000
FAILED_SECONDS = 3600  # what a failed job leaves in Redis (its function and ids) stays so long


@dataclass(frozen=True, slots=True)
class Machine:
    """What a job needs: the settings, and sessions that connect only when they are used."""

    settings: Settings
    sessions: sessionmaker[Session]


def house(chosen: Settings) -> House:
    return House(chosen.fields_for_texts, chosen.sms_max_segments, chosen.sms_segment_price)


def text_provider(chosen: Settings) -> TwilioTexts:
    """The provider of texts that the settings choose."""
    return TwilioTexts(
        account_sid=chosen.twilio_account_sid,
        auth_token=chosen.twilio_auth_token,
        previous_token=chosen.twilio_auth_token_previous,
        sender=chosen.sms_sender,
        api_url=chosen.twilio_api_url,
        callback_base=chosen.public_base_url,
        in_flight=chosen.sms_in_flight,
        timeout=chosen.sms_timeout_seconds,
        validity=chosen.sms_validity_seconds,
        allowed_numbers=chosen.sms_allowed_numbers,
    )


def machine_for(chosen: Settings, *, pool: type[Pool] = NullPool) -> Machine:
    """Nothing is connected yet. Unless there is a pool, each connection is closed after its use."""
    engine = make_engine(chosen.database_url, pool=pool)
    return Machine(chosen, make_sessions(engine, Vault(FileKeyRing(chosen.key_ring))))


@functools.cache
def machine() -> Machine:
    """This process's own, made from its environment. A worker makes it before it forks, and never connects: only its jobs do.

    A job keeps its connections: to connect anew for each batch costs as much as the batch.
    """
    return machine_for(settings.load(), pool=QueuePool)


def dispatch() -> None:
    """Send what is due, for a while; ring again when there is more."""
    m = machine()
    if send_due(m).more:
        ring(m.settings, dispatch)


def send_due(m: Machine) -> dispatching.Worked:
    s = m.settings
    limiter = Limiter(s.redis_url, s.sms_segments_per_second) if s.sms_segments_per_second else None
    # A batch must be sent within its lease, whatever the limit.
    most = s.sms_segments_per_second * s.lease_seconds / (4 * s.sms_max_segments)
    batch = min(s.sms_batch, max(1, int(most))) if limiter else s.sms_batch
    worked = dispatching.dispatch(
        m.sessions,
        text_provider(s),
        Channel.SMS,
        Rules(house(s), timedelta(seconds=s.lease_seconds), TwilioTexts.name),
        limits(s),
        dispatching.Pace(batch, s.sms_in_flight, s.dispatch_seconds, s.sms_timeout_seconds, limiter),
    )
    if worked.sent:
        log.info("dispatch.worked", sent=worked.sent, more=worked.more)
    return worked


def meaning(provider: str, code: str | None) -> Refusal:
    """What to do about a code that a provider has reported."""
    return MEANINGS.get(provider, {}).get(code or "", Refusal.REVIEW)


MEANINGS = {TwilioTexts.name: codes()}


def limits(s: Settings) -> Limits:
    return Limits(s.sms_attempts, s.sms_retry_seconds, s.filtered_limit)


def plan_campaign(campaign_id: str) -> None:
    """Plan the steps of a launched campaign that are due."""
    with machine().sessions.begin() as session:
        steps = session.scalars(
            text("select id from step where campaign_id = :id and planned_at is null order by position"), {"id": UUID(campaign_id)}
        ).all()
        planned = sum(plan.plan(session, step) for step in plan.due_steps(session) if step in steps)
    if planned:
        with machine().sessions.begin() as session:
            plan.refresh_statistics(session)
    log.info("plan.planned", campaign=campaign_id, messages=planned)
    ring(machine().settings, dispatch)


def apply_events() -> None:
    """Project the reports that came in."""
    apply_due(machine())


def apply_due(m: Machine) -> int:
    """Project all reports that have come in; how many."""
    s, done = m.settings, 0
    while True:
        with m.sessions.begin() as session:
            applied = events.apply(
                session, size=EVENTS_A_TURN, meaning=meaning, attempts=s.sms_attempts,
                retry_seconds=s.sms_retry_seconds, filtered=s.filtered_limit,
            )  # fmt: skip
        done += applied
        if applied < EVENTS_A_TURN:
            return done


def sweep_up() -> None:
    """Re-do whatever was forgotten: plan, expire, reconcile, retry, finish, import."""
    m = machine()
    sweep_once(m)
    with m.sessions.begin() as session:
        forgotten = importing.forgotten(session)
    for import_id, running in forgotten:
        ring(m.settings, run_roster if running else check_roster, str(import_id))


def roster_limits(chosen: Settings) -> roster.Limits:
    return roster.Limits(file_bytes=chosen.roster_max_bytes, rows=chosen.roster_max_rows, address_reuse=chosen.address_reuse_limit)


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


def sweep_once(m: Machine) -> sweep.Swept:
    s = m.settings
    with m.sessions.begin() as session:
        swept = sweep.sweep(session)
    if swept.planned:
        with m.sessions.begin() as session:
            plan.refresh_statistics(session)
    waits = reconcile.Waits(s.reconcile_after_seconds, s.release_after_seconds, s.poll_after_seconds)
    asked = reconcile.reconcile(m.sessions, text_provider(s), waits)
    if any((swept.planned, swept.expired, swept.retried, swept.cancelled, swept.finished, asked)):
        log.info("sweep.swept", planned=swept.planned, expired=swept.expired, retried=swept.retried,
                 cancelled=swept.cancelled, finished=swept.finished, asked=asked)  # fmt: skip
    return swept


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


def due(session: Session) -> list[Callable[..., None]]:
    """The jobs for which there is something to do now, by what PostgreSQL says."""
    row = session.execute(
        text("""
            select exists (select 1 from event where applied_at is null) as reports,
                exists (
                    select 1 from campaign c where c.state = 'running' and exists (
                        select 1 from message m
                        where m.campaign_id = c.id and m.channel = 'sms' and m.state = 'ready' and m.due_at <= now())
                ) as messages
        """)
    ).one()
    return [job for job, wanted in ((apply_events, row.reports), (dispatch, row.messages)) if wanted]


ALLOWED = {f"{__name__}.{job.__name__}": job for job in (dispatch, plan_campaign, apply_events, sweep_up, check_roster, run_roster)}
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
