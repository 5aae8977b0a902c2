"""Spending: what a campaign has handed over, by day, and what that costs; and holding it to its limits.

Only campaigns with a limit (a canary wave, so many a day, so many dollars) are counted, and only they pay for it: a claim counts
what it is about to hand over in its own transaction, so that the limits hold exactly, however many workers there are.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ForeignKey, Numeric, Row, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.db import Base
from outreach.notices.channel import Channel


class Spending(Base):
    """One campaign's texts, mails and letters of one day (the carriers' day), counted when they are claimed.

    What is proved never to have been sent is taken off again. `cost` is in US dollars, by the prices of the settings.
    """

    __tablename__ = "spending"

    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    messages: Mapped[int] = mapped_column(default=0)
    letters: Mapped[int] = mapped_column(default=0)  # of the messages, those on paper: no carrier counts them
    segments: Mapped[int] = mapped_column(default=0)
    cost: Mapped[Decimal] = mapped_column(Numeric(14, 4), default=Decimal(0))


@dataclass(frozen=True, slots=True)
class Tariff:
    """What things cost, in US dollars, and `zone`: the time zone by whose midnight the carriers' day ends.

    T-Mobile's limit a day begins again at midnight Pacific: https://www.twilio.com/docs/glossary/what-is-a2p-10dlc
    """

    segment: Decimal = Decimal("0.0079")
    mail: Decimal = Decimal("0.001")
    letter: Decimal = Decimal("0.95")
    zone: str = "America/Los_Angeles"

    def price(self, channel: Channel, segments: int = 1) -> Decimal:
        """Of one message, tried once."""
        return self.letter if channel.on_paper else self.mail if channel.is_mail else self.segment * segments


DEFAULT = Tariff()

HOLDS_TO_LIMITS = "(c.canary is not null or c.per_day is not null or c.spend_cap is not null)"
"""SQL: whether the campaign `c` is counted at all."""

ROOM = """(case when (c.per_day is not null and s.channel not in ('letter', 'hand', 'attorney_letter'))
    or (c.canary is not null and c.canary_passed_at is null) then (
    select greatest(0, least(
        case when c.canary_passed_at is null then c.canary - coalesce(sum(sp.messages), 0) end,
        case when s.channel not in ('letter', 'hand', 'attorney_letter') then c.per_day - coalesce(
            sum(sp.messages - sp.letters) filter (where sp.day = (now() at time zone cast(:day_zone as text))::date), 0) end))
    from spending sp where sp.campaign_id = c.id
) end)"""
"""SQL: how many messages of the step `s` may be claimed now by the canary and the day of its campaign `c`; null: any number.

Only a hint, read without a lock, so that nobody looks at messages that may not go. Needs `:day_zone`.
"""


# The row of the day of the launch is there for every claim of the campaign, whatever the day is, and is always the first: whoever
# holds it is alone, also at midnight. Locked by writing it, so that what is read next is what the last holder left.
HOLD = """
    insert into spending (campaign_id, day, messages, letters, segments, cost)
    select distinct c.id, d.day, 0, 0, 0, 0 from campaign c
    cross join lateral (values
        ((coalesce(c.launched_at, c.created_at) at time zone cast(:zone as text))::date),
        ((now() at time zone cast(:zone as text))::date)
    ) d(day)
    where c.id = any(:campaigns)
    order by c.id, d.day
    on conflict (campaign_id, day) do update set messages = spending.messages
"""

LEFT = """
    select c.id, (now() at time zone cast(:zone as text))::date as today,
        case when c.canary_passed_at is null then c.canary - sum(s.messages) end as canary,
        c.per_day - coalesce(sum(s.messages - s.letters) filter (where s.day = (now() at time zone cast(:zone as text))::date), 0)
            as per_day,
        c.spend_cap - sum(s.cost) as dollars
    from campaign c join spending s on s.campaign_id = c.id
    where c.id = any(:campaigns) group by c.id
"""

COUNT = """
    update spending s set messages = s.messages + n.messages, letters = s.letters + n.letters, segments = s.segments + n.segments,
        cost = s.cost + n.cost
    from unnest(cast(:campaigns as uuid[]), cast(:messages as integer[]), cast(:letters as integer[]), cast(:segments as integer[]),
        cast(:costs as numeric[])) as n(campaign, messages, letters, segments, cost)
    where s.campaign_id = n.campaign and s.day = :today
"""


class Wanted(NamedTuple):
    """A message that is about to be claimed."""

    message_id: UUID
    campaign_id: UUID
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Held:
    """What the limits let through: `going`, the carriers' day, and the campaigns whose money does not suffice for more."""

    going: frozenset[UUID]
    today: date | None
    spent: frozenset[UUID]


def hold(session: Session, wanted: Sequence[Wanted], channel: Channel, zone: str) -> Held:
    """Which of these messages, the first first, their campaigns' limits let through.

    Until the transaction ends nobody else claims anything of these campaigns: it is called as late as possible, and `count` after.
    """
    campaigns = sorted({one.campaign_id for one in wanted})
    if not campaigns:
        return Held(frozenset(), None, frozenset())
    session.execute(text(HOLD), {"campaigns": campaigns, "zone": zone})
    left = {row.id: row for row in session.execute(text(LEFT), {"campaigns": campaigns, "zone": zone})}
    going: set[UUID] = set()
    spent: set[UUID] = set()
    for campaign_id in campaigns:
        room = _room(left[campaign_id], channel)
        dollars = left[campaign_id].dollars
        for one in (one for one in wanted if one.campaign_id == campaign_id):
            if room is not None and room <= 0:
                break
            if dollars is not None and one.cost > dollars:
                spent.add(campaign_id)
                break
            going.add(one.message_id)
            room = None if room is None else room - 1
            dollars = None if dollars is None else dollars - one.cost
    return Held(frozenset(going), left[campaigns[0]].today, frozenset(spent))


def _room(left: Row[Any], channel: Channel) -> int | None:
    limits = [left.canary, None if channel.on_paper else left.per_day]
    return min((limit for limit in limits if limit is not None), default=None)


def count(session: Session, going: Sequence[tuple[Wanted, int]], channel: Channel, today: date) -> None:
    """Count these messages, with the segments of each, as handed over `today`."""
    found: dict[UUID, tuple[int, int, Decimal]] = {}
    for one, each in going:
        number, segments, cost = found.get(one.campaign_id, (0, 0, Decimal(0)))
        found[one.campaign_id] = number + 1, segments + each, cost + one.cost
    if found:
        numbers = list(found.values())
        messages = [number for number, _, _ in numbers]
        session.execute(
            text(COUNT),
            {
                "today": today,
                "campaigns": list(found),
                "messages": messages,
                "letters": messages if channel.on_paper else [0] * len(messages),
                "segments": [segments if channel is Channel.SMS else 0 for _, segments, _ in numbers],
                "costs": [cost for _, _, cost in numbers],
            },
        )


MISCOUNTED = "coalesce(a.cost is not null and (a.counted_on is null) <> (a.state = 'not_sent'), false)"
"""SQL: whether an attempt `a` is counted and was never sent, or the other way round. Nobody's is, whose campaign has no limit."""

SETTLE = f"""
    with wrong as materialized (
        select a.id, m.campaign_id, m.channel in ('letter', 'hand', 'attorney_letter') as paper, a.cost,
            case when m.channel = 'sms' then a.segments else 0 end as segments,
            case when a.counted_on is null then 1 else -1 end as sign,
            coalesce(a.counted_on, (select max(day) from spending s where s.campaign_id = m.campaign_id)) as day
        from attempt a join message m on m.id = a.message_id
        where a.id = any(:attempts) and {MISCOUNTED}
    ),
    marked as (
        update attempt a set counted_on = case when w.sign > 0 then w.day end from wrong w where a.id = w.id
    ),
    sums as (
        select campaign_id, day, sum(sign) as messages, sum(sign) filter (where paper) as letters, sum(sign * segments) as segments,
            sum(sign * cost) as cost
        from wrong group by campaign_id, day
    ),
    held as materialized (
        select s.campaign_id, s.day from spending s join sums n using (campaign_id, day) order by 1, 2 for update of s
    )
    update spending s set messages = s.messages + n.messages, letters = s.letters + coalesce(n.letters, 0),
        segments = s.segments + n.segments, cost = s.cost + n.cost
    from sums n join held using (campaign_id, day)
    where s.campaign_id = n.campaign_id and s.day = n.day
"""


def settle(session: Session, attempts: Collection[UUID]) -> None:
    """Take off what is proved never to have been sent, and count again what was sent after all. Safe to repeat.

    To be called in the transaction that changes the attempts' states, after their outcomes are written.
    """
    if attempts:
        session.execute(text(SETTLE), {"attempts": list(attempts)})


ADOPT = f"""
    with priced as materialized (
        select a.id, m.campaign_id, (a.started_at at time zone cast(:zone as text))::date as day,
            m.channel in ('letter', 'hand', 'attorney_letter') as paper,
            case when m.channel = 'sms' then a.segments else 0 end as segments,
            case m.channel when 'sms' then :segment * a.segments when 'email' then :mail when 'attorney_email' then :mail
                else :letter end as cost
        from attempt a join message m on m.id = a.message_id join campaign c on c.id = m.campaign_id
        where a.id = any(:attempts) and a.cost is null and {HOLDS_TO_LIMITS}
    ),
    marked as (
        update attempt a set cost = p.cost, counted_on = p.day from priced p where a.id = p.id
    )
    insert into spending (campaign_id, day, messages, letters, segments, cost)
    select campaign_id, day, count(*), count(*) filter (where paper), sum(segments), sum(cost) from priced
    group by campaign_id, day order by campaign_id, day
    on conflict (campaign_id, day) do update set messages = spending.messages + excluded.messages,
        letters = spending.letters + excluded.letters, segments = spending.segments + excluded.segments,
        cost = spending.cost + excluded.cost
"""


def adopt(session: Session, attempts: Collection[UUID], tariff: Tariff) -> None:
    """Count attempts that a restored database had forgotten, on the days on which they were made. Safe to repeat."""
    prices = {"segment": tariff.segment, "mail": tariff.mail, "letter": tariff.letter, "zone": tariff.zone}
    if attempts:
        session.execute(text(ADOPT), {"attempts": list(attempts), **prices})
