"""Waves, the day's limit and the cap on spending hold exactly, whoever claims at the same time, and count only what was sent."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.campaigns import campaign
from outreach.campaigns.campaign import Campaign, CampaignState
from outreach.delivery import events, plan, spending
from outreach.delivery.claim import Batch, Rules, claim, held_back
from outreach.delivery.record import Limits, Result, record
from outreach.delivery.spending import Tariff
from outreach.notices.channel import Channel
from outreach.providers.contract import Receipt, Refusal, Report, Verdict
from tests.delivery.conftest import HOUSE, LEASE
from tests.delivery.test_at_once import all_at_once
from tests.factories import make_account, make_incident
from tests.stage import Stage, mailbox, make_mail_recipients, make_notice, make_recipients, make_running

PRICE = Decimal("0.01")
LIMITS = Limits(3, 60.0)
RULES = Rules(HOUSE, LEASE, "twilio", tariff=Tariff(segment=PRICE))


class Limited:
    """A planned campaign with limits, and people who can each be texted."""

    def __init__(self, session: Session, people: int = 6, languages: tuple[str, ...] = ("es",), **limits: Any) -> None:
        self.session = session
        incident = make_incident(session)
        self.campaign: Campaign = make_running(session, incident, make_notice(session, languages), **limits)
        for number, language in enumerate(languages):
            make_recipients(session, incident, people, first=number * people, language=language)
        for step in plan.due_steps(session):
            plan.plan(session, step)

    def claim(self, size: int = 4) -> Batch:
        return claim(self.session, "sms", size, RULES)

    def claim_all(self) -> list[Receipt]:
        """Claim until nothing may go any more; what a provider would answer if it took all of it."""
        found: list[Receipt] = []
        while batch := self.claim().claimed:
            found += [Receipt(one.envelope.token, Verdict.ACCEPTED, f"SM{one.envelope.token.hex}") for one in batch]
        return found

    def record(self, *receipts: Receipt) -> None:
        rows = {row.id: row.message_id for row in self.session.execute(sa.text("select id, message_id from attempt"))}
        record(self.session, [Result(rows[receipt.token], receipt) for receipt in receipts], LIMITS, "twilio")

    def counted(self) -> tuple[int, Decimal]:
        row = self.session.execute(sa.text("select sum(messages) as n, sum(cost) as cost from spending")).one()
        return row.n or 0, row.cost or Decimal(0)

    def next_day(self) -> None:
        self.session.execute(sa.text("update spending set day = day - 1"))
        self.session.execute(sa.text("update attempt set counted_on = counted_on - 1"))
        self.session.execute(sa.text("update campaign set launched_at = launched_at - interval '1 day'"))
        self.session.expire_all()


def test_only_the_first_wave_goes_until_somebody_says_continue(session: Session) -> None:
    limited = Limited(session, canary=2)
    assert len(limited.claim_all()) == 2
    limited.next_day()
    assert limited.claim().seen == 0, "another day is no reason to go on"
    officer = make_account(session)
    campaign.pass_canary(session, limited.campaign.id, by=officer)
    assert len(limited.claim_all()) == 4
    assert (limited.campaign.canary_passed_by, limited.campaign.canary) == (officer.id, 2)


def test_the_first_wave_has_every_language_in_it(session: Session) -> None:
    limited = Limited(session, people=5, languages=("es", "fr", "ar"), canary=3)
    limited.claim_all()
    first = session.scalars(sa.text("select language from message where attempts > 0")).all()
    assert Counter(first) == {"es": 1, "fr": 1, "ar": 1}


def test_the_days_limit_waits_for_the_carriers_next_day(session: Session) -> None:
    limited = Limited(session, per_day=4)
    assert len(limited.claim_all()) == 4
    assert limited.campaign.state == CampaignState.RUNNING
    limited.next_day()
    assert len(limited.claim_all()) == 2


def test_money_that_is_spent_pauses_the_campaign_until_somebody_else_allows_more(session: Session) -> None:
    limited = Limited(session, spend_cap=Decimal("0.025"))
    assert len(limited.claim_all()) == 2, "at a cent each"
    assert limited.counted() == (2, Decimal("0.02"))
    session.expire_all()
    assert (limited.campaign.state, limited.campaign.state_reason) == (CampaignState.PAUSED, campaign.SPEND_CAP)
    claimed = set(session.scalars(sa.text("select message_id from attempt")))
    assert held_back(session, claimed, "twilio") == set(), "what was counted still goes"
    approver = make_account(session, Role.APPROVER)
    with pytest.raises(campaign.Refused, match="spent all it may"):
        campaign.resume(session, limited.campaign.id, by=approver)
    campaign.raise_cap(session, limited.campaign.id, Decimal(100), by=approver)
    assert limited.campaign.state == CampaignState.RUNNING
    limited.claim_all()
    assert limited.counted()[0] == 6


@pytest.mark.parametrize(
    ("role", "mine", "cap", "sentence"),
    [
        (Role.OFFICER, False, "9", "Only an approver"),
        (Role.SUPERVISOR, True, "9", "You made"),
        (Role.APPROVER, False, "5", "It may spend 5.00 dollars now"),
    ],
)
def test_who_made_a_campaign_or_asks_for_no_more_raises_nothing(
    session: Session, role: Role, mine: bool, cap: str, sentence: str
) -> None:
    by = make_account(session, role)
    found = Limited(session, people=1, spend_cap=Decimal(5)).campaign
    found.created_by = by.id if mine else found.created_by
    with pytest.raises(campaign.Refused, match=sentence):
        campaign.raise_cap(session, found.id, Decimal(cap), by=by)


def test_what_was_never_sent_is_taken_off_and_what_was_sent_after_all_is_counted_again(session: Session) -> None:
    limited = Limited(session, people=3, canary=3)
    first, second, third = limited.claim_all()
    assert limited.counted()[0] == 3
    limited.record(Receipt(first.token, Verdict.NOT_SENT), Receipt(second.token, Verdict.REFUSED, refusal=Refusal.REVIEW), third)
    assert limited.counted()[0] == 2, "a refusal is an answer"
    limited.record(Receipt(first.token, Verdict.NOT_SENT))
    assert limited.counted()[0] == 2, "recorded twice, taken off once"
    report = Report("late", first.token, "SM1", "delivered", "delivered", None)
    events.keep(session, "twilio", report)
    events.apply(session, size=10, meaning=lambda *_: Refusal.REVIEW, limits=lambda _: LIMITS)
    assert limited.counted()[0] == 3
    assert session.scalar(sa.text("select sum(cost) = (select sum(cost) from attempt) from spending")), "to the last cent"


def test_a_campaign_without_limits_is_not_counted(session: Session) -> None:
    limited = Limited(session, people=2)
    taken = limited.claim_all()
    limited.record(Receipt(taken[0].token, Verdict.NOT_SENT), taken[1])
    assert session.scalar(sa.text("select count(*) from spending")) == 0


def test_letters_are_no_texts_of_the_day(session: Session) -> None:
    found = Limited(session, people=1, per_day=1, canary=9).campaign
    wanted = [spending.Wanted(UUID(int=number), found.id, PRICE) for number in range(3)]
    held = spending.hold(session, wanted, Channel.LETTER, "UTC")
    assert held.today is not None
    assert len(held.going) == 3
    spending.count(session, [(one, 1) for one in wanted], Channel.LETTER, held.today)
    assert len(spending.hold(session, wanted, Channel.EMAIL, "UTC").going) == 1


@pytest.mark.parametrize(
    "limits", [{"canary": 31}, {"per_day": 31}, {"spend_cap": 31 * PRICE}], ids=lambda limits: next(iter(limits))
)
def test_several_workers_at_once_never_exceed_a_limit(stage: Stage, limits: dict[str, Any]) -> None:
    with stage.sessions.begin() as session:
        incident = make_incident(session)
        notice = make_notice(session, channels=[Channel.EMAIL])
        make_running(session, incident, notice, steps=[(Channel.EMAIL, 0)], **limits)
        make_mail_recipients(session, incident, [mailbox(number) for number in range(60)])
    stage.plan()
    rules = Rules(HOUSE, LEASE, "sendgrid", tariff=Tariff(mail=PRICE))

    def work() -> int:
        taken = 0
        while True:
            with stage.sessions.begin() as session:
                batch = claim(session, "email", 5, rules)
            if not batch.seen:
                return taken
            taken += len(batch.claimed)

    taken = all_at_once(*[work] * 4)
    assert sum(number for number in taken if isinstance(number, int)) == 31
    assert stage.scalar("select sum(messages) from spending") == stage.scalar("select count(*) from attempt") == 31


def test_the_carriers_day_is_theirs(session: Session) -> None:
    found = Limited(session, people=1, canary=1).campaign
    wanted = [spending.Wanted(UUID(int=1), found.id, PRICE)]
    days = {zone: spending.hold(session, wanted, Channel.SMS, zone).today for zone in ("Etc/GMT+12", "Etc/GMT-14")}
    east, west = days["Etc/GMT-14"], days["Etc/GMT+12"]
    assert east is not None
    assert west is not None
    assert east - west in (timedelta(days=1), timedelta(days=2))
