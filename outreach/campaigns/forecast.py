"""What a campaign would do if it were launched now: who gets what, who nothing and why, what texts cost and how long they take.

Of very many people the counts are kept for a few minutes (`outreach.tally`); never of another audience, ladder or set of approved
texts than the campaign has now. What submitting, approving and launching decide by is counted then.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.campaigns import audience, campaign
from outreach.campaigns.audience import Cell, Preview
from outreach.campaigns.campaign import NOT_LAUNCHED, Campaign
from outreach.campaigns.outcome import OutcomeState, Reason
from outreach.notices import segments
from outreach.notices.house import House
from outreach.notices.notice import Channel, Rendition, RenditionState
from outreach.notices.segments import Encoding
from outreach.tally import Rows, Tally


@dataclass(frozen=True, slots=True)
class Group:
    """The people of one language or one custody state, and how many of them get a message. `code` is None where it is not known."""

    code: str | None
    people: int
    planned: int


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts in one language: `each` is the segments of one, `cost` of all of them in US dollars."""

    language: str
    texts: int
    encoding: Encoding
    each: int
    cost: Decimal

    @property
    def segments(self) -> int:
        return self.texts * self.each


@dataclass(frozen=True, slots=True)
class LeftOut:
    """People who get nothing, and why. `state` is what they will stand as."""

    state: OutcomeState
    reason: Reason
    people: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """`people` = `planned` + the people of `left_out`. Steps of one channel are counted once.

    `messages` and `people_by_channel` are by channel, and people may be in several. `texts` are the text messages by language;
    `seconds` is of them, None where nothing limits the speed. `counsel` is as in `audience.Preview`. It was counted `as_of`.
    """

    as_of: datetime
    people: int
    planned: int
    by_language: tuple[Group, ...]
    by_custody: tuple[Group, ...]
    left_out: tuple[LeftOut, ...]
    texts: tuple[Texts, ...]
    messages: Counter[Channel]
    people_by_channel: Counter[Channel]
    counsel: Counter[str]
    seconds: float | None

    @property
    def segments(self) -> int:
        return sum(t.segments for t in self.texts)

    @property
    def cost(self) -> Decimal:
        return sum((t.cost for t in self.texts), Decimal(0))


def forecast(session: Session, found: Campaign, *, house: House, segments_per_second: float) -> Forecast:
    """Of a campaign that is not launched yet. Counts only; nothing is decrypted. `segments_per_second` 0: no limit."""
    intended = _intended(session, found)
    counted = PREVIEW.rows(session, found.id, still=lambda rows: bool(rows) and rows[0]["of"] == intended)
    preview = _read(counted.rows[0])
    left_out = Counter[tuple[OutcomeState, Reason]]()
    for cell in preview.cells:
        if cell.reason is not None:
            left_out[cell.state, cell.reason] += cell.people
    texts = tuple(_texts(session, found.notice_id, preview, house))
    return Forecast(
        as_of=counted.as_of,
        people=preview.people,
        planned=preview.count(OutcomeState.PLANNED),
        by_language=_groups((c.language, c.people, c.reason is None) for c in preview.cells),
        by_custody=_groups((c.custody, c.people, c.reason is None) for c in preview.cells),
        left_out=tuple(LeftOut(state, reason, people) for (state, reason), people in left_out.most_common()),
        texts=texts,
        messages=preview.by_channel(),
        people_by_channel=preview.people_by_channel,
        counsel=preview.counsel,
        seconds=sum(t.segments for t in texts) / segments_per_second if segments_per_second else None,
    )


def _texts(session: Session, notice_id: UUID, preview: Preview, house: House) -> Iterable[Texts]:
    approved = select(Rendition.language, Rendition.text).where(
        Rendition.notice_id == notice_id,
        Rendition.channel == Channel.SMS,
        Rendition.state == RenditionState.APPROVED,
    )
    sources = dict(session.execute(approved).all())
    numbers = {language: number for (channel, language), number in preview.messages.items() if channel is Channel.SMS}
    for language, number in sorted(numbers.items(), key=lambda item: (-item[1], item[0])):
        counted = segments.count(house.render(sources[language]))
        yield Texts(language, number, counted.encoding, counted.segments, number * counted.segments * house.segment_price)


def _groups(cells: Iterable[tuple[str | None, int, bool]]) -> tuple[Group, ...]:
    people, planned = Counter[str | None](), Counter[str | None]()
    for code, number, planned_too in cells:
        people[code] += number
        planned[code] += number if planned_too else 0
    groups = (Group(code, number, planned[code]) for code, number in people.items())
    return tuple(sorted(groups, key=lambda group: (-group.people, group.code or "")))


def _count(session: Session, campaign_id: UUID | None) -> Rows:
    """One row, or none where there is nothing to foresee any more."""
    found = session.get(Campaign, campaign_id)
    if found is None or found.state not in NOT_LAUNCHED:
        return []
    ways = campaign.ways(campaign.steps(session, found.id))
    counted = audience.preview(session, found.notice_id, found.audience, ways)
    return [
        {
            "of": _intended(session, found),
            "cells": [[c.language, c.custody, c.state, c.reason, c.people] for c in counted.cells],
            "messages": [[channel, language, number] for (channel, language), number in counted.messages.items()],
            "people_by_channel": counted.people_by_channel,
            "counsel": counted.counsel,
        }
    ]


PREVIEW = Tally("preview", _count)


def _intended(session: Session, found: Campaign) -> dict[str, Any]:
    """What a preview depends on besides the people, as it is kept with it."""
    approved = select(Rendition.channel, Rendition.language).where(
        Rendition.notice_id == found.notice_id, Rendition.state == RenditionState.APPROVED
    )
    ways = campaign.ways(campaign.steps(session, found.id))
    return {
        # Who approves has to see the number that was counted for them.
        "submitted": found.submitted_digest,
        "notice": str(found.notice_id),
        "audience": found.audience,
        "ways": {channel: sorted(custodies) if custodies is not None else None for channel, custodies in ways.items()},
        "texts": sorted([channel, language] for channel, language in session.execute(approved)),
    }


def _read(row: dict[str, Any]) -> Preview:
    cells = tuple(
        Cell(language, custody, OutcomeState(state), Reason(reason) if reason else None, people)
        for language, custody, state, reason, people in row["cells"]
    )
    return Preview(
        people=sum(cell.people for cell in cells),
        cells=cells,
        messages=Counter({(Channel(channel), language): number for channel, language, number in row["messages"]}),
        people_by_channel=Counter({Channel(channel): people for channel, people in row["people_by_channel"].items()}),
        counsel=Counter(row["counsel"]),
    )
