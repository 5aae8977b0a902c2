"""The pages of campaigns: built, seen, approved by a second person, launched, watched, paused."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.accounts import Account, AuthSession, Role
from outreach.campaigns import campaign
from outreach.campaigns.campaign import Campaign, CampaignState, Rung
from outreach.campaigns.outcome import CounselOutcome, Outcome, OutcomeState, Reason
from outreach.db import now
from outreach.delivery.message import MessageState
from outreach.notices.channel import Channel
from outreach.notices.notice import Notice
from outreach.people.contact import ContactKind
from outreach.people.custody import Custody
from outreach.people.incident import Incident
from outreach.people.person import Person
from tests.factories import (
    make_account,
    make_attorney,
    make_campaign,
    make_contact,
    make_incident,
    make_message,
    make_outcome,
    make_paper,
    make_person,
    make_rendition,
    make_representation,
)
from tests.web.conftest import Fetch, Page, SignIn, form_token, submit

Rings = list[tuple[object, ...]]


@pytest.fixture
def said(session: Session) -> Notice:
    found = Notice(title="First contact")
    session.add(found)
    session.flush()
    make_rendition(session, found, "es", text="((program)): ((phone))")
    session.commit()
    return found


@pytest.fixture
def incident(session: Session) -> Incident:
    """Three people: one can be texted, one is in custody, one has no text in their language."""
    found = make_incident(session, code="2022-A", title="Public page")
    for columns in ({}, {"custody": Custody.DETAINED}, {"language": "ar"}):
        make_contact(session, make_person(session, incident=found, **columns))
    session.commit()
    return found


@pytest.fixture
def officer(session: Session) -> Account:
    return make_account(session, name="Olive Officer")


@pytest.fixture
def draft(session: Session, said: Notice, incident: Incident, officer: Account) -> Campaign:
    made = campaign.create(session, title="First notice", notice_id=said.id, audience={"incidents": [str(incident.id)]}, by=officer)
    session.commit()
    return made


@pytest.fixture
def submitted(session: Session, draft: Campaign, officer: Account) -> Campaign:
    campaign.submit(session, draft.id, by=officer)
    session.commit()
    return draft


def fresh(session: Session, found: Campaign) -> Campaign:
    session.expire_all()
    return campaign.get(session, found.id)


def described(said: Notice, incident: Incident, **overrides: str) -> dict[str, str]:
    return {
        "title": "First notice", "notice": str(said.id), "incidents": str(incident.id), "start": "09:00", "end": "20:00",
        "channel-0": "sms", "wait-0": "0",
    } | overrides  # fmt: skip


# Building.


def test_a_campaign_is_built_by_a_form(sign_in: SignIn, page: Fetch, session: Session, said: Notice, incident: Incident) -> None:
    officer = sign_in(Role.OFFICER)
    page(officer, "/campaigns/new")
    steps = {"channel-3": "sms", "wait-3": "72", "channel-5": "letter", "wait-5": "25", "custodies-5": ["detained", "released"]}
    form = {**described(said, incident), **steps, "languages": ["es", "ar"], "custody": ["released"]}
    answer = officer.post("/campaigns", data={"csrf_token": form_token(officer), **form})
    made = session.scalars(sa.select(Campaign)).one()
    assert answer.location == f"/campaigns/{made.id}"
    assert made.audience == {"incidents": [str(incident.id)], "languages": ["es", "ar"], "custody": ["released"]}
    ladder = [(step.channel, step.wait_hours, step.custodies) for step in campaign.steps(session, made.id)]
    assert ladder == [("sms", 0, None), ("letter", 25, ["detained", "released"]), ("sms", 72, None)]
    shown = page(officer, answer.location).text
    for part in ("First contact", "2022-A: Public page", "Spanish, Arabic", "09:00 to 20:00"):
        assert part in shown
    assert "at the launch: text message after 25 hours: letter for in detention, released after 3 days: text" in shown


def rungs(form: Page) -> list[tuple[str, str, list[str]]]:
    """The ladder of a form: channel, hours, and the custody states that are checked."""
    chosen = re.findall(r'name="channel-(\d+)".*?<option value="(\w+)" selected', form.html, re.DOTALL)
    fields = form.all("input")
    return [
        (
            channel,
            next(str(field["value"]) for field in fields if field.get("name") == f"wait-{n}"),
            [str(f["value"]) for f in fields if f.get("name") == f"custodies-{n}" and "checked" in f],
        )
        for n, channel in chosen
    ]


def test_a_new_campaign_begins_with_the_plans_ladder(sign_in: SignIn, page: Fetch, session: Session) -> None:
    offered = rungs(page(sign_in(Role.OFFICER), "/campaigns/new"))
    planned = [(r.channel, str(r.wait_hours), set(r.custodies or ())) for r in campaign.planned_ladder(session)]
    assert [(channel, wait, set(whom)) for channel, wait, whom in offered] == planned
    assert ("hand", "0", ["detained"]) in offered


TWO = {"channel-0": "sms", "wait-0": "0", "channel-1": "letter", "wait-1": "72", "custodies-1": "released"}


@pytest.mark.parametrize(
    ("button", "ladder"),
    [
        ("add", [("sms", "0", []), ("letter", "72", ["released"]), ("sms", "", [])]),
        ("remove-0", [("letter", "72", ["released"])]),
        ("remove-9", [("sms", "0", []), ("letter", "72", ["released"])]),
        ("texts", [("sms", "0", [])]),
        ("nonsense", [("sms", "0", []), ("letter", "72", ["released"])]),
    ],
)
def test_the_ladders_buttons_change_the_form_and_keep_nothing(
    sign_in: SignIn, page: Fetch, session: Session, said: Notice, incident: Incident, button: str, ladder: list[object]
) -> None:
    officer = sign_in(Role.OFFICER)
    form = described(said, incident, **TWO, ladder=button, title="Half typed")
    whole = page(officer, "/campaigns", post=form)
    assert rungs(whole) == ladder
    assert 'value="Half typed"' in whole.html
    part = officer.post("/campaigns", data={"csrf_token": form_token(officer), **form}, headers={"HX-Request": "true"})
    assert "<html" not in part.text, "a script gets the ladder alone"
    assert rungs(Page(part)) == ladder
    assert session.scalars(sa.select(Campaign)).all() == []


def test_the_ladder_of_a_campaign_can_be_put_back_to_the_plans(
    sign_in: SignIn, page: Fetch, session: Session, draft: Campaign, said: Notice, incident: Incident
) -> None:
    officer = sign_in(Role.OFFICER)
    assert rungs(page(officer, f"/campaigns/{draft.id}/edit")) == [("sms", "0", [])]
    planned = rungs(page(officer, f"/campaigns/{draft.id}", post=described(said, incident, ladder="plan")))
    assert len(planned) == len(campaign.planned_ladder(session))
    assert [step.channel for step in campaign.steps(session, draft.id)] == ["sms"], "and nothing is kept yet"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"title": " "}, "Give the campaign a title"),
        ({"title": "x" * 201}, "too long"),
        ({"notice": ""}, "Choose the notice"),
        ({"notice": "nonsense"}, "Choose the notice"),
        ({"incidents": str(UUID(int=1))}, "Choose at least one incident"),
        ({"start": "20:00", "end": "09:00"}, "The hours end before they begin"),
        ({"start": "09:00", "end": "09:00"}, "The hours end when they begin"),
        ({"start": "nine"}, "Give both hours"),
        ({"any_hour": "yes"}, "need a reason"),
        ({"start": "09:00", "end": "15:59"}, "The hours are too short"),
        ({"wait-0": "soon"}, "Step 1 comes a whole number of hours"),
        ({"wait-0": ""}, "Step 1 comes a whole number of hours"),
        ({"wait-0": "9" * 30}, "Step 1 comes a whole number of hours"),
        ({"channel-1": "pigeon", "wait-1": "5"}, "Choose the way of step 2"),
        ({"channel-1": "sms", "wait-1": "0"}, "Two steps are the same"),
    ],
)
def test_what_makes_no_sense_is_said_beside_the_form_and_what_was_typed_stays(
    sign_in: SignIn, page: Fetch, session: Session, said: Notice, incident: Incident, wrong: dict[str, str], sentence: str
) -> None:
    answer = page(sign_in(Role.OFFICER), "/campaigns", status=400, post=described(said, incident, **wrong))
    assert sentence in answer.text
    (title,) = (field for field in answer.all("input") if field.get("name") == "title")
    assert title["value"] == wrong.get("title", "First notice")
    assert session.scalars(sa.select(Campaign)).all() == []


def test_a_change_makes_it_a_draft_again(
    sign_in: SignIn, page: Fetch, session: Session, submitted: Campaign, said: Notice, incident: Incident
) -> None:
    officer = sign_in(Role.OFFICER)
    form = page(officer, f"/campaigns/{submitted.id}/edit")
    assert "Saving makes it a draft again" in form.text
    wrong = page(officer, f"/campaigns/{submitted.id}", status=400, post=described(said, incident, title=""))
    assert "Not saved" in wrong.text
    submit(officer, f"/campaigns/{submitted.id}", described(said, incident, any_hour="yes", reason="A court said so"))
    found = fresh(session, submitted)
    assert (found.state, found.window_start, found.window_reason) == (CampaignState.DRAFT, found.window_end, "A court said so")
    assert "A court said so" in page(officer, f"/campaigns/{submitted.id}").text


def test_a_launched_campaign_has_no_form(sign_in: SignIn, page: Fetch, session: Session) -> None:
    running = make_campaign(session)
    session.commit()
    assert "was launched" in page(sign_in(Role.OFFICER), f"/campaigns/{running.id}/edit", status=409).text


# The preview.


def test_the_preview_counts_everybody_with_reason_and_advice(sign_in: SignIn, page: Fetch, draft: Campaign) -> None:
    shown = page(sign_in(Role.OFFICER), f"/campaigns/{draft.id}")
    assert "Of 3 people, 1 get a message. 2 do not" in shown.text
    for part in ("In custody: no way of the campaign", "Have a letter handed over", "No approved text in their language"):
        assert part in shown.text
    assert "$0.0079" in shown.text


def test_the_preview_is_by_way_with_the_attorneys_track(
    sign_in: SignIn, page: Fetch, session: Session, draft: Campaign, said: Notice, incident: Incident, officer: Account
) -> None:
    people = session.scalars(sa.select(Person).order_by(Person.id)).all()
    both = make_attorney(session)
    make_representation(session, people[0], both)
    make_representation(session, people[1], both)
    steps = [Rung(), Rung(240, Channel.ATTORNEY_EMAIL), Rung(72, Channel.LETTER)]
    campaign.change(
        session, draft.id, title="All ways", notice_id=said.id, audience=draft.audience, ladder=steps,
        window=(draft.window_start, draft.window_end), window_reason=None, by=officer,
    )  # fmt: skip
    session.commit()
    approver = sign_in(Role.APPROVER)
    before = page(approver, f"/campaigns/{draft.id}")
    assert "no approved text for them Letter by post , E-mail to the attorney" in before.text
    assert f"/notices/{said.id}?channel=attorney_email" in before.links()
    make_rendition(session, said, "en", channel=Channel.ATTORNEY_EMAIL, subject="Important")
    session.commit()
    shown = page(approver, f"/campaigns/{draft.id}").text
    assert "Way People Messages Text message 1 1 Letter by post 0 0 E-mail to the attorney 2 1" in shown
    assert "Their attorney is told 2 Their attorney cannot be reached 0 No attorney on record 1" in shown


def test_each_reason_leads_to_exactly_its_people(sign_in: SignIn, page: Fetch, draft: Campaign) -> None:
    officer = sign_in(Role.OFFICER)
    links = [link for link in page(officer, f"/campaigns/{draft.id}").links() if link.startswith("/people?")]
    assert len(links) == 2
    for link in links:
        listed = page(officer, link.replace("&amp;", "&"))
        assert "1 to 1 of 1 people" in listed.text
        assert "Left out" in listed.text


def test_an_approver_sees_figures_and_no_way_to_the_people(sign_in: SignIn, page: Fetch, submitted: Campaign) -> None:
    shown = page(sign_in(Role.APPROVER), f"/campaigns/{submitted.id}")
    assert not [link for link in shown.links() if link.startswith("/people")]
    assert "Of 3 people" in shown.text


# Two people.


def test_a_second_person_approves_by_typing_the_number(
    sign_in: SignIn, page: Fetch, session: Session, draft: Campaign, officer: Account
) -> None:
    author, approver = sign_in(officer), sign_in(Role.APPROVER, name="Abel Approver")
    submit(author, f"/campaigns/{draft.id}/submit")
    assert "neither made nor submitted it" in page(author, f"/campaigns/{draft.id}").text
    assert "Number of people in the audience" in page(approver, f"/campaigns/{draft.id}").text
    assert submit(approver, f"/campaigns/{draft.id}/approve", {"people": " 3 "}).status_code == 302
    found = fresh(session, draft)
    assert found.state == CampaignState.APPROVED
    shown = page(author, f"/campaigns/{draft.id}").text
    assert "Approved by Abel Approver" in shown
    assert str(found.submitted_digest)[:12] in shown


@pytest.mark.parametrize(
    ("typed", "status", "sentence"),
    [("", 400, "in figures"), ("three", 400, "in figures"), ("٣", 400, "in figures"), ("9" * 40, 400, "in figures"),
     ("4", 409, "You typed 4, and the audience is 3 people"), ("3,000", 409, "You typed 3000")],
)  # fmt: skip
def test_a_wrong_number_approves_nothing(
    sign_in: SignIn, page: Fetch, session: Session, submitted: Campaign, typed: str, status: int, sentence: str
) -> None:
    answer = page(sign_in(Role.APPROVER), f"/campaigns/{submitted.id}/approve", status=status, post={"people": typed})
    assert sentence in answer.text
    assert fresh(session, submitted).state == CampaignState.SUBMITTED


def test_nobody_approves_their_own_campaign(sign_in: SignIn, page: Fetch, session: Session, submitted: Campaign) -> None:
    own = make_account(session, Role.SUPERVISOR)
    session.execute(sa.update(Campaign).values(submitted_by=own.id))
    session.commit()
    client = sign_in(own)
    shown = page(client, f"/campaigns/{submitted.id}")
    assert not any(str(form.get("action")).endswith("/approve") for form, _ in shown.forms)
    refused = page(client, f"/campaigns/{submitted.id}/approve", status=409, post={"people": "3"})
    assert "You made or submitted this campaign, so somebody else has to approve it" in refused.text


def test_a_text_approved_since_then_voids_it(
    sign_in: SignIn, page: Fetch, session: Session, submitted: Campaign, said: Notice
) -> None:
    make_rendition(session, said, "ar")
    session.commit()
    approver = sign_in(Role.APPROVER)
    refused = page(approver, f"/campaigns/{submitted.id}/approve", status=409, post={"people": "3"})
    assert "have changed since this campaign was submitted (3 people then, 3 now)" in refused.text
    submit(approver, f"/campaigns/{submitted.id}/send-back")
    assert fresh(session, submitted).state == CampaignState.DRAFT


# Going.


@pytest.fixture
def approved(session: Session, submitted: Campaign) -> Campaign:
    campaign.approve(session, submitted.id, by=make_account(session, Role.APPROVER), people=3)
    session.commit()
    return submitted


def test_launching_rings_for_the_planner_once(sign_in: SignIn, page: Fetch, rings: Rings, approved: Campaign) -> None:
    officer = sign_in(Role.OFFICER)
    assert submit(officer, f"/campaigns/{approved.id}/launch").status_code == 302
    again = page(officer, f"/campaigns/{approved.id}/launch", status=409, post={})
    assert "Only an approved campaign can be launched" in again.text
    assert rings == [(jobs.plan_campaign, str(approved.id))]
    assert "Deciding who gets what" in again.text


def test_pausing_is_for_everybody_who_sees_it_and_resuming_rings(
    sign_in: SignIn, page: Fetch, session: Session, rings: Rings
) -> None:
    running = make_campaign(session)
    session.commit()
    approver, officer = sign_in(Role.APPROVER), sign_in(Role.OFFICER)
    assert "Pause it now" in page(approver, f"/campaigns/{running.id}").text
    submit(approver, f"/campaigns/{running.id}/pause")
    paused = page(officer, f"/campaigns/{running.id}").text
    assert "Paused: nothing is handed over A member of staff paused it." in paused
    assert rings == []
    submit(officer, f"/campaigns/{running.id}/resume")
    assert fresh(session, running).state == CampaignState.RUNNING
    assert rings == [(jobs.plan_campaign, str(running.id))]


def test_a_pause_by_the_system_says_what_is_wrong(sign_in: SignIn, page: Fetch, session: Session) -> None:
    running = make_campaign(session, state=CampaignState.PAUSED, state_reason="configuration:21606")
    session.commit()
    shown = page(sign_in(Role.OFFICER), f"/campaigns/{running.id}").text
    assert "The carrier refuses our account or our number." in shown
    assert "(code 21606)" in shown


# Watching.


@pytest.fixture
def running(session: Session) -> Campaign:
    """Four people: told, reached, in custody, and one whose text has no answer."""
    found = make_campaign(session, title="Running one")
    people = [make_person(session) for _ in range(4)]
    standing = [
        (OutcomeState.TOLD, None),
        (OutcomeState.REACHED, None),
        (OutcomeState.EXCLUDED, Reason.IN_CUSTODY),
        (OutcomeState.IN_PROGRESS, None),
    ]
    for person, (state, reason) in zip(people, standing, strict=True):
        make_outcome(session, found, person, state, reason)
    make_message(session, found, make_contact(session, people[0]), people[0])
    make_message(
        session, found, make_contact(session, people[1]), people[1], state=MessageState.FAILED, reason="opted_out", code="21610"
    )
    make_message(
        session,
        found,
        make_contact(session, people[3]),
        people[3],
        state=MessageState.UNKNOWN,
        started_at=now() - timedelta(minutes=5),
    )
    session.commit()
    return found


def live(client: FlaskClient, found: Campaign, state: str = "running") -> str:
    answer = client.get(f"/campaigns/{found.id}/progress?state={state}", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.text


def test_progress_is_an_equation_a_chart_and_tables(sign_in: SignIn, page: Fetch, running: Campaign) -> None:
    officer = sign_in(Role.OFFICER)
    shown = page(officer, f"/campaigns/{running.id}")
    assert "4 = 1 told + 1 reached + 1 on the way + 0 planned + 0 not reached + 1 left out" in shown.text
    assert "2 of 4 people have been reached or told" in shown.text
    assert "For 1 message no answer came from the carrier. We do not know whether it was sent" in shown.text
    assert "Refused text message Asked us to stop 21610: the recipient has refused messages from us 1" in shown.text
    assert f"/people?campaign={running.id}&outcome=excluded&reason=in_custody" in shown.links()
    part = live(officer, running)
    assert "<html" not in part
    assert 'hx-trigger="every 2s"' in part, "it asks for itself again"
    assert re.search(r"<desc[^>]*>Told: 1\. Reached: 1\.", part), "the chart says its numbers"


def test_progress_is_by_way_with_the_attorneys_and_the_print_room(
    sign_in: SignIn, page: Fetch, session: Session, running: Campaign
) -> None:
    inside, moved = make_person(session, custody=Custody.DETAINED), make_person(session)
    for person, channel in ((inside, Channel.HAND), (moved, Channel.LETTER)):
        make_outcome(session, running, person, OutcomeState.PLANNED)
        make_paper(session, running, person, make_contact(session, kind=ContactKind.POST, value="12 Example Street"), channel)
    attorney = make_attorney(session)
    for person, state in ((inside, "reached"), (moved, None)):
        session.get_one(Outcome, (running.id, person.id)).counsel = "represented" if state else "none"
        if state:
            session.add(CounselOutcome(campaign_id=running.id, person_id=person.id, attorney_id=attorney.id, state=state))
    session.commit()
    shown = page(sign_in(Role.APPROVER), f"/campaigns/{running.id}")
    assert "State Text message Letter by post Letter by hand In all" in shown.text
    assert "Being handed over – 1 1 2" in shown.text
    assert "In all 3 1 1 5" in shown.text
    assert "2 letters have not left the house." in shown.text
    assert "/print-room" in shown.links()
    assert "Their attorney stands as People Reached 1 No attorney on record 1 In all 2" in shown.text


def test_when_the_state_changes_the_whole_page_is_asked_for(sign_in: SignIn, session: Session, running: Campaign) -> None:
    officer = sign_in(Role.OFFICER)
    answer = officer.get(f"/campaigns/{running.id}/progress?state=paused", headers={"HX-Request": "true"})
    assert (answer.text, answer.headers["HX-Refresh"]) == ("", "true")
    session.execute(sa.update(Campaign).where(Campaign.id == running.id).values(state="done"))
    session.commit()
    assert "hx-get" not in live(officer, running, "done"), "and when it is done it rests"


def test_watching_does_not_keep_a_session_alive(sign_in: SignIn, session: Session, running: Campaign) -> None:
    officer = sign_in(Role.OFFICER)
    session.execute(sa.update(AuthSession).values(seen_at=now() - timedelta(minutes=10)))
    session.commit()
    live(officer, running)
    session.expire_all()
    assert session.scalars(sa.select(AuthSession)).one().seen_at < now() - timedelta(minutes=9)
    officer.get("/campaigns")
    session.expire_all()
    assert session.scalars(sa.select(AuthSession)).one().seen_at > now() - timedelta(minutes=1)


def test_the_list_shows_state_and_how_far_each_is(sign_in: SignIn, page: Fetch, running: Campaign, draft: Campaign) -> None:
    listed = page(sign_in(Role.OFFICER), "/campaigns").text
    assert re.search(r"Running one made .* Running 4 2 \(50%\)", listed)
    assert re.search(r"First notice made .* Draft – –", listed)


def test_refusals_are_said_in_the_panels_language(sign_in: SignIn, page: Fetch, submitted: Campaign) -> None:
    client = sign_in(Role.SUPERVISOR, locale="es")
    refused = page(client, f"/campaigns/{submitted.id}/approve", status=409, post={"people": "4"}).text
    assert "You typed" not in refused
    assert "Escribió 4" in refused
