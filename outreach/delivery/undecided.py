"""Attempts that no provider settles: put before a person with all the evidence, and decided by them.

    unknown ──settled after all, by a report or the books──> the task is closed by the engine
       ├──── "it was handed over" ──> accepted, and so the message
       └──── "it was not" ──> not_sent: ONE new attempt is free

A double frightens and a silence leaves somebody untold; both are a person's to weigh here, with a reason that is kept.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.accounts import Account
from outreach.access.sealing import Sealed, create_key, key_for
from outreach.db import now
from outreach.delivery.look import Look
from outreach.delivery.message import Attempt, AttemptState, Event, Message, MessageState
from outreach.delivery.projection import lock, project
from outreach.delivery.spending import settle
from outreach.delivery.task import Task, TaskKind

NOTE = "task.note"
RESTORED = "restored"
"""The error code of an attempt that nobody made: it holds a message back after a restore (`restoring`)."""

AROUND = timedelta(hours=24)  # before and after the attempt, in which the rest of the traffic to its destination is shown


class Decision(StrEnum):
    """What a person has decided; the resolution of the task."""

    HANDED_OVER = "handed_over"
    NOT_HANDED_OVER = "not_handed_over"


SETTLED = "settled"
"""The resolution of a task that the engine has closed."""


class NoTask(LookupError):
    """There is no such task about an undecided attempt."""


class AlreadySettled(Exception):
    """The attempt is not unknown any more: a report or the provider's books have settled it, or somebody has decided."""


class NoReason(ValueError):
    """A decision came without its reason."""


# What is printed in our own house is settled by the print room: nothing leaves it that it has not kept.
OPEN = """
    insert into task (id, kind, campaign_id, attempt_id, opened_at)
    select new_id(), 'undecided', m.campaign_id, a.id, now()
    from attempt a join message m on m.id = a.message_id
    where a.state = 'unknown' and a.provider <> 'print_room'
      and (a.error_code = 'restored'
        or greatest(a.started_at, a.lease_until) + :hours * interval '1 hour' <= now()
        or (a.provider = any(:mute) and a.lease_until + :release * interval '1 second' <= now()))
      and not exists (select 1 from task t where t.attempt_id = a.id and t.closed_at is null)
    order by a.id
    on conflict do nothing
    returning id
"""

CLOSE = """
    update task t set closed_at = now(), resolution = :settled
    where t.id in (
        select t.id from task t join attempt a on a.id = t.attempt_id
        where t.kind = 'undecided' and t.closed_at is null and a.state <> 'unknown'
        order by t.id for update of t skip locked
    )
    returning t.id
"""


def open_and_close(session: Session, *, hours: float, release: float, mute: Collection[str]) -> tuple[int, int]:
    """Open a task for each attempt that has been unknown for `hours`, and close those that were settled meanwhile; how many each.

    `mute` are the providers without books: what they have never answered for is put before a person `release` seconds after its
    lease, when a provider with books would have proved it absent. Safe to repeat, and to run twice at once.
    """
    closed = session.execute(text(CLOSE), {"settled": SETTLED}).all()
    opened = session.execute(text(OPEN), {"hours": hours, "release": release, "mute": list(mute)}).all()
    return len(opened), len(closed)


@dataclass(frozen=True, slots=True)
class Other:
    """Another attempt to the same destination at about that time."""

    attempt_id: UUID
    campaign_id: UUID
    campaign: str
    started_at: datetime
    state: str
    same_text: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known about an undecided attempt, without anything of what it says or whom it goes to.

    `number` of `attempts` is which try of its message it was; `people` are whom the message is about. `over`: the campaign has
    ended, so that nothing more is sent by it.
    """

    task: Task
    attempt: Attempt
    number: int
    attempts: int
    campaign_title: str
    over: bool
    people: tuple[UUID, ...]
    looks: tuple[Look, ...]
    reports: tuple[Event, ...]
    others: tuple[Other, ...]
    restored: bool
    note: str | None
    decided_by: str | None


def evidence(session: Session, task_id: UUID) -> Evidence:
    """Raises NoTask."""
    task = _task(session, task_id)
    attempt = session.get_one(Attempt, task.attempt_id)
    message = session.get_one(Message, attempt.message_id)
    about = text("select person_id from message_person where message_id = :id order by person_id")
    title, state = session.execute(text("select title, state from campaign where id = :id"), {"id": message.campaign_id}).one()
    decided_by = text("select name from account where id = :id")
    return Evidence(
        task=task,
        attempt=attempt,
        number=attempt.number,
        attempts=message.attempts,
        campaign_title=title,
        over=state not in GOES_ON,
        people=tuple(session.scalars(about, {"id": message.id})),
        looks=tuple(session.scalars(select(Look).where(Look.attempt_id == attempt.id).order_by(Look.id))),
        reports=tuple(session.scalars(select(Event).where(Event.attempt_id == attempt.id).order_by(Event.id))),
        others=tuple(_other(row, attempt) for row in _others(session, attempt)),
        restored=attempt.error_code == RESTORED,
        note=_note(session, task, attempt),
        decided_by=session.scalar(decided_by, {"id": task.closed_by}) if task.closed_by else None,
    )


GOES_ON = ("running", "paused")
"""States of a campaign whose ready messages are sent, now or when it is resumed."""


def decide(session: Session, task_id: UUID, decision: Decision, reason: str, *, by: Account) -> None:
    """Settle the attempt as a person has decided, and close its task. The caller commits.

    What is freed is ready for one new attempt; where the campaign is over, it is `failed`, and its people are on the worked list.
    Raises NoTask, AlreadySettled and NoReason.
    """
    reason = reason.strip()
    if not reason:
        raise NoReason
    task = _task(session, task_id)
    attempt = session.get_one(Attempt, task.attempt_id)
    lock(session, [attempt.message_id])
    handed_over = decision is Decision.HANDED_OVER
    # A report that is kept and not projected yet settles it: the person who decides has not seen it.
    settled = session.execute(
        text("""
            update attempt a set state = :state, finished_at = now()
            where id = :id and state = 'unknown'
              and not exists (select 1 from event e where e.attempt_id = a.id and e.applied_at is null)
            returning id
        """),
        {"id": attempt.id, "state": AttemptState.ACCEPTED if handed_over else AttemptState.NOT_SENT},
    ).all()
    if not settled:
        raise AlreadySettled
    session.execute(
        text("""
            update message m set
                state = case when :handed_over then 'accepted' when c.state = any(:goes_on) then 'ready' else 'failed' end,
                reason = case when :handed_over or c.state = any(:goes_on) then null else 'not_delivered' end,
                due_at = now(), updated_at = now()
            from campaign c where c.id = m.campaign_id and m.id = :id and m.state = :unknown
        """),
        {"id": attempt.message_id, "handed_over": handed_over, "goes_on": list(GOES_ON), "unknown": MessageState.UNKNOWN},
    )
    project(session, [attempt.message_id])
    settle(session, [attempt.id])
    session.refresh(task, with_for_update=True)
    task.closed_at, task.closed_by, task.resolution = now(), by.id, decision
    try:
        key = key_for(session, attempt.contact_point_id)
    except Sealed:
        key = create_key(session, task.id)  # The destination was erased, and what is written here is not about it.
    task.note_sealed = key.seal(NOTE, task.id, reason)
    session.flush()
    audit.record(
        session, by.actor, "attempt.decide", "attempt", attempt.id, decision=decision, provider=attempt.provider, task=str(task.id)
    )


def _task(session: Session, task_id: UUID) -> Task:
    task = session.get(Task, task_id)
    if task is None or task.kind != TaskKind.UNDECIDED:
        raise NoTask(str(task_id))
    return task


def _note(session: Session, task: Task, attempt: Attempt) -> str | None:
    if task.note_sealed is None:
        return None
    for subject in (attempt.contact_point_id, task.id):
        try:
            return key_for(session, subject).open(NOTE, task.id, task.note_sealed)
        except Sealed:
            continue  # Erased, or sealed under the other one.
    return None


def _others(session: Session, attempt: Attempt) -> Sequence[Row[Any]]:
    return session.execute(
        text("""
            select a.id, m.campaign_id, c.title, a.started_at, a.state, a.body_digest
            from attempt a join message m on m.id = a.message_id join campaign c on c.id = m.campaign_id
            where a.id <> :id and a.message_id in (select id from message where contact_point_id = :contact)
              and a.started_at between :since and :until
            order by a.started_at
        """),
        {
            "id": attempt.id, "contact": attempt.contact_point_id, "since": attempt.started_at - AROUND,
            "until": attempt.started_at + AROUND,
        },
    ).all()  # fmt: skip


def _other(row: Row[Any], attempt: Attempt) -> Other:
    return Other(row.id, row.campaign_id, row.title, row.started_at, row.state, row.body_digest == attempt.body_digest)
