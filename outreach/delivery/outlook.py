"""The outlook of a campaign: what it costs, how long it still takes and what decides that, and why messages wait."""

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from outreach.campaigns.campaign import Campaign, CampaignState
from outreach.delivery.message import MessageState
from outreach.delivery.progress import PACE_SECONDS, WIRED, Progress, Volume
from outreach.delivery.spending import Tariff
from outreach.notices import segments
from outreach.notices.channel import Channel
from outreach.notices.fields import FieldError
from outreach.notices.house import House
from outreach.notices.notice import Rendition

DAY = timedelta(days=1).total_seconds()


class Bound(StrEnum):
    """What decides how long a campaign still takes."""

    RATE = "rate"  # our limit on segments a second
    PER_DAY = "per_day"  # its limit a day
    HOURS = "hours"  # the hours in which a text may arrive
    PACE = "pace"  # none of these: as fast as the carrier took them in the last minute


class Why(StrEnum):
    """Why messages wait."""

    STOPPED = "stopped"  # they are about to be cancelled
    PAUSED = "paused"
    FROZEN = "frozen"  # the engine has to find out first what the providers hold: see `incarnation`
    CANARY = "canary"  # the first wave is out, and nobody has said Continue yet
    PER_DAY = "per_day"
    HOURS = "hours"
    NO_HOUR = "no_hour"
    NEXT_TRY = "next_try"
    PRINT_ROOM = "print_room"  # letters that gather for a run
    TURN = "turn"  # they are going out, one after the other


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages that wait, why, and until when, where that is known."""

    why: Why
    messages: int
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Canary:
    """The first wave. Its messages are `delivered`, `failed`, not known (`unknown`), without a report (`unreported`), or `again`:
    to be tried again once the rest may go. `full`: no more of it may go.
    """

    size: int
    sent: int
    delivered: int
    failed: int
    unknown: int
    unreported: int
    again: int

    @property
    def full(self) -> bool:
        return self.sent >= self.size

    @property
    def open(self) -> int:
        """Messages of which nobody can say yet what became of them."""
        return self.unknown + self.unreported


@dataclass(frozen=True, slots=True)
class Outlook:
    """`spent` is exact for a campaign with limits, and else by how often each message was tried; both in US dollars.

    `today` is how many texts and mails were handed over on the carriers' day, which ends at `day_ends`; both only where there is a
    limit a day. `taken` is what carriers have, and nobody can recall.
    """

    spent: Decimal
    expected: Decimal
    exact: bool
    done: int
    in_flight: int
    taken: int
    waiting: tuple[Waiting, ...]
    seconds_left: float | None
    bound: Bound | None
    today: int
    day_ends: datetime
    canary: Canary | None


SPENT = "select day, messages, messages - letters as wired, cost from spending where campaign_id = :campaign"
FROZEN = "select exists (select 1 from incarnation where frozen_at is not null)"

IN_FLIGHT = (MessageState.SUBMITTING, MessageState.UNKNOWN, MessageState.ACCEPTED, MessageState.SENT)
FAILED = (MessageState.UNDELIVERED, MessageState.FAILED, MessageState.RETURNED)


def of(session: Session, campaign: Campaign, progress: Progress, tariff: Tariff, house: House, rate: float) -> Outlook:
    """Three small statements besides those of `progress`. `rate` is segments a second, 0 for no limit."""
    today = progress.as_of.astimezone(ZoneInfo(tariff.zone)).date()
    spent = session.execute(text(SPENT), {"campaign": campaign.id}).all()
    limited = (campaign.canary, campaign.per_day, campaign.spend_cap) != (None, None, None)
    each = _segments(session, progress, house)
    price = {volume: tariff.price(volume.channel, each.get(volume.rendition_id, 1)) for volume in progress.volumes}
    guessed = sum((price[volume] * volume.tries for volume in progress.volumes), Decimal(0))
    so_far = sum((row.cost for row in spent), Decimal(0)) if limited else guessed
    left = sum((price[volume] * _untried(volume) for volume in progress.volumes), Decimal(0))
    handed_over_today = sum(row.wired for row in spent if row.day == today)
    day_ends = _midnight(today + timedelta(days=1), tariff.zone)
    canary = _canary(campaign, progress, sum(row.messages for row in spent))
    full = canary is not None and canary.full
    used_up = campaign.per_day is not None and handed_over_today >= campaign.per_day
    seconds, bound = _finish(campaign, progress, each, rate, handed_over_today, (day_ends - progress.as_of).total_seconds())
    return Outlook(
        spent=so_far,
        expected=so_far + left,
        exact=limited,
        done=progress.messages.total() - progress.messages[MessageState.READY] - sum(progress.messages[s] for s in IN_FLIGHT),
        in_flight=sum(progress.messages[state] for state in IN_FLIGHT),
        taken=sum(
            counted[state]
            for channel, counted in progress.channels.items()
            if channel in WIRED
            for state in (MessageState.ACCEPTED, MessageState.SENT, MessageState.UNKNOWN, MessageState.SUBMITTING)
        ),
        waiting=tuple(one for one in _waiting(session, campaign, progress, day_ends, full=full, used_up=used_up) if one.messages),
        seconds_left=seconds,
        bound=bound,
        today=handed_over_today,
        day_ends=day_ends,
        canary=canary,
    )


def _segments(session: Session, progress: Progress, house: House) -> dict[UUID, int]:
    """Of each text of the campaign, in segments. One that can no longer be made counts for one."""
    wanted = [volume.rendition_id for volume in progress.volumes if volume.channel is Channel.SMS]
    found: dict[UUID, int] = {}
    for rendition_id, source in session.execute(select(Rendition.id, Rendition.text).where(Rendition.id.in_(wanted))):
        try:
            found[rendition_id] = segments.count(house.render(source)).segments
        except FieldError:
            found[rendition_id] = 1
    return found


def _untried(volume: Volume) -> int:
    return max(0, volume.wanted - volume.tries)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, datetime.min.time(), ZoneInfo(zone)).astimezone(ZoneInfo("UTC"))


def _canary(campaign: Campaign, progress: Progress, sent: int) -> Canary | None:
    going_on = campaign.state in (CampaignState.RUNNING, CampaignState.PAUSED)
    if campaign.canary is None or campaign.canary_passed_at is not None or not going_on:
        return None
    counted = progress.messages
    return Canary(
        size=campaign.canary,
        sent=sent,
        delivered=counted[MessageState.DELIVERED],
        failed=sum(counted[state] for state in FAILED),
        unknown=counted[MessageState.UNKNOWN],
        unreported=counted[MessageState.SUBMITTING] + counted[MessageState.ACCEPTED] + counted[MessageState.SENT],
        again=progress.again,
    )


def _waiting(
    session: Session, campaign: Campaign, progress: Progress, day_ends: datetime, *, full: bool, used_up: bool
) -> list[Waiting]:
    """Each message that waits, once, by what would have to change first."""
    ready = progress.messages[MessageState.READY]
    if campaign.state == CampaignState.STOPPED:
        return [Waiting(Why.STOPPED, ready)]
    if campaign.state == CampaignState.PAUSED:
        return [Waiting(Why.PAUSED, ready)]
    if session.scalar(text(FROZEN)):
        return [Waiting(Why.FROZEN, ready)]
    if full:
        return [Waiting(Why.CANARY, ready)]
    paper = ready - progress.due - progress.later - progress.without_hour
    return [
        Waiting(Why.PER_DAY, progress.due, day_ends) if used_up else Waiting(Why.TURN, progress.due),
        Waiting(Why.HOURS, progress.in_hours, progress.opens_at),
        Waiting(Why.NEXT_TRY, progress.later - progress.in_hours, None if progress.in_hours else progress.opens_at),
        Waiting(Why.NO_HOUR, progress.without_hour),
        Waiting(Why.PRINT_ROOM, paper),
    ]


def _finish(
    campaign: Campaign, progress: Progress, each: dict[UUID, int], rate: float, today: int, until_midnight: float
) -> tuple[float | None, Bound | None]:
    """Seconds until the last text and mail is handed over, about, and what decides it. Letters have the print room."""
    left = [volume for volume in progress.volumes if volume.channel in WIRED and volume.left]
    messages = sum(volume.left for volume in left) - progress.without_hour
    if messages <= 0:
        return None, None
    texts = sum(volume.left * each.get(volume.rendition_id, 1) for volume in left if volume.channel is Channel.SMS)
    found: list[tuple[float, Bound]] = []
    if rate and texts:
        found.append((texts / rate, Bound.RATE))
    elif progress.per_minute:
        found.append((PACE_SECONDS * messages / progress.per_minute, Bound.PACE))
    if texts and campaign.window_start != campaign.window_end:
        found.append((_in_hours(campaign, progress, found[0][0] if found else 0.0), Bound.HOURS))
    if campaign.per_day is not None and (later := messages - max(0, campaign.per_day - today)) > 0:
        found.append((until_midnight + (math.ceil(later / campaign.per_day) - 1) * DAY, Bound.PER_DAY))
    # The first of equals: hours that are long enough decide nothing.
    return max(found, key=lambda one: one[0], default=(None, None))


def _in_hours(campaign: Campaign, progress: Progress, work: float) -> float:
    """How long it takes to work so many seconds when there is work only while the hours are open."""
    start, end = campaign.window_start, campaign.window_end
    opened = (end.hour - start.hour) * 3600.0 + (end.minute - start.minute) * 60.0
    closed_for = (progress.opens_at - progress.as_of).total_seconds() if progress.in_hours and progress.opens_at else 0.0
    first = 0.0 if progress.due else max(0.0, closed_for)
    return max(first + work + (DAY - opened) * (work // opened), closed_for)
