"""Breakers: what stops by itself when something is wrong with a step or a provider, until a person has looked.

What is wrong with one message is no matter of theirs. They count what goes wrong in a row: in the latest answers of a provider, in
its latest reports, and by carriers' filters within a step. The counts are read from the attempts and reports themselves, newest
first and so many at most, so that they cost the same in a campaign of a million.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ForeignKey, Index, Row, Text, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.access import audit
from outreach.access.accounts import Account, Role
from outreach.access.audit import SYSTEM
from outreach.db import Base, new_id, now
from outreach.delivery.hours import Wait
from outreach.providers.contract import Refusal

log = structlog.get_logger()

FEWEST_UNKNOWN = 5  # fewer than this are a connection that broke, not a provider that has stopped answering
WALK = 6  # times the sample are looked at, since other steps and what is reported on the way lie in between
MAILERS = ("sendgrid", "smtp")  # the providers of which bounces are counted
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class BreakerKind(StrEnum):
    FILTERED = "filtered"  # a carrier takes us for spam, or our sender is not registered with it
    REFUSALS = "refusals"  # too many of the latest attempts were refused or failed
    UNKNOWNS = "unknowns"  # too many of the latest attempts have no known outcome
    BOUNCES = "bounces"  # too many of the latest mails came back
    COMPLAINTS = "complaints"  # too many recipients of the latest mails called them spam
    CONFIGURATION = "configuration"  # the provider does not let us in, or our account or sender is wrong
    LATE = "late"  # the schedule was found hours late: nobody worked, and what was meant for then may be wrong now


class NoBreaker(Exception):
    """There is no breaker with this id."""


class MayNotClose(Exception):
    """Only an approver or a supervisor closes a breaker: they answer for what goes out after it."""


class Breaker(Base):
    """Open until `closed_at`. While it is open nothing of the step, or nothing by the provider, is claimed.

    One of `provider` and `step_id` is set. `code` is the provider's, where one opened it; `figures` are the counts that did.
    """

    __tablename__ = "breaker"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(Text)
    provider: Mapped[str | None] = mapped_column(Text)
    step_id: Mapped[UUID | None] = mapped_column(ForeignKey("step.id"))
    code: Mapped[str | None] = mapped_column(Text)
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    opened_at: Mapped[datetime] = mapped_column(default=now)
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))

    __table_args__ = (
        Index(
            "breaker_open_key", "kind", "provider", "step_id", unique=True, postgresql_nulls_not_distinct=True,
            postgresql_where="closed_at is null",
        ),
        Index("breaker_step_idx", "step_id", "closed_at"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much of what goes wrong is normal. A breaker opens when more than `share` x `sample` of the latest `sample` went wrong.

    config/default.toml says why each is what it is. `filtered` is a number of refusals by a carrier's filter within a step.
    """

    filtered: int = 5
    sample: int = 100  # answers or reports of a step, or answers of a provider
    addresses: float = 0.5  # refused or failed because of the address or the phone
    refusals: float = 0.05  # refused or failed for any other reason
    unknowns: float = 0.02
    mails: int = 1000  # mails that were reported on
    bounces: float = 0.08
    complaints: float = 0.003


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong with one message: `refusal` None stands for an outcome that is not known."""

    message_id: UUID
    refusal: Refusal | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a breaker is to open. One of `provider` and `step_id` is set."""

    kind: BreakerKind
    provider: str | None = None
    step_id: UUID | None = None
    code: str | None = None
    figures: Mapping[str, int] = field(default_factory=dict)


OURS = {Refusal.CONFIGURATION: BreakerKind.CONFIGURATION, Refusal.UNREGISTERED: BreakerKind.FILTERED}
"""Refusals that the next message would meet as well, whichever it is: the provider stops at once."""

ABOUT_THE_ADDRESS = (Refusal.BAD_ADDRESS, Refusal.NO_ROUTE, Refusal.OPTED_OUT, Refusal.TRANSIENT)


def trip(session: Session, findings: Iterable[Finding]) -> list[UUID]:
    """Open a breaker for each finding; the ids of those that were not open yet. Safe to repeat.

    It is the last thing that a transaction does: it waits for others that open the same ones, and then for the audit log.
    """
    opened: list[tuple[UUID, Finding]] = []
    # All in one order before the first audit entry: two processes that find the same wait for each other, and never in a ring.
    for one in sorted(findings, key=lambda f: (f.kind, f.provider or "", str(f.step_id))):
        values = {"kind": one.kind, "provider": one.provider, "step_id": one.step_id, "code": one.code}
        added = session.scalar(
            insert(Breaker).values(id=new_id(), figures=dict(one.figures), **values).on_conflict_do_nothing().returning(Breaker.id)
        )
        if added is not None:
            opened.append((added, one))
    for breaker_id, one in opened:
        step = str(one.step_id) if one.step_id else None
        found = {"kind": str(one.kind), "provider": one.provider, "step": step, "code": one.code, **one.figures}
        audit.record(session, SYSTEM, "breaker.open", "breaker", breaker_id, **found)
        log.error("breaker.opened", breaker=str(breaker_id), **found)
    return [breaker_id for breaker_id, _ in opened]


def close(session: Session, breaker_id: UUID, *, by: Account) -> Breaker:
    """What it held goes on within seconds, and only what happens from now on counts. Closing a closed one changes nothing.

    Raises NoBreaker and MayNotClose.
    """
    if by.role not in (Role.APPROVER, Role.SUPERVISOR):
        raise MayNotClose
    breaker = session.get(Breaker, breaker_id, with_for_update=True, populate_existing=True)
    if breaker is None:
        raise NoBreaker(str(breaker_id))
    if breaker.closed_at is None:
        breaker.closed_at, breaker.closed_by = now(), by.id
        audit.record(session, by.actor, "breaker.close", "breaker", breaker.id, kind=breaker.kind)
        log.warning("breaker.closed", breaker=str(breaker.id), kind=breaker.kind)
    return breaker


def of_answers(session: Session, provider: str, faults: Sequence[Fault], tolerance: Tolerance) -> list[Finding]:
    """What a batch of a provider's answers tells, once it is recorded. `faults` are what went wrong in it; without any, nothing."""
    findings = _at_once(session, provider, faults, tolerance)
    if any(f.refusal is None or f.refusal in ABOUT_THE_ADDRESS or f.refusal is Refusal.REVIEW for f in faults):
        rows = session.execute(text(ANSWERS), {"provider": provider, "most": WALK * tolerance.sample}).all()
        said = [
            _Said(r.step_id, r.at, _why_refused(r.state, r.reason), r.error_code, unknown=_is_unknown(r), again=r.again)
            for r in rows
        ]
        findings += _refusals(session, said, tolerance)
        findings += _unknowns(session, provider, said, tolerance)
    return findings


Meaning = Callable[[str, str | None], Refusal]
"""What to do about a provider's code: the provider's name, and the code of its report."""


def of_reports(session: Session, provider: str, faults: Sequence[Fault], meaning: Meaning, tolerance: Tolerance) -> list[Finding]:
    """What a batch of a provider's reports tells, once it is applied. `faults` are the failures in it; without any, nothing."""
    findings = _at_once(session, provider, faults, tolerance)
    if any(f.refusal in ABOUT_THE_ADDRESS or f.refusal is Refusal.REVIEW for f in faults):
        most = max(WALK * tolerance.sample, 3 * tolerance.mails if provider in MAILERS else 0)
        rows = session.execute(text(REPORTS), {"provider": provider, "most": most}).all()
        said = [
            _Said(r.step_id, r.at, _why_failed(r, meaning(provider, r.error_code)), r.error_code, mail=r.mail, again=r.again)
            for r in rows
        ]
        findings += _refusals(session, said, tolerance)
        findings += _bounces(session, provider, said, tolerance)
    return findings


def of_complaints(session: Session, provider: str, tolerance: Tolerance) -> list[Finding]:
    """Whether too many recipients of the last day's mails have called them spam. To be asked after a complaint."""
    since = _closed(session, provider, ())[BreakerKind.COMPLAINTS, provider]
    complaints = session.scalar(text(COMPLAINTS), {"since": since}) or 0
    # As many mails as would make the complaints tolerable need to be counted, and no more.
    enough = int(complaints / tolerance.complaints) + 1
    mails = session.scalar(text(MAILED), {"provider": provider, "since": since, "enough": enough}) or 0
    if complaints <= tolerance.complaints * max(tolerance.mails, mails):
        return []
    return [Finding(BreakerKind.COMPLAINTS, provider, figures={"bad": complaints, "of": mails})]


AGAIN = """exists (
    select 1 from attempt before
    where before.message_id = {this}.message_id and before.number < {this}.number and before.state <> 'not_sent'
)"""

# What lies open on top is what workers are at just now: so many at once that it can be walked over. `limit 1` makes each message be
# looked up by its key: the planner would rather read a whole table than find a thousand rows of it.
ANSWERS = f"""
    with latest as materialized (
        select message_id, number, state, error_code, started_at from attempt
        where provider = :provider and state <> 'open' and started_at > now() - interval '1 day'
        order by started_at desc limit :most
    )
    select m.step_id, m.reason, l.state, l.error_code, l.started_at as at, {AGAIN.format(this="l")} as again
    from latest l cross join lateral (select step_id, reason from message where id = l.message_id limit 1) m
    where l.state <> 'not_sent' order by l.started_at desc
"""

REPORTS = f"""
    with latest as materialized (select * from event order by id desc limit :most)
    select m.step_id, l.state, l.error_code, l.received_at as at, m.channel in ('email', 'attorney_email') as mail,
        {AGAIN.format(this="a")} as again
    from (select distinct on (attempt_id) * from latest
          where provider = :provider and state in ('delivered', 'undelivered', 'failed', 'returned')
            and applied_at is not null and problem is null
          order by attempt_id, id desc) l
    cross join lateral (select message_id, number from attempt where id = l.attempt_id limit 1) a
    cross join lateral (select step_id, channel from message where id = a.message_id limit 1) m
    order by l.id desc
"""

# The words are those of the index `contact_point_complaint_idx`.
COMPLAINTS = """
    select count(*) from contact_point
    where state_reason like '%spam_report' and state_at > greatest(:since, now() - interval '1 day')
"""
MAILED = """
    select count(*) from (
        select 1 from attempt where provider = :provider and started_at > greatest(:since, now() - interval '1 day') limit :enough
    ) latest
"""

FILTERED = """
    select m.step_id, s.since, (
        select count(*) from (
            select 1 from message f where f.step_id = m.step_id and f.reason = 'filtered'
              and f.updated_at > coalesce(s.since, '-infinity') limit :enough
        ) latest
    ) as filtered
    from (select distinct step_id from message where id = any(:ids)) m
    cross join lateral (
        select max(closed_at) as since from breaker b where b.step_id = m.step_id and b.kind = 'filtered'
    ) s
"""

CLOSED = """
    select kind, coalesce(provider, cast(step_id as text)) as whose, max(closed_at) as at from breaker
    where closed_at is not null and (provider = cast(:provider as text) or step_id = any(cast(:steps as uuid[])))
    group by 1, 2
"""


@dataclass(frozen=True, slots=True)
class _Said:
    """One answer or report, the newest first in a list. `why` is why it was a no: the address, something else, or None.

    `again`: its message had failed before. At the end of a campaign most of what goes out has, which is no news of the rest.
    """

    step_id: UUID
    at: datetime
    why: str | None
    code: str | None
    unknown: bool = False
    mail: bool = False
    again: bool = False


def _at_once(session: Session, provider: str, faults: Sequence[Fault], tolerance: Tolerance) -> list[Finding]:
    """What needs no sample: our account or sender at fault, and a carrier's filter, of which a few are enough."""
    codes: dict[BreakerKind, str | None] = {OURS[f.refusal]: f.code for f in reversed(faults) if f.refusal in OURS}
    findings = [Finding(kind, provider, code=code) for kind, code in codes.items()]
    filtered = {f.message_id: f.code for f in faults if f.refusal is Refusal.FILTERED}
    if filtered:
        found = session.execute(text(FILTERED), {"ids": list(filtered), "enough": tolerance.filtered})
        code = min(c or "" for c in filtered.values()) or None
        findings += [
            Finding(BreakerKind.FILTERED, step_id=row.step_id, code=code, figures={"bad": row.filtered})
            for row in found
            if row.filtered >= tolerance.filtered
        ]
    return findings


def _refusals(session: Session, said: Sequence[_Said], tolerance: Tolerance) -> list[Finding]:
    findings = []
    said = [one for one in said if not one.again]
    steps = {one.step_id for one in said if one.why}
    closed = _closed(session, None, steps)
    for step_id in steps:
        since = closed[BreakerKind.REFUSALS, str(step_id)]
        latest = [one for one in said if one.step_id == step_id and one.at > since][: tolerance.sample]
        for why, share in (("address", tolerance.addresses), ("other", tolerance.refusals)):
            bad = [one for one in latest if one.why == why]
            if len(bad) > share * tolerance.sample:
                figures = {"bad": len(bad), "of": len(latest)}
                findings.append(Finding(BreakerKind.REFUSALS, step_id=step_id, code=_commonest(bad), figures=figures))
                break
    return findings


def _unknowns(session: Session, provider: str, said: Sequence[_Said], tolerance: Tolerance) -> list[Finding]:
    since = _closed(session, provider, ())[BreakerKind.UNKNOWNS, provider]
    latest = [one for one in said if one.at > since][: tolerance.sample]
    bad = [one for one in latest if one.unknown]
    if len(bad) < FEWEST_UNKNOWN or len(bad) <= tolerance.unknowns * tolerance.sample:
        return []
    return [Finding(BreakerKind.UNKNOWNS, provider, code=_commonest(bad), figures={"bad": len(bad), "of": len(latest)})]


def _bounces(session: Session, provider: str, said: Sequence[_Said], tolerance: Tolerance) -> list[Finding]:
    since = _closed(session, provider, ())[BreakerKind.BOUNCES, provider]
    latest = [one for one in said if one.mail and not one.again and one.at > since][: tolerance.mails]
    bad = [one for one in latest if one.why]
    if len(bad) <= tolerance.bounces * tolerance.mails:
        return []
    return [Finding(BreakerKind.BOUNCES, provider, code=_commonest(bad), figures={"bad": len(bad), "of": len(latest)})]


def _why_refused(state: str, reason: str | None) -> str | None:
    """By what its message stands at. One that is tried again has no reason, or waits for its hours: like a phone that could not be
    reached, that is normal of a few, and of most of them it is not."""
    if state != "refused" or reason == "filtered":
        return None
    if reason is None or reason in set(Wait):
        return "address"
    return {"bad_contact": "address", "no_route": "address", "opted_out": "address", "refused": "other"}.get(reason)


def _is_unknown(row: Row[Any]) -> bool:
    """Whether the provider gave no usable answer. What a dead worker left behind has no code, and is no fault of the provider's."""
    return row.state == "unknown" and row.error_code is not None


def _why_failed(row: Row[Any], refusal: Refusal) -> str | None:
    if row.state == "delivered":
        return None
    if row.state == "returned" or refusal in ABOUT_THE_ADDRESS:
        return "address"
    return "other" if refusal is Refusal.REVIEW else None


def _commonest(bad: Sequence[_Said]) -> str | None:
    codes = Counter(one.code for one in bad if one.code)
    return codes.most_common(1)[0][0] if codes else None


def _closed(session: Session, provider: str | None, steps: Iterable[UUID]) -> dict[tuple[str, str], datetime]:
    """When the last breaker of each kind was closed, by what it had stopped; long ago where none was."""
    rows = session.execute(text(CLOSED), {"provider": provider, "steps": list(steps)})
    return defaultdict(lambda: LONG_AGO, {(row.kind, row.whose): row.at for row in rows})
