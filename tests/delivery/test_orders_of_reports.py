"""Every order of up to five reports about one message, doubled ones too: applied together or one by one they come to the same."""

from collections.abc import Sequence
from itertools import product
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.delivery import events
from outreach.delivery.record import Result, record
from outreach.providers.contract import Receipt, Report, Verdict
from tests.delivery.test_events import LIMITS, Journey

PASSES = "30003"  # an error that may pass
REPORTS = [("accepted", None), ("sent", None), ("delivered", None), ("undelivered", PASSES), ("failed", None), ("returned", None)]
ORDERS = [order for length in range(1, 6) for order in product(range(len(REPORTS)), repeat=length)]
# What was reported last is no better than what was reported first: the strongest word stands.
STRENGTH = ["accepted", "sent", ("undelivered", "failed"), "delivered", "returned"]
OUTCOMES = {
    "accepted": "in_progress",
    "sent": "in_progress",
    "undelivered": "in_progress",  # It is tried again.
    "failed": "exhausted:not_delivered",
    "delivered": "reached",
    "returned": "exhausted:returned",
}


def expected(order: Sequence[int]) -> str:
    """The strongest state reported; of two failures, the first."""
    states = [REPORTS[number][0] for number in order]
    return next(state for level in reversed(STRENGTH) for state in states if state in level)


COPIED = {  # Each copy's id is that of its attempt, whatever the row is.
    "person": "'id', n.id",
    "contact_point": "'id', n.id, 'value_index', null",
    "message": "'id', n.id, 'contact_point_id', n.id",
    "message_person": "'message_id', n.id, 'person_id', n.id",
    "outcome": "'person_id', n.id",
    "attempt": "'id', n.id, 'message_id', n.id, 'contact_point_id', n.id",
}


def claimed(session: Session, count: int) -> list[UUID]:
    """The attempts of this many messages, none of whose answers is recorded yet."""
    journey = Journey(session)
    journey.claim()
    ids = [uuid4() for _ in range(count)]
    for table, changes in COPIED.items():
        copies = f"""
            insert into {table} select made.* from {table} t, unnest(cast(:ids as uuid[])) as n(id),
                lateral jsonb_populate_record(null::{table}, to_jsonb(t) || jsonb_build_object({changes})) as made
        """
        session.execute(sa.text(copies), {"ids": ids})
    session.execute(sa.text(f"analyze {', '.join(COPIED)}"))
    return ids


def hear(session: Session, heard: Sequence[tuple[UUID, int]]) -> None:
    reports = []
    for token, number in heard:
        (state, code), sid = REPORTS[number], f"SM{token.hex}"
        reports.append(Report(f"{sid}:{state}:{code or ''}", token, sid, state, state, code))
    events.keep(session, "twilio", *reports)


def apply(session: Session) -> None:
    events.apply(session, size=1_000_000, meaning=jobs.meaning, limits=lambda _: LIMITS)


def standing(session: Session) -> dict[UUID, tuple[str, str, str]]:
    """Of each attempt: its state, its message's, and the outcome."""
    rows = session.execute(
        sa.text("""
            select a.id, a.state, m.state, concat_ws(':', o.state, o.reason) from attempt a join message m on m.id = a.message_id
            join message_person mp on mp.message_id = m.id join outcome o on o.person_id = mp.person_id
        """)
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def test_the_strongest_word_stands_in_every_order_of_reports(session: Session) -> None:
    tokens = claimed(session, len(ORDERS))
    strongest = {token: expected(order) for token, order in zip(tokens, ORDERS, strict=True)}
    wanted = {token: (state, state, OUTCOMES[state]) for token, state in strongest.items()}
    for at_once in (True, False):
        with session.begin_nested() as savepoint:
            for position in range(5):
                hear(session, [(token, order[position]) for token, order in zip(tokens, ORDERS, strict=True) if order[position:]])
                if not at_once:
                    apply(session)
            apply(session)
            found = standing(session)
            assert {token: found[token] for token in tokens} == wanted
            # Our own answer, which they have all overtaken, changes nothing.
            ours = [Result(token, Receipt(token, Verdict.ACCEPTED, f"SM{token.hex}")) for token in tokens]
            record(session, ours, LIMITS, "twilio")
            assert standing(session) == found
            savepoint.rollback()
