"""Letters from the claim to the print run and the mail house: none is lost and none is printed twice, whatever dies in between."""

import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from outreach import jobs
from outreach.access.accounts import Role
from outreach.campaigns.campaign import Step
from outreach.db import new_id, now
from outreach.delivery import manifest, plan
from outreach.delivery.dispatch import Watch
from outreach.delivery.letter import PrintRun
from outreach.delivery.paper import claim_letters
from outreach.jobs import sending
from outreach.jobs.machine import letter_lease, mail_house, paper_rules, rules_for
from outreach.notices import notice
from outreach.notices.channel import Channel
from outreach.notices.letters.print_run import compose_run
from outreach.notices.letters.typesetting import Typesetter
from outreach.people.contact import AddressGrade, ContactKind
from outreach.people.custody import Custody
from outreach.people.person import Person
from outreach.providers.contract import Verdict
from outreach.providers.postgrid import PostGridLetters
from tests.factories import (
    make_account,
    make_campaign,
    make_contact,
    make_custody_event,
    make_facility,
    make_incident,
    make_person,
    make_rendition,
)
from tests.stage import ANY_HOUR, Stage

LETTER = "# A sample letter\n\nDear ((name)),\n\nyour code is ((code)), your reference ((reference))."
POSTGRID = {"post_provider": "postgrid"}


def cast(stage: Stage, *, outside: int = 3, inside: int = 2) -> None:
    """A running campaign of letters about people at home, and by hand and by post in each of two facilities."""
    with stage.sessions.begin() as session:
        incident, by = make_incident(session), make_account(session, Role.OFFICER)
        said = notice.create(session, title="Sample notice", by=by)
        for language in ("es", "en"):
            make_rendition(session, said, language, channel=Channel.LETTER, text=LETTER)
        for number in range(outside):
            person = make_person(session, incident=incident)
            address = f"{number + 1} Sample Street\nSpringfield, IL 62701"
            make_contact(session, person, value=address, kind=ContactKind.POST, grade=AddressGrade.GOOD)
        for name in ("Sample Center", "Other Center"):
            facility = make_facility(session, name=name)
            for _ in range(inside):
                person = make_person(session, incident=incident, custody=Custody.UNKNOWN)
                make_custody_event(session, person, state=Custody.DETAINED, facility_id=facility.id, as_of=now().date())
        campaign = make_campaign(
            session,
            notice_id=said.id,
            audience={"incidents": [str(incident.id)]},
            launched_at=now() - timedelta(minutes=1),
            **ANY_HOUR,
        )
        for position, channel in enumerate((Channel.HAND, Channel.LETTER), 1):
            session.add(Step(id=new_id(), campaign_id=campaign.id, position=position, channel=channel, wait_hours=0))
        session.flush()
        stage.incident_id, stage.campaign_id = incident.id, campaign.id
        while steps := plan.due_steps(session):
            plan.plan(session, steps[0])


def everything_is_in_one_run(stage: Stage) -> None:
    """Each letter of the campaign lies in exactly one run, and each run counts the same three times over."""
    with stage.sessions() as session:
        messages = session.scalar(sa.text("select count(*) from message"))
        rows = session.execute(
            sa.text("select a.message_id, count(*) as n from letter l join attempt a on a.id = l.attempt_id group by 1")
        ).all()
        assert len(rows) == messages
        assert {row.n for row in rows} == {1}
        for run_id in session.scalars(sa.select(PrintRun.id)):
            assert manifest.counts(session, run_id).agree
        assert set(session.scalars(sa.text("select state from message"))) == {"accepted"}


def test_letters_lie_in_runs_one_for_the_post_and_one_for_each_facility(stage: Stage) -> None:
    cast(stage)
    assert jobs.letters_due(stage.machine).sent == 3 + 4 + 4
    everything_is_in_one_run(stage)
    with stage.sessions() as session:
        kinds = Counter(session.scalars(sa.text("select kind from print_run")))
    assert kinds == {"hand": 2, "post": 1}
    assert jobs.letters_due(stage.machine).sent == 0
    stage.check_outcomes()


def test_a_worker_that_dies_while_it_sets_letters_leaves_none_unprinted_and_none_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast(stage)

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sending, "compose_run", die)
        with pytest.raises(KeyboardInterrupt):
            jobs.letters_due(stage.machine)
    assert stage.states()["submitting"] == 4
    jobs.sweep_once(stage.machine)
    assert stage.states()["submitting"] == 4, "a worker that may still be at it is left alone"
    stage.later(hours=1)
    jobs.sweep_once(stage.machine)
    assert jobs.letters_due(stage.machine).sent == 11
    everything_is_in_one_run(stage)
    assert set(stage.states("attempt")) == {"accepted", "not_sent"}


def test_a_letter_that_cannot_be_set_keeps_no_other_from_being_printed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    cast(stage, outside=3, inside=0)
    real, calls = Typesetter.compose, []

    def fail_once(self: Typesetter, content: Any) -> Any:
        calls.append(content)
        if len(calls) == 2:
            raise RuntimeError("what typst says, which may quote the letter")
        return real(self, content)

    monkeypatch.setattr(Typesetter, "compose", fail_once)
    jobs.letters_due(stage.machine)
    assert stage.states() == {"accepted": 2, "failed": 1}
    assert stage.scalar("select letters from print_run") == 2
    assert stage.outcomes() == {"in_progress": 2, "exhausted:refused": 1}


def test_a_run_that_comes_too_late_is_not_kept(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker was frozen for so long that its letters were given up; another run has them, or will."""
    cast(stage)
    real = compose_run

    def slow(*args: Any, **options: Any) -> Any:
        stage.later(hours=1)
        jobs.sweep_once(stage.machine)
        return real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(sending, "compose_run", slow)
        sending._to_print_room(stage.machine, Typesetter(paper_rules(stage.settings).vendor), Channel.HAND, stage.campaign_id)
    assert stage.scalar("select count(*) from print_run") == 0
    jobs.letters_due(stage.machine)
    everything_is_in_one_run(stage)


def test_a_run_has_at_most_as_many_letters_as_the_settings_say(stage: Stage) -> None:
    cast(stage, outside=0, inside=3)
    jobs.letters_due(jobs.Machine(replace(stage.settings, print_run_letters=2), stage.sessions))
    everything_is_in_one_run(stage)
    with stage.sessions() as session:
        assert max(session.scalars(sa.text("select letters from print_run"))) <= 2


def test_a_transfer_between_printing_and_handing_over_pulls_the_letter_and_serves_it_anew(stage: Stage) -> None:
    cast(stage, outside=0, inside=1)
    jobs.letters_due(stage.machine)
    with stage.sessions.begin() as session:
        row = session.execute(
            sa.text("select p.id, (select id from facility f where f.id <> p.facility_id) as other from person p limit 1")
        ).one()
        person = session.get_one(Person, row.id)
        make_custody_event(session, person, state=Custody.DETAINED, facility_id=row.other, as_of=now().date() + timedelta(days=1))
    jobs.sweep_once(stage.machine)
    assert stage.scalar("select count(*) from letter where state = 'pulled' and reason = 'moved'") == 2
    assert stage.scalar("select count(*) from message where state = 'ready'") == 2
    assert jobs.letters_due(stage.machine).sent == 2
    stage.check_outcomes()


@pytest.mark.parametrize("stage", [POSTGRID], indirect=True)
@pytest.mark.parametrize(
    "fault", [None, "error_after", "drop_after", "error_before", "rate_limit"], ids=lambda fault: fault or "no fault"
)
def test_the_mail_house_has_each_letter_once_whatever_its_answers(stage: Stage, fault: str | None) -> None:
    cast(stage)
    if fault:
        stage.control.fault(fault, chance=0.5, to="post:*")
    for _ in range(20):
        jobs.letters_due(stage.machine)
        stage.control.wait_until_quiet()
        jobs.apply_due(stage.machine)
        if (
            stage.scalar("select count(*) from message where channel = 'letter' and state in ('ready', 'submitting', 'unknown')")
            == 0
        ):
            break
        stage.later(hours=3)
        jobs.sweep_once(stage.machine)
    theirs = list(stage.control.letters())
    tokens = Counter(letter["token"] for letter in theirs)
    assert len(theirs) == 7
    assert set(tokens.values()) == {1}
    with stage.sessions() as session:
        ours = set(
            session.scalars(
                sa.text(
                    "select cast(id as text) from attempt where provider = :name and state in ('accepted', 'sent', 'delivered')"
                ),
                {"name": PostGridLetters.name},
            )
        )
    assert ours == set(tokens)
    assert stage.scalar("select count(*) from letter where run_id is null") >= 7
    stage.check_outcomes()


@pytest.mark.parametrize("stage", [POSTGRID], indirect=True)
def test_what_is_handed_over_by_an_officer_is_printed_in_our_own_house(stage: Stage) -> None:
    cast(stage)
    jobs.letters_due(stage.machine)
    with stage.sessions() as session:
        kinds = Counter(session.scalars(sa.text("select kind from print_run")))
    assert kinds == {"hand": 2}


@pytest.mark.parametrize("stage", [POSTGRID], indirect=True)
def test_a_worker_that_was_frozen_past_its_lease_gives_the_mail_house_nothing(stage: Stage) -> None:
    cast(stage, inside=0)
    short = replace(stage.settings, letter_lease_seconds=int(stage.settings.postgrid_timeout_seconds))
    jobs.letters_due(replace(stage.machine, settings=short))
    assert list(stage.control.letters()) == []
    assert stage.states() == {"ready": 3}
    stage.later(hours=1)
    jobs.letters_due(stage.machine)
    assert len(list(stage.control.letters())) == 3


@pytest.mark.parametrize("stage", [POSTGRID], indirect=True)
def test_a_letter_whose_turn_comes_after_the_lease_is_not_given_to_the_mail_house(stage: Stage) -> None:
    cast(stage, outside=11, inside=0)
    stage.control.fault("slow", ms=2000)
    s = stage.settings
    with stage.sessions.begin() as session:
        rules = rules_for(s, PostGridLetters.name, lease=letter_lease(s))
        claimed, _ = claim_letters(session, Channel.LETTER, 20, rules, paper_rules(s))
    pdfs = [Typesetter(paper_rules(s).vendor).compose(one.content) for one in claimed]
    watch = Watch(stage.sessions, [one.message_id for one in claimed], PostGridLetters.name)
    results = asyncio.run(sending._post_all(mail_house(s), claimed, pdfs, time.monotonic() + 1, watch))
    assert Counter(each.receipt.verdict for each in results) == {Verdict.ACCEPTED: 10, Verdict.NOT_SENT: 1}


@pytest.mark.parametrize("stage", [POSTGRID], indirect=True)
@pytest.mark.parametrize("word", ["ready", "printing"])
def test_a_letter_at_the_mail_house_is_called_back_while_it_still_can_be(stage: Stage, word: str) -> None:
    stage.control.set(letter_delay_ms=10**8)
    cast(stage, outside=1, inside=0)
    jobs.letters_due(stage.machine)
    (theirs,) = stage.control.letters()
    if word != "ready":
        stage.control.move_letter(theirs["id"], word)
    stage.execute("update person_contact set safety = 'never'")
    jobs.sweep_once(stage.machine)
    (theirs,) = stage.control.letters()
    if word == "ready":
        assert theirs["status"] == "cancelled"
        assert stage.states() == {"cancelled": 1}
        assert stage.outcomes() == {"exhausted:unsafe_contact": 1}
    else:
        assert theirs["status"] == word
        assert stage.states() == {"accepted": 1}
    stage.check_outcomes()
