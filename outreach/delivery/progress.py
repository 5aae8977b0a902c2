"""How a launched campaign stands: its people, its messages by channel and state, how fast it goes, and what went wrong."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach.campaigns import counsel
from outreach.delivery.hours import Wait
from outreach.delivery.message import MessageState
from outreach.notices.channel import Channel
from outreach.tally import Tally

PACE_SECONDS = 60  # the speed is that of the last minute

OUTCOMES = Tally("outcomes", "select state, reason, count(*) as people from outcome where campaign_id = :campaign group by 1, 2")

# Found by step, which is what messages are indexed by. The last code is looked up only for the few that went wrong.
MESSAGES = Tally(
    "messages",
    """
    select m.channel, m.state, m.reason, m.rendition_id, last.code, count(*) as messages, sum(m.attempts) as tries,
        count(*) filter (where m.state = 'ready' and m.due_at <= now()) as due,
        count(*) filter (where (m.state = 'ready' and m.attempts > 0)
            or (m.state = 'undelivered' and m.due_at is not null)) as again,
        min(m.due_at) filter (where m.state = 'ready' and m.due_at > now()) as opens_at,
        min(last.started_at) filter (where m.state = 'unknown') as oldest,
        max(last.checked_at) filter (where m.state = 'unknown') as checked_at
    from message m
    left join lateral (
        select a.error_code as code, a.started_at, a.checked_at from attempt a
        where a.message_id = m.id order by a.number desc limit 1
    ) last on m.state in ('undelivered', 'failed', 'cancelled', 'blocked', 'unknown')
    where m.step_id in (select id from step where campaign_id = :campaign)
    group by 1, 2, 3, 4, 5
    """,
)

WRONG = (MessageState.UNDELIVERED, MessageState.FAILED, MessageState.RETURNED, MessageState.CANCELLED, MessageState.BLOCKED)
ON_PAPER = (Channel.LETTER, Channel.HAND, Channel.ATTORNEY_LETTER)
WIRED = tuple(channel for channel in Channel if channel not in ON_PAPER)
# Paper in these states lies in the print room, or waits for it.
IN_THE_HOUSE = (MessageState.READY, MessageState.SUBMITTING, MessageState.UNKNOWN, MessageState.ACCEPTED)

PACE = Tally(
    "pace",
    f"""
    select count(*) as messages from attempt a join message m on m.id = a.message_id
    where m.step_id in (select id from step where campaign_id = :campaign) and m.channel in ({", ".join(f"'{c}'" for c in WIRED)})
      and a.started_at > now() - interval '{PACE_SECONDS} seconds'
    """,
)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A row of MESSAGES."""

    channel: str
    state: str
    reason: str | None
    rendition_id: str
    code: str | None
    messages: int
    tries: int
    due: int
    again: int
    opens_at: str | None
    oldest: str | None
    checked_at: str | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Messages that did not arrive, by what they came to, our reason, and the provider's last code, where it gave one."""

    channel: Channel
    state: str
    reason: str | None
    code: str | None
    messages: int


@dataclass(frozen=True, slots=True)
class Volume:
    """Messages of one text: `wanted` (all but the cancelled and blocked ones), `left` to go, and how often they were tried."""

    channel: Channel
    rendition_id: UUID
    wanted: int
    left: int
    tries: int


@dataclass(frozen=True, slots=True)
class Progress:
    """`outcomes` sums to the audience, always. `messages` counts by state, `channels` the same by channel.

    `due`, `later`, `opens_at` and `per_minute` are of texts and e-mails: paper has the print room. `due` could go now; `later`
    wait until `opens_at`, `in_hours` of them for their hours and the others for a next try; `again` were tried before. For
    `without_hour` no hour is decent everywhere where their people may be, so they would wait for ever. `oldest_unknown` is since
    when the longest is unknown, `looked_up_at` when the provider was last asked about one. `per_minute` is of the last minute.
    `counsel` is as `counsel.standing` counts.
    """

    as_of: datetime
    outcomes: Counter[str]
    reasons: Counter[tuple[str, str]]
    messages: Counter[str]
    channels: dict[Channel, Counter[str]]
    due: int
    later: int
    in_hours: int
    again: int
    opens_at: datetime | None
    without_hour: int
    trouble: tuple[Trouble, ...]
    oldest_unknown: datetime | None
    looked_up_at: datetime | None
    per_minute: int
    counsel: Counter[str]
    volumes: tuple[Volume, ...]

    @property
    def people(self) -> int:
        return self.outcomes.total()

    @property
    def seconds_left(self) -> float | None:
        """Until what could go now is gone, at the speed of the last minute; None when that cannot be told."""
        waiting = self.due + sum(self.channels[channel][MessageState.SUBMITTING] for channel in WIRED if channel in self.channels)
        return PACE_SECONDS * waiting / self.per_minute if waiting and self.per_minute else None

    @property
    def on_paper(self) -> int:
        """Letters that have not left the house."""
        return sum(self.channels[channel][state] for channel in ON_PAPER if channel in self.channels for state in IN_THE_HOUSE)


def of(session: Session, campaign_id: UUID) -> Progress:
    """A handful of statements, whatever the number of people. A campaign that was not launched has nobody in it yet.

    Of very many people the figures are of a few minutes ago, and `as_of` says so.
    """
    outcomes, reasons, messages = Counter[str](), Counter[tuple[str, str]](), Counter[str]()
    found: dict[Channel, Counter[str]] = {}
    people = OUTCOMES.rows(session, campaign_id)
    for group in people.rows:
        outcomes[group["state"]] += group["people"]
        if group["reason"]:
            reasons[group["state"], group["reason"]] += group["people"]
    counted = MESSAGES.rows(session, campaign_id)
    rows = [_Counted(**row) for row in counted.rows]
    for row in rows:
        messages[row.state] += row.messages
        found.setdefault(Channel(row.channel), Counter())[row.state] += row.messages
    wired = [row for row in rows if row.channel in WIRED and row.reason != Wait.NO_HOUR]
    wrong = Counter[tuple[str, str, str | None, str | None]]()
    for row in rows:
        if row.state in WRONG:
            wrong[row.channel, row.state, row.reason, row.code] += row.messages
    trouble = [Trouble(Channel(channel), state, reason, code, number) for (channel, state, reason, code), number in wrong.items()]
    return Progress(
        as_of=min(people.as_of, counted.as_of),
        outcomes=outcomes,
        reasons=reasons,
        messages=messages,
        channels={channel: found[channel] for channel in Channel if channel in found},
        due=sum(row.due for row in wired),
        later=sum(row.messages - row.due for row in wired if row.state == MessageState.READY),
        in_hours=sum(row.messages - row.due for row in wired if row.reason == Wait.HOURS),
        again=sum(row.again for row in rows),
        opens_at=min(_times(row.opens_at for row in wired), default=None),
        without_hour=sum(row.messages for row in rows if row.state == MessageState.READY and row.reason == Wait.NO_HOUR),
        trouble=tuple(sorted(trouble, key=lambda one: (-one.messages, one.state, one.reason or "", one.code or ""))),
        oldest_unknown=min(_times(row.oldest for row in rows), default=None),
        looked_up_at=max(_times(row.checked_at for row in rows), default=None),
        per_minute=sum(row["messages"] for row in PACE.rows(session, campaign_id).rows),
        counsel=counsel.standing(session, campaign_id),
        volumes=tuple(_volumes(rows)),
    )


def _times(texts: Iterable[str | None]) -> list[datetime]:
    return [datetime.fromisoformat(each) for each in texts if each]


def _volumes(rows: Sequence[_Counted]) -> Iterator[Volume]:
    found: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        volume = found.setdefault((row.channel, row.rendition_id), [0, 0, 0])
        volume[0] += row.messages if row.state not in (MessageState.CANCELLED, MessageState.BLOCKED) else 0
        volume[1] += row.messages if row.state in (MessageState.READY, MessageState.SUBMITTING) else 0
        volume[2] += row.tries
    for (channel, rendition_id), (wanted, left, tries) in found.items():
        yield Volume(Channel(channel), UUID(rendition_id), wanted, left, tries)


STANDING = Tally(
    "standing",
    """
    select campaign_id, state, count(*) as people from outcome
    where cast(:campaign as uuid) is null or campaign_id = :campaign group by 1, 2
    """,
)


@dataclass(frozen=True, slots=True)
class Line:
    """A campaign in the list. `outcomes` is empty until it is planned."""

    id: UUID
    title: str
    state: str
    state_reason: str | None
    created_at: datetime
    launched_at: datetime | None
    outcomes: Counter[str]


def lines(session: Session) -> list[Line]:
    """Every campaign, newest first, with where its people stand."""
    standing: dict[UUID, Counter[str]] = {}
    for row in STANDING.rows(session).rows:
        standing.setdefault(UUID(row["campaign_id"]), Counter())[row["state"]] += row["people"]
    rows = session.execute(
        text("select id, title, state, state_reason, created_at, launched_at from campaign order by created_at desc, id desc")
    )
    return [
        Line(row.id, row.title, row.state, row.state_reason, row.created_at, row.launched_at, standing.get(row.id, Counter()))
        for row in rows
    ]
