"""A message's life as a state machine: whatever happens in whatever order, judged by a provider that keeps its own books.

The provider is a model of a few lines; everything else is ours, on PostgreSQL. Hours pass by moving the rows' times.
`LIFE_EXAMPLES=2000` tries so many lives instead of a few.
"""

import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.accounts import Role
from outreach.campaigns.campaign import Campaign
from outreach.db import now
from outreach.delivery import events, plan, reconcile, reply, sweep
from outreach.delivery.claim import Claimed, Rules, claim
from outreach.delivery.record import Limits, Result, record
from outreach.providers.contract import Envelope, Inbound, Receipt, Refusal, Report, Standing, Verdict
from outreach.providers.twilio import STATES
from tests.delivery.conftest import HOUSE, LEASE
from tests.factories import make_account, make_incident
from tests.stage import make_notice, make_recipients, make_running, phone

PEOPLE = 2
RULES = Rules(HOUSE, LEASE, "twilio")
LIMITS = Limits(attempts=3, retry_seconds=60)
WAITS = reconcile.Waits(reconcile=60, release=1800, polls=(3600, 21600))
FATES = [("delivered", None), ("undelivered", "30003"), ("undelivered", "30005"), ("failed", None), ("sent", None)]
DEAD = ("undelivered", "failed")


@dataclass
class Held:
    """A text in the provider's books. `told` is what we were told of it and have applied or may apply."""

    sid: str
    to: str
    body: str
    message_id: UUID
    taken_at: datetime
    fate: tuple[str, str | None]
    told: set[str] = field(default_factory=set)


@dataclass
class Hand:
    """A claimed message in a worker's hands; `age` since the claim decides whether it may still send."""

    claimed: Claimed
    age: timedelta = timedelta()
    receipt: Receipt | None = None


class Life(RuleBasedStateMachine):
    """Two people, two campaigns about both: two messages to each phone."""

    session: Session
    campaigns: list[Campaign]

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = self.session.begin_nested()
        self.held: dict[UUID, Held] = {}  # by our token
        self.hands: list[Hand] = []
        self.looks: list[tuple[list[reconcile.Undecided], list[reconcile.Answer]]] = []
        self.texts = 0

    # What we do.

    @initialize()
    def plan(self) -> None:
        for step in plan.due_steps(self.session):
            plan.plan(self.session, step)
        self.claim(4)

    @rule(size=st.integers(1, 4))
    def claim(self, size: int) -> None:
        for claimed in claim(self.session, "sms", size, RULES).claimed:
            self.hands.append(Hand(claimed))

    @rule()
    def apply(self) -> None:
        events.apply(self.session, size=100, meaning=jobs.meaning, limits=lambda _: LIMITS)

    @rule()
    def sweep(self) -> None:
        sweep.sweep(self.session)

    @rule(reachable=st.booleans())
    def look(self, reachable: bool) -> None:
        """Ask the provider. What it said is written down later: other things happen meanwhile."""
        taken = reconcile.take(self.session, "twilio", WAITS, 100)
        if taken:
            self.looks.append((taken, [self.answer(one) if reachable else reconcile.Answer(False, ()) for one in taken]))

    @precondition(lambda self: self.looks)
    @rule()
    def settle(self) -> None:
        reconcile.settle(self.session, "twilio", *self.looks.pop(0))

    # What becomes of a worker.

    @precondition(lambda self: self.hands)
    @rule(
        data=st.data(),
        how=st.sampled_from(["accepted", "answer lost", "never arrives", "no connection", "refused"]),
        refusal=st.sampled_from([Refusal.TRANSIENT, *Refusal]),
        fate=st.sampled_from(FATES),
    )
    def send(self, data: st.DataObject, how: str, refusal: Refusal, fate: tuple[str, str | None]) -> None:
        waiting = [hand for hand in self.hands if hand.receipt is None]
        if not waiting:
            return
        hand = data.draw(st.sampled_from(waiting))
        envelope = hand.claimed.envelope
        assert isinstance(envelope, Envelope)
        token = envelope.token
        if hand.age > LEASE / 2:  # The fence of `dispatch`: too late to send.
            hand.receipt = Receipt(token, Verdict.NOT_SENT, code="lease_over")
        elif how in ("accepted", "answer lost"):
            sid = f"SM{token.hex}"
            self.take(token, Held(sid, envelope.to, envelope.text, hand.claimed.message_id, now(), fate))
            kept = how == "accepted"
            hand.receipt = Receipt(token, Verdict.ACCEPTED, sid) if kept else Receipt(token, Verdict.UNKNOWN, code="TimeoutError")
        elif how == "never arrives":
            hand.receipt = Receipt(token, Verdict.UNKNOWN, code="TimeoutError")
        elif how == "no connection":
            hand.receipt = Receipt(token, Verdict.NOT_SENT, code="refused")
        else:
            hand.receipt = Receipt(token, Verdict.REFUSED, code="1", refusal=refusal)

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def record(self, data: st.DataObject) -> None:
        done = [hand for hand in self.hands if hand.receipt is not None]
        if done:
            hand = data.draw(st.sampled_from(done))
            self.hands.remove(hand)
            assert hand.receipt is not None
            record(self.session, [Result(hand.claimed.message_id, hand.receipt)], LIMITS, "twilio")

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """Whatever it had sent, it never says so."""
        self.hands.remove(data.draw(st.sampled_from(self.hands)))

    # What the provider does.

    def take(self, token: UUID, text: Held) -> None:
        """It never takes a text that it has taken before, under whatever token, unless that one failed and we were told."""
        assert token not in self.held
        for before in self.held.values():
            if before.message_id == text.message_id:
                assert before.fate[0] in DEAD, "a text that did not fail was sent again"
                assert before.fate[0] in before.told, "a text was sent again before anybody knew that it had failed"
        self.held[token] = text

    def answer(self, one: reconcile.Undecided) -> reconcile.Answer:
        found = self.held.values()
        if one.provider_id is not None:
            wanted = [text for text in found if text.sid == one.provider_id]
        else:
            since = one.started_at - reconcile.CLOCKS_MAY_DIFFER
            wanted = [text for text in found if text.to == one.to and text.taken_at >= since]
        return reconcile.Answer(True, tuple(self.standing(text) for text in wanted))

    def standing(self, text: Held) -> Standing:
        status, code = text.fate
        text.told.add(status)
        return Standing(text.sid, status, STATES[status], code, text.to, text.body, text.taken_at)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), status=st.sampled_from(["queued", "sent", "the end"]))
    def report(self, data: st.DataObject, status: str) -> None:
        """Late, in any order, and as often as it likes."""
        token = data.draw(st.sampled_from(list(self.held)))
        text = self.held[token]
        status, code = text.fate if status == "the end" else (status, None)
        text.told.add(status)
        key = f"{text.sid}:{status}:{code or ''}"
        events.keep(self.session, "twilio", Report(key, token, text.sid, status, STATES[status], code))

    # What people do.

    @precondition(lambda self: self.texts < 1)
    @rule(number=st.integers(0, PEOPLE - 1), words=st.sampled_from(["STOP", "1"]))
    def say(self, number: int, words: str) -> None:
        self.texts += 1
        reply.receive(self.session, "twilio", Inbound(f"SM{self.texts:032x}", phone(number), words), HOUSE)

    @rule(going=st.booleans(), which=st.integers(0, 1))
    def pause_or_resume(self, going: bool, which: int) -> None:
        old, new = ("paused", "running") if going else ("running", "paused")
        self.execute("update breaker set closed_at = now() where closed_at is null")
        self.execute(
            "update campaign set state = :new where id = :id and state = :old", new=new, old=old, id=self.campaigns[which].id
        )

    @rule(gone=st.sampled_from([timedelta(seconds=30), timedelta(minutes=3), timedelta(hours=1), timedelta(hours=12)]))
    def time_passes(self, gone: timedelta) -> None:
        self.execute("update message set due_at = due_at - :gone, updated_at = updated_at - :gone", gone=gone)
        columns = ("started_at", "lease_until", "finished_at", "checked_at", "seen_at")
        self.execute(f"update attempt set {', '.join(f'{column} = {column} - :gone' for column in columns)}", gone=gone)
        for text in self.held.values():
            text.taken_at -= gone
        for hand in self.hands:
            hand.age += gone

    # What is true at every moment.

    @invariant()
    def the_books_agree(self) -> None:
        attempts = self.rows("select id, state, message_id, contact_point_id from attempt")
        for row in attempts:
            if row.state in ("accepted", "sent", "delivered", "undelivered", "failed"):
                assert row.id in self.held, "we call a text accepted that the provider does not have"
            if row.state in ("not_sent", "refused"):
                assert row.id not in self.held, "the provider has a text that we call not sent"
        live = Counter(row.message_id for row in attempts if row.state in ("open", "unknown", "accepted", "sent"))
        undecided = Counter(row.contact_point_id for row in attempts if row.state in ("open", "unknown"))
        assert max([*live.values(), *undecided.values()], default=0) <= 1

    @invariant()
    def nobody_falls_out(self) -> None:
        counts = self.rows("select campaign_id, count(*) as people from outcome group by campaign_id")
        assert all(row.people == PEOPLE for row in counts)

    def teardown(self) -> None:
        """In the end all workers are gone, all is looked up, and nothing is left in the air."""
        try:
            self.hands.clear()
            self.execute("update campaign set state = 'running'")
            self.execute("update breaker set closed_at = now() where closed_at is null")
            for _ in range(4):
                self.time_passes(timedelta(hours=12))
                self.sweep()
                self.look(reachable=True)
                while self.looks:
                    self.settle()
                self.apply()
                self.the_books_agree()
            assert not self.rows("select 1 from attempt where state in ('open', 'unknown')"), "an attempt was left undecided"
            assert not self.rows("select 1 from message where state in ('submitting', 'unknown')")
            states = {row.id: row.state for row in self.rows("select id, state from message")}
            for text in self.held.values():
                if text.fate[0] == "delivered" and "delivered" in text.told:
                    assert states[text.message_id] == "delivered", "a delivery was forgotten"
        finally:
            self.savepoint.rollback()
            self.session.expire_all()

    def execute(self, statement: str, **parameters: object) -> None:
        self.session.execute(sa.text(statement), parameters)

    def rows(self, statement: str) -> list[Any]:
        return list(self.session.execute(sa.text(statement)))


def test_no_life_loses_a_message_or_sends_one_twice(session: Session) -> None:
    incident = make_incident(session)
    make_recipients(session, incident, PEOPLE)
    notice = make_notice(session, by=make_account(session, Role.APPROVER))
    Life.session, Life.campaigns = session, [make_running(session, incident, notice) for _ in range(2)]
    examples = int(os.environ.get("LIFE_EXAMPLES", "15"))
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
        ),
    )
