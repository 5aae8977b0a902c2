"""Print runs as lists and figures for the pages of the print room. Nothing here says whose a letter is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Line:
    """A run in a list. `states`: its letters, by `LetterState`; `to_take_out`: pulled, and not yet said to be taken out."""

    id: UUID
    name: str
    kind: str
    state: str
    campaign: str
    facility: str | None
    letters: int
    pages: int
    made_at: datetime
    states: Mapping[str, int]
    to_take_out: int

    @property
    def to_enter(self) -> int:
        """Letters of a packet that an officer has, without a receipt so far."""
        return self.states.get("on_its_way", 0) if (self.kind, self.state) == ("hand", "handed_over") else 0


@dataclass(frozen=True, slots=True)
class LetterLine:
    """A letter of a run."""

    attempt_id: UUID
    sequence: int
    return_code: str
    language: str
    pages: int
    state: str
    reason: str | None
    state_at: datetime | None
    state_by: str | None  # an account's name
    reprints: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Letters to be printed in our house that are in no run yet: due now, and being set at this moment."""

    post: int
    hand: int
    being_set: int


LINES = """
    select r.id, r.number, r.kind, r.state, c.title as campaign, f.name as facility, r.letters, r.pages, r.made_at,
        coalesce(counted.states, '{}') as states, coalesce(counted.to_take_out, 0) as to_take_out
    from print_run r
    join campaign c on c.id = r.campaign_id
    left join facility f on f.id = r.facility_id
    left join lateral (
        select jsonb_object_agg(state, letters) as states, sum(open_pulls) as to_take_out from (
            select l.state, count(*) as letters, count(*) filter (where l.state = 'pulled' and l.state_by is null) as open_pulls
            from letter l where l.run_id = r.id group by l.state
        ) by_state
    ) counted on true
"""


def lines(session: Session, *, kind: str | None = None, limit: int, offset: int = 0) -> tuple[list[Line], int]:
    """Runs, the newest first, and how many there are in all."""
    wanted = "where cast(:kind as text) is null or r.kind = :kind"
    rows = session.execute(
        text(f"{LINES} {wanted} order by r.number desc limit :limit offset :offset"),
        {"kind": kind, "limit": limit, "offset": offset},
    )
    total = session.scalar(text(f"select count(*) from print_run r {wanted}"), {"kind": kind})
    return [_line(row) for row in rows], total or 0


def line(session: Session, run_id: UUID) -> Line | None:
    """One run; None when there is none."""
    row = session.execute(text(f"{LINES} where r.id = :id"), {"id": run_id}).one_or_none()
    return _line(row) if row else None


def letters(session: Session, run_id: UUID, *, noteworthy: bool = False) -> list[LetterLine]:
    """The letters of a run in their order; `noteworthy`: those only that something happened to."""
    rows = session.execute(
        text("""
            select l.attempt_id, l.sequence, l.return_code, m.language, l.pages, l.state, l.reason, l.state_at,
                by_whom.name as state_by, l.reprints
            from letter l join attempt a on a.id = l.attempt_id join message m on m.id = a.message_id
            left join account by_whom on by_whom.id = l.state_by
            where l.run_id = :run and (not :noteworthy or l.state <> 'on_its_way' or l.reprints > 0)
            order by l.sequence
        """),
        {"run": run_id, "noteworthy": noteworthy},
    )
    return [LetterLine(*row) for row in rows]


def waiting(session: Session, *, post_here: bool) -> Waiting:
    """What is not in a run yet. `post_here`: our own print room prints what goes by post, and no mail house."""
    row = session.execute(
        text("""
            with printed as (
                select s.id from step s join campaign c on c.id = s.campaign_id and c.state = 'running'
                where s.channel = 'hand' or (:post_here and s.channel in ('letter', 'attorney_letter'))
            ), waiting as ( -- Each half has an index that holds little else.
                select m.state, m.channel from printed join message m on m.step_id = printed.id
                where m.state = 'ready' and m.due_at <= now()
                union all
                select m.state, m.channel from message m join printed on printed.id = m.step_id
                where m.state in ('submitting', 'unknown') and m.due_at is not null
            )
            select count(*) filter (where state = 'ready' and channel in ('letter', 'attorney_letter')) as post,
                count(*) filter (where state = 'ready' and channel = 'hand') as hand,
                count(*) filter (where state <> 'ready') as being_set
            from waiting
        """),
        {"post_here": post_here},
    ).one()
    return Waiting(row.post, row.hand, row.being_set)


def _line(row: Row[Any]) -> Line:
    return Line(
        id=row.id,
        name=f"RUN-{row.number:04}",
        kind=row.kind,
        state=row.state,
        campaign=row.campaign,
        facility=row.facility,
        letters=row.letters,
        pages=row.pages,
        made_at=row.made_at,
        states=row.states,
        to_take_out=int(row.to_take_out),
    )
