"""People for whom every step was tried or is impossible: a task for each, with all that was tried, until somebody closes it.

There is none for people of whom nothing is on file, or whom a campaign leaves out: they stand on its list of people to reach
another way, by reason, where many are helped by one act (a text is translated, a roster brings phones).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.accounts import Account
from outreach.access.sealing import Sealed, key_for
from outreach.campaigns import audience, campaign
from outreach.campaigns.audience import NOTHING
from outreach.db import now
from outreach.delivery.task import Task, TaskKind
from outreach.notices.channel import Channel
from outreach.people.file import Permit

NOTE = "task.note"
LONGEST_NOTE = 2000


class Resolution(StrEnum):
    """How the task about a person was closed. None of them is proof: only an answer or a receipt is (see `outcome`)."""

    SETTLED = "settled"  # by the engine: they were reached or told after all, or there is a new message
    TOLD_OTHERWISE = "told_otherwise"  # in person or by phone, as staff say
    ANOTHER_WAY = "another_way"  # another phone or address is on file now
    UNREACHABLE = "unreachable"
    OTHER = "other"


BY_STAFF = tuple(resolution for resolution in Resolution if resolution != Resolution.SETTLED)


class NoTask(LookupError):
    """There is no such task about a person."""


class AlreadyClosed(Exception):
    """The task was closed meanwhile."""


class NoNote(ValueError):
    """A task was to be closed without a word of what was done, or with too many."""


# A step may still reach them while it is to come, is for people of their custody, and was not decided for them ahead of its time.
# Campaigns that ended are looked at for as long as letters come back. A task that a person has closed is opened again only when
# something was tried since; one that the engine has closed, whenever they stand as not reached again.
OPEN = f"""
    insert into task (id, kind, campaign_id, person_id, opened_at)
    select new_id(), 'exhausted', o.campaign_id, o.person_id, now()
    from campaign c
    join outcome o on o.campaign_id = c.id and o.state = 'exhausted' and coalesce(o.reason not in {NOTHING}, true)
    join person p on p.id = o.person_id
    where (c.state in ('running', 'paused') or (c.state = 'done' and c.finished_at > now() - interval '90 days'))
      and not exists (
          select 1 from task t
          where t.person_id = o.person_id and t.campaign_id = o.campaign_id and t.kind = 'exhausted'
            and (t.closed_at is null or (t.closed_at >= o.updated_at and t.resolution <> 'settled'))
      )
      and not exists (
          select 1 from step s join channel_rule cr on cr.channel = s.channel and cr.custody = p.custody
          where s.campaign_id = o.campaign_id and s.planned_at is null and s.position > o.rung
            and s.channel not in ('attorney_email', 'attorney_letter')
            and (s.custodies is null or p.custody = any(s.custodies)) and (s.added_at is null or s.approved_at is not null)
      )
    order by o.campaign_id, o.person_id
    on conflict do nothing
    returning id
"""

CLOSE = """
    update task t set closed_at = now(), resolution = 'settled'
    where t.id in (
        select t.id from task t join outcome o on o.campaign_id = t.campaign_id and o.person_id = t.person_id
        where t.kind = 'exhausted' and t.closed_at is null and o.state <> 'exhausted'
        order by t.id for update of t skip locked
    )
    returning t.id
"""


def open_and_close(session: Session) -> tuple[int, int]:
    """Open the tasks that are due, and close those that are settled; how many each. Safe to repeat, and to run twice at once."""
    closed = session.execute(text(CLOSE)).all()
    opened = session.execute(text(OPEN)).all()
    return len(opened), len(closed)


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt. `code` is the provider's; `reported_at` is when its last report came, None when none has."""

    at: datetime
    provider: str
    state: str
    code: str | None
    reported_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rung:
    """What became of one step for this person: its messages about them, or why it has none, as things stand now.

    `refusal` is None where there are messages, and where nothing would speak against one any more.
    """

    position: int
    channel: str
    messages: tuple["Sent", ...]
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of the step. `contact_point_id` is where it went; what that is stands in the person's file."""

    message_id: UUID
    contact_point_id: UUID
    language: str
    state: str
    reason: str | None
    tries: tuple[Tried, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A task with all that was tried. `over`: the campaign has ended, so that nothing more is sent by it."""

    task: Task
    campaign_title: str
    over: bool
    outcome: str
    reason: str | None
    rungs: tuple[Rung, ...]
    note: str | None
    closed_by: str | None


def person_of(session: Session, task_id: UUID) -> UUID:
    """Whom the task is about. Raises NoTask."""
    return _person(_task(session, task_id))


def open_task(session: Session, task_id: UUID, permit: Permit) -> Opened:
    """All about one task. `permit` is for the file of its person. Raises NoTask."""
    task = _task(session, task_id)
    assert _person(task) in permit.people
    about = session.execute(
        text("""
            select c.title, c.state, o.state as outcome, o.reason,
                (select name from account where id = :closed_by) as closed_by
            from campaign c join outcome o on o.campaign_id = c.id and o.person_id = :person where c.id = :campaign
        """),
        {"campaign": task.campaign_id, "person": task.person_id, "closed_by": task.closed_by},
    ).one()
    return Opened(
        task=task,
        campaign_title=about.title,
        over=about.state not in ("running", "paused"),
        outcome=about.outcome,
        reason=about.reason,
        rungs=tuple(_rungs(session, task)),
        note=_note(session, task),
        closed_by=about.closed_by,
    )


def close(session: Session, task_id: UUID, resolution: Resolution, note: str, *, by: Account) -> Task:
    """A person closes the task, with what was done about it. Raises NoTask, AlreadyClosed, or NoNote."""
    task = _task(session, task_id, lock=True)
    if task.closed_at is not None:
        raise AlreadyClosed
    note = note.strip()
    if not note or len(note) > LONGEST_NOTE:
        raise NoNote
    person_id = _person(task)
    try:
        task.note_sealed = key_for(session, person_id).seal(NOTE, task.id, note)
    except Sealed:
        task.note_sealed = None  # The person was erased: nothing is kept about them any more.
    task.closed_at, task.closed_by, task.resolution = now(), by.id, resolution
    session.flush()
    audit.record(session, by.actor, "task.close", "task", task.id, resolution=resolution, person=str(person_id))
    return task


TRIED = """
    select s.id as step_id, m.id, m.contact_point_id, m.language, m.state, m.reason,
        a.id as attempt_id, a.started_at, a.provider, a.state as attempt_state, a.error_code,
        (select max(e.received_at) from event e where e.attempt_id = a.id) as reported_at
    from message_person mp
    join message m on m.id = mp.message_id
    join step s on s.id = m.step_id
    left join attempt a on a.message_id = m.id
    where mp.person_id = :person and m.campaign_id = :campaign and m.attorney_id is null
    order by m.created_at, m.id, a.number
"""


def _rungs(session: Session, task: Task) -> Iterator[Rung]:
    intent = campaign.get(session, task.campaign_id)
    tried: dict[UUID, list[Row[Any]]] = {}
    for row in session.execute(text(TRIED), {"campaign": task.campaign_id, "person": task.person_id}):
        tried.setdefault(row.step_id, []).append(row)
    for step in campaign.steps(session, task.campaign_id):
        channel = Channel(step.channel)
        if step.id in tried:
            yield Rung(step.position, channel, _sent(tried[step.id]), None)
        elif not channel.to_attorney and not step.waits_for_approval:
            values = audience.parameters(intent.notice_id, intent.audience, {channel: step.custodies})
            decided = session.execute(
                text(f"with {audience.AMONG}, {audience.decided(channel)} select * from decided_{channel} where applicable"),
                values | {"among": [task.person_id]},
            ).one_or_none()
            if decided is not None:
                yield Rung(step.position, channel, (), decided.excluded or decided.exhausted)


def _sent(rows: Sequence[Row[Any]]) -> tuple[Sent, ...]:
    messages: dict[UUID, list[Row[Any]]] = {}
    for row in rows:
        messages.setdefault(row.id, []).append(row)
    return tuple(
        Sent(
            message_id=found[0].id,
            contact_point_id=found[0].contact_point_id,
            language=found[0].language,
            state=found[0].state,
            reason=found[0].reason,
            tries=tuple(
                Tried(one.started_at, one.provider, one.attempt_state, one.error_code, one.reported_at)
                for one in found
                if one.attempt_id
            ),
        )
        for found in messages.values()
    )


def _task(session: Session, task_id: UUID, *, lock: bool = False) -> Task:
    wanted = select(Task).where(Task.id == task_id, Task.kind == TaskKind.EXHAUSTED)
    found = session.scalars(wanted.with_for_update() if lock else wanted).one_or_none()
    if found is None:
        raise NoTask
    return found


def _person(task: Task) -> UUID:
    assert task.person_id is not None  # a task of this kind is about a person
    return task.person_id


def _note(session: Session, task: Task) -> str | None:
    if task.note_sealed is None:
        return None
    try:
        return key_for(session, _person(task)).open(NOTE, task.id, task.note_sealed)
    except Sealed:  # the person was erased, and with them what was written about them
        return None
