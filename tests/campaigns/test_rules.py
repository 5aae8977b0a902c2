"""The channel plan: what is shipped, what can never be, and that a change is obeyed at once."""

import pytest
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.campaigns import campaign, rules
from outreach.campaigns.rules import NotAllowedRule, Rule
from outreach.notices.channel import Channel
from outreach.people.custody import Custody
from tests.delivery.office import Office, office
from tests.factories import (
    make_account,
)

__all__ = ["office"]


def test_the_shipped_plan_never_texts_who_is_inside_and_never_serves_who_is_outside(session: Session) -> None:
    shipped = rules.load(session)
    for custody, ways in shipped.items():
        assert not {way.channel for way in ways} & rules.NEVER[custody]
    assert shipped[Custody.DETAINED][0].channel is Channel.HAND
    assert all(way.needs_review for way in shipped[Custody.REMOVED] if not way.channel.to_attorney)


def test_a_changed_plan_is_obeyed_by_what_was_planned_before(office: Office) -> None:
    ana = office.person()
    office.phone(ana, 1)
    office.launch(Channel.SMS)
    supervisor = make_account(office.session, Role.SUPERVISOR)
    rules.change(office.session, Custody.RELEASED, [Rule(Channel.LETTER)], by=supervisor)
    assert office.claim_texts() == 0
    assert office.standing(ana) == "exhausted:not_planned"


@pytest.mark.parametrize(
    ("custody", "rule"),
    [
        (Custody.DETAINED, Rule(Channel.SMS)),
        (Custody.REMOVED, Rule(Channel.EMAIL)),
        (Custody.RELEASED, Rule(Channel.HAND)),
        (Custody.UNKNOWN, Rule(Channel.LETTER)),
        (Custody.RELEASED, Rule(Channel.SMS, -1)),
    ],
)
def test_some_plans_cannot_be_made(session: Session, custody: Custody, rule: Rule) -> None:
    with pytest.raises(NotAllowedRule):
        rules.change(session, custody, [rule], by=make_account(session, Role.SUPERVISOR))


def test_only_a_supervisor_changes_the_plan(session: Session) -> None:
    with pytest.raises(NotAllowedRule):
        rules.change(session, Custody.RELEASED, [Rule(Channel.SMS)], by=make_account(session, Role.APPROVER))


def test_the_ladder_of_the_plan_has_each_way_once_an_hour_for_whom_it_is(session: Session) -> None:
    ladder = campaign.planned_ladder(session)
    assert len({(rung.channel, rung.wait_hours) for rung in ladder}) == len(ladder)
    assert [rung.wait_hours for rung in ladder] == sorted(rung.wait_hours for rung in ladder)
    hand = next(rung for rung in ladder if rung.channel is Channel.HAND)
    assert hand.custodies == ("detained",)
