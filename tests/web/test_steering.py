"""Steering a campaign that goes on: its first wave, what it may cost, and stopping it for good."""

from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.accounts import Role
from outreach.campaigns import campaign
from outreach.campaigns.campaign import Campaign, Refused
from outreach.campaigns.outcome import OutcomeState
from outreach.delivery.message import MessageState
from outreach.delivery.outlook import Bound, Why
from outreach.delivery.spending import Spending
from outreach.web.staff import campaign_words
from outreach.web.staff.campaign_form import dollars
from tests.factories import make_account, make_campaign, make_contact, make_message, make_outcome, make_person
from tests.web.conftest import Fetch, SignIn, submit
from tests.web.test_campaigns import Rings, draft, fresh, incident, live, officer, said

__all__ = ["draft", "incident", "officer", "said"]


@pytest.fixture
def waved(session: Session) -> Campaign:
    """A campaign whose first wave of three is out: one arrived, one did not, one has no report; another two wait."""
    found = make_campaign(session, canary=3, per_day=9, spend_cap=Decimal(1))
    states = [MessageState.DELIVERED, MessageState.FAILED, MessageState.SENT, MessageState.READY, MessageState.READY]
    for state in states:
        person = make_person(session)
        make_outcome(session, found, person, OutcomeState.PLANNED)
        failed = {"reason": "refused", "code": "30003"} if state == MessageState.FAILED else {}
        waits: dict[str, Any] = {"attempts": 0} if state == MessageState.READY else {}
        make_message(session, found, make_contact(session, person), person, state=state, **failed, **waits)
    day = session.scalar(sa.text("select (now() at time zone 'America/Los_Angeles')::date"))
    session.add(Spending(campaign_id=found.id, day=day, messages=3, segments=3, cost=Decimal("0.0237")))
    session.commit()
    return found


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("1,500", "1500"), ("1.500,50", "1500.50"), ("$1,500.50", "1500.50"), ("99,5", "99.50"), ("12.345.678", "12345678"),
        ("1.500", None), ("1,500,50", None), ("1.5000", None), ("99.", None), ("-1", None), ("\u0661\u0660", None),
    ],
)  # fmt: skip
def test_a_sum_is_read_as_english_or_spanish_write_it_and_refused_where_it_may_be_either(typed: str, read: str | None) -> None:
    if read:
        assert dollars(typed) == Decimal(read)
    else:
        with pytest.raises(Refused):
            dollars(typed)


def test_waves_and_limits_are_typed_shown_and_part_of_what_is_approved(
    sign_in: SignIn, page: Fetch, session: Session, draft: Campaign
) -> None:
    client = sign_in(Role.OFFICER)
    before, _people = campaign.fingerprint(session, draft)
    address = f"/campaigns/{draft.id}"
    typed = {
        "title": "First notice", "notice": str(draft.notice_id), "incidents": draft.audience["incidents"][0], "start": "09:00",
        "end": "20:00", "channel-0": "sms", "wait-0": "0", "canary": "1,000", "per_day": "2000", "spend_cap": "$1,500.50",
    }  # fmt: skip
    submit(client, address, typed)
    found = fresh(session, draft)
    assert (found.canary, found.per_day, found.spend_cap) == (1000, 2000, Decimal("1500.5"))
    assert campaign.fingerprint(session, found)[0] != before
    shown = page(client, address).text
    assert "First wave the first 1,000 messages; the rest waits" in shown
    assert "A day texts and e-mails: 2,000 at most" in shown
    assert "May cost $1,500.50 at most" in shown
    assert 'value="1500.50"' in page(client, f"{address}/edit").html
    for field, wrong in (("canary", "some"), ("per_day", "0"), ("spend_cap", "1.500")):
        answer = page(client, address, status=400, post=typed | {field: wrong})
        assert "Not saved" in answer.text
        assert f'value="{wrong}"' in answer.html


def test_the_first_wave_is_shown_with_its_codes_in_plain_words(sign_in: SignIn, page: Fetch, waved: Campaign) -> None:
    shown = page(sign_in(Role.OFFICER), f"/campaigns/{waved.id}").text
    assert "The first 3 messages are out. The rest waits until somebody lets it go. 1 report is still missing." in shown
    assert "Delivered 1 Did not arrive 1" in shown
    assert "30003: the phone or mailbox could not be reached" in shown
    assert "2 wait until somebody has looked at the first wave" in shown
    assert "$0.02 so far, about $0.04 in all (it may cost $1.00)" in shown
    assert "3 of at most 9 texts and e-mails" in shown


def test_the_rest_goes_when_somebody_says_so_and_without_reports_only_regardless(
    sign_in: SignIn, page: Fetch, session: Session, rings: Rings, waved: Campaign
) -> None:
    client = sign_in(Role.OFFICER)
    address = f"/campaigns/{waved.id}/continue"
    page(client, f"/campaigns/{waved.id}")
    refused = page(client, address, status=409, post={}).text
    assert "Messages that are out: 3 of 3. Reports that are missing: 1." in refused
    assert fresh(session, waved).canary_passed_at is None
    submit(client, address, {"regardless": "yes"})
    assert fresh(session, waved).canary_passed_at is not None
    assert rings == [(jobs.plan_campaign, str(waved.id))]
    shown = page(client, f"/campaigns/{waved.id}").text
    assert "Let go after the first wave by" in shown
    assert "Continue: let the rest go" not in shown


def test_an_approver_lets_it_spend_more_and_it_goes_on(sign_in: SignIn, page: Fetch, session: Session, waved: Campaign) -> None:
    campaign.pause(session, waved.id, reason=campaign.SPEND_CAP)
    session.commit()
    client = sign_in(Role.APPROVER)
    assert "Paused: nothing is handed over It has spent all it may." in page(client, f"/campaigns/{waved.id}").text
    assert "Give a larger sum" in page(client, f"/campaigns/{waved.id}/cap", status=409, post={"cap": "0.50"}).text
    submit(client, f"/campaigns/{waved.id}/cap", {"cap": "20"})
    found = fresh(session, waved)
    assert (found.state, found.spend_cap) == ("running", Decimal(20))


def test_a_stop_needs_a_reason_and_a_tick_and_says_what_cannot_be_called_back(
    sign_in: SignIn, page: Fetch, session: Session, rings: Rings, waved: Campaign
) -> None:
    client = sign_in(Role.APPROVER, name="Ada Approver")
    address = f"/campaigns/{waved.id}"
    page(client, address)
    assert "cannot be started again" in page(client, f"{address}/stop", status=409, post={"reason": "A wrong text"}).text
    assert "Write down why" in page(client, f"{address}/stop", status=409, post={"for_good": "yes", "reason": " "}).text
    assert rings == []
    submit(client, f"{address}/stop", {"for_good": "yes", "reason": "A wrong text"})
    assert rings == [(jobs.sweep_up,)]
    shown = page(client, address).text
    assert "Stopped for good Ada Approver," in shown
    assert "A wrong text 1 message is with a carrier, and cannot be called back." in shown
    assert "2 being cancelled, since the campaign was stopped" in shown
    assert "hx-get" in live(client, waved, "stopped"), "until everything is cancelled"
    for steering in ("Resume it", "Pause it now", "Stop it for good"):
        assert steering not in shown


def test_who_paused_it_and_when_is_said(sign_in: SignIn, page: Fetch, session: Session, waved: Campaign) -> None:
    by = make_account(session, name="Olga Officer")
    campaign.pause(session, waved.id, reason="staff", by=by.actor)
    session.commit()
    shown = page(sign_in(Role.APPROVER), f"/campaigns/{waved.id}").text
    assert "A member of staff paused it. Olga Officer," in shown
    assert "2 wait, since the campaign is paused" in shown


def test_every_code_has_its_words() -> None:
    assert campaign_words.WHY.keys() == set(Why)
    assert campaign_words.BOUNDS.keys() == set(Bound)
