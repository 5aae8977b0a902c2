"""What needs a person now: all that the engine has stopped, cannot decide, or was left without. For the first page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach.delivery import heartbeat, task
from outreach.delivery.breaker import BreakerKind
from outreach.delivery.task import TaskKind
from outreach.people.imminent import IN_FORCE

OVERDUE_SECONDS = 300  # a message that is due for so long, with nobody at work, was forgotten
SILENT_SECONDS = 60  # a ticker that has not rung for so long has stopped
HISTORY = 100  # closed breakers that are shown


@dataclass(frozen=True, slots=True)
class Stopped:
    """A breaker, with what it stops. `campaign_id`, `position` and `channel` are of the step, where it stops one."""

    id: UUID
    kind: BreakerKind
    provider: str | None
    code: str | None
    figures: Mapping[str, int]
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    campaign_id: UUID | None
    title: str | None
    position: int | None
    channel: str | None


@dataclass(frozen=True, slots=True)
class Canary:
    """A campaign whose first messages are out, and whose rest waits until somebody has looked at them."""

    campaign_id: UUID
    title: str
    first: int


@dataclass(frozen=True, slots=True)
class Attention:
    """Everything that needs a person; falsy when nothing does."""

    frozen_at: datetime | None
    stopped: Sequence[Stopped]
    tasks: Counter[TaskKind]
    canaries: Sequence[Canary]
    removals: int  # imminent removals that wait for a second person
    held_back: int  # people with one in force to whom a message has been due for minutes
    overdue_since: datetime | None  # of the oldest message that nobody is there to send
    ticker_silent_since: datetime | None

    def __bool__(self) -> bool:
        return bool(
            self.frozen_at or self.stopped or self.tasks or self.canaries or self.removals or self.held_back
            or self.overdue_since or self.ticker_silent_since
        )  # fmt: skip


BREAKERS = """
    select b.id, b.kind, b.provider, b.code, b.figures, b.opened_at, b.closed_at, a.name as closed_by,
        c.id as campaign_id, c.title, s.position, s.channel
    from breaker b
    left join account a on a.id = b.closed_by
    left join step s on s.id = b.step_id left join campaign c on c.id = s.campaign_id
"""
# What stops a step of a campaign that is over stops nothing any more.
OPEN = f"{BREAKERS} where b.closed_at is null and coalesce(c.state, 'running') not in ('done', 'stopped') order by b.opened_at desc"
CLOSED = f"{BREAKERS} where b.closed_at is not null order by b.closed_at desc limit :most"

# Nobody is needed before the first messages are out.
CANARIES = """
    select c.id, c.title, c.canary from campaign c
    where c.canary is not null and c.canary_passed_at is null and c.state = 'running'
      and c.canary <= (select sum(sp.messages) from spending sp where sp.campaign_id = c.id)
    order by c.launched_at
"""
REMOVALS = "select count(*) from imminent_removal where approved_at is null and ended_at is null and until > now()"
# A pause, a first wave, a limit or an automatic stop holds their message back: none of these is meant for them.
HELD_BACK = f"""
    select count(distinct ir.person_id) from imminent_removal ir
    join message_person mp on mp.person_id = ir.person_id
    join message m on m.id = mp.message_id and m.state = 'ready' and m.due_at < now() - :overdue * interval '1 second'
    join campaign c on c.id = m.campaign_id and c.state in ('running', 'paused')
    where {IN_FORCE}
"""  # noqa: S608  # of a constant
FROZEN = "select frozen_at from incarnation where frozen_at is not null"
SILENT = "select beat_at from heartbeat where name = :name and beat_at < now() - :silent * interval '1 second'"

# By the index of what is ready, one row a step.
OVERDUE = """
    select min(oldest.due_at) from step s join campaign c on c.id = s.campaign_id
    join unnest(cast(:channels as text[]), cast(:providers as text[])) as p(channel, provider) on p.channel = s.channel
    left join heartbeat h on h.name = s.channel
    cross join lateral (
        select m.due_at from message m where m.step_id = s.id and m.state = 'ready' order by m.due_at limit 1
    ) oldest
    where c.state = 'running' and oldest.due_at < now() - :overdue * interval '1 second'
      and coalesce(h.beat_at, '-infinity') < now() - :overdue * interval '1 second'
      and not exists (select 1 from breaker b where b.closed_at is null and (b.step_id = s.id or b.provider = p.provider))
      and not exists (select 1 from incarnation where frozen_at is not null)
"""


def look(session: Session, carriers: Mapping[Any, str]) -> Attention:
    """What needs a person now. `carriers` are the providers that the settings choose, by channel."""
    channels = {"channels": list(carriers), "providers": list(carriers.values()), "overdue": OVERDUE_SECONDS}
    return Attention(
        frozen_at=session.scalar(text(FROZEN)),
        stopped=[_stopped(row) for row in session.execute(text(OPEN))],
        tasks=task.open_by_kind(session),
        canaries=[Canary(row.id, row.title, row.canary) for row in session.execute(text(CANARIES))],
        removals=session.scalar(text(REMOVALS)) or 0,
        held_back=session.scalar(text(HELD_BACK), {"overdue": OVERDUE_SECONDS}) or 0,
        overdue_since=session.scalar(text(OVERDUE), channels),
        ticker_silent_since=session.scalar(text(SILENT), {"name": heartbeat.TICKER, "silent": SILENT_SECONDS}),
    )


def breakers(session: Session) -> tuple[list[Stopped], list[Stopped]]:
    """The open breakers, and those that were closed last, each newest first."""
    opened = session.execute(text(OPEN))
    closed = session.execute(text(CLOSED), {"most": HISTORY})
    return [_stopped(row) for row in opened], [_stopped(row) for row in closed]


def _stopped(row: Any) -> Stopped:
    return Stopped(
        row.id, BreakerKind(row.kind), row.provider, row.code, row.figures, row.opened_at, row.closed_at, row.closed_by,
        row.campaign_id, row.title, row.position, row.channel,
    )  # fmt: skip
