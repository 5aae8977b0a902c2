"""What has stopped by itself, as staff see it: on the first page and on its own, with what to do next."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.campaigns.campaign import Campaign, CampaignState, Step
from outreach.db import new_id, now
from outreach.delivery import breaker
from outreach.delivery.breaker import BreakerKind, Finding
from outreach.notices.channel import Channel
from outreach.providers.contract import Refusal
from outreach.web.staff import breaker_words
from tests.factories import make_account, make_campaign, make_contact, make_message, make_person
from tests.web.conftest import Fetch, SignIn, submit

PARTS = {"bad": 6, "of": 100}


@pytest.fixture
def campaign(session: Session) -> Campaign:
    return make_campaign(session, title="Letters of spring")


@pytest.fixture
def step(session: Session, campaign: Campaign) -> Step:
    step = Step(id=new_id(), campaign_id=campaign.id, position=2, channel=Channel.SMS)
    session.add(step)
    session.flush()
    return step


def test_every_kind_and_every_meaning_of_a_code_has_its_words() -> None:
    assert set(breaker_words.WHY) == set(breaker_words.NEXT) == set(BreakerKind)
    assert set(breaker_words.CODES) == set(Refusal)


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        ({"kind": BreakerKind.CONFIGURATION, "provider": "sendgrid", "code": "http_401"},
         ["Stopped: E-mail (SendGrid) since", "does not let us in", "Code http_401 : our account, key or sender is not accepted"]),
        ({"kind": BreakerKind.FILTERED, "provider": "twilio", "code": "30034"},
         ["Stopped: Text messages (Twilio)", "Code 30034 : our number is not registered", "registers the number"]),
        ({"kind": BreakerKind.UNKNOWNS, "provider": "twilio", "code": "TimeoutError", "figures": PARTS},
         ["no usable answer. 6 of the latest 100. Code TimeoutError .", "nothing is sent twice"]),
        ({"kind": BreakerKind.COMPLAINTS, "provider": "sendgrid", "figures": {"bad": 3, "of": 800}},
         ["reported our e-mails as spam. 3 of the 800 e-mails of one day."]),
        ({"kind": BreakerKind.FILTERED, "code": "30007", "figures": {"bad": 5}},
         ["Stopped: Step 2 (text message) of Letters of spring", "as spam. 5 so far. Code 30007 : taken for spam"]),
        ({"kind": BreakerKind.REFUSALS, "code": "29999", "figures": PARTS},
         ["refused, or failed. 6 of the latest 100. Code 29999 : not in our table"]),
        ({"kind": BreakerKind.LATE, "figures": {"hours": 9, "waiting": 41}},
         ["9 hours; 41 messages had been due", "still right today"]),
    ],
)  # fmt: skip
def test_the_first_page_says_what_stopped_why_and_what_to_do(
    sign_in: SignIn, page: Fetch, session: Session, step: Step, finding: dict[str, Any], said: list[str]
) -> None:
    breaker.trip(session, [Finding(step_id=None if "provider" in finding else step.id, **finding)])
    session.commit()
    text = page(sign_in(Role.OFFICER), "/").text
    assert "Needs a person" in text
    assert all(part in text for part in said), text[:1500]
    assert "An approver or a supervisor can close it." in text


def test_closing_is_for_whoever_answers_for_it_and_stands_in_the_history(sign_in: SignIn, page: Fetch, session: Session) -> None:
    (breaker_id,) = breaker.trip(session, [Finding(BreakerKind.UNKNOWNS, "twilio", figures=PARTS)])
    session.commit()
    approver = sign_in(make_account(session, Role.APPROVER, name="Sample Approver"))
    overview = page(approver, "/")
    (form,) = [f for f, names in overview.forms if "from" in names]
    assert form["action"] == f"/breakers/{breaker_id}/close"
    assert submit(sign_in(Role.OFFICER), form["action"]).status_code == 403
    assert submit(approver, form["action"], {"from": "breakers"}).location == "/breakers"
    history = page(approver, "/breakers").text
    assert "Closed. What it had stopped goes on" in history
    assert "None: nothing is stopped." in history
    assert "Text messages (Twilio) Too many of the latest calls got no usable answer. 6 of the latest 100." in history
    assert "Sample Approver" in history
    assert "Nothing needs a person now." in page(approver, "/").text
    assert submit(approver, f"/breakers/{new_id()}/close").status_code == 404


def test_what_stops_a_campaign_that_is_over_needs_nobody(sign_in: SignIn, page: Fetch, session: Session, step: Step) -> None:
    breaker.trip(session, [Finding(BreakerKind.LATE, step_id=step.id, figures={"hours": 4, "waiting": 1})])
    session.execute(sa.update(Campaign).values(state=CampaignState.DONE))
    session.commit()
    assert "Nothing needs a person now." in page(sign_in(Role.AUDITOR), "/").text


WAITING = {
    "the database was restored": """
        insert into incarnation (id, deployment, cluster, timeline, relation, reconciled_at, frozen_at)
        values (1, 'first', 0, 0, 0, now(), now()) on conflict (id) do update set frozen_at = now()
    """,
    "1 person was not reached by any step.": """
        insert into task (id, kind, campaign_id, person_id, opened_at)
        select gen_random_uuid(), 'exhausted', c.id, p.id, now() from campaign c, person p
    """,
    "The first messages are out: Letters of spring": """
        update campaign set canary = 10;
        insert into spending (campaign_id, day, messages, letters, segments, cost)
        select id, current_date, 10, 0, 10, 0 from campaign
    """,
    "1 imminent removal waits for a second person.": """
        insert into imminent_removal (id, person_id, reason_sealed, asked_by, asked_at, until)
        select gen_random_uuid(), p.id, '-', c.created_by, now(), now() + interval '1 day' from person p, campaign c
    """,
    "1 person who is about to be removed still waits for a message.": """
        update campaign set state = 'paused';
        update message set due_at = now() - interval '6 minutes';
        insert into imminent_removal (id, person_id, reason_sealed, asked_by, asked_at, until, approved_by, approved_at)
        select gen_random_uuid(), p.id, '-', c.created_by, now(), now() + interval '1 day', a.id, now()
        from person p, campaign c, account a where a.id <> c.created_by limit 1
    """,
    "Messages are due, and nothing is sending them.": "update message set state = 'ready', due_at = now() - interval '6 minutes'",
    "Nothing new is started: the ticker has stopped.": """
        insert into heartbeat (name, beat_at) values ('ticker', now() - interval '2 minutes')
    """,
}


@pytest.mark.parametrize(("said", "why"), WAITING.items(), ids=list(WAITING))
def test_whatever_else_waits_for_a_person_is_said_once(
    sign_in: SignIn, page: Fetch, session: Session, campaign: Campaign, said: str, why: str
) -> None:
    person = make_person(session)
    make_message(session, campaign, make_contact(session, person), person, state="ready", attempts=0, due_at=now() + timedelta(1))
    session.commit()
    client = sign_in(Role.SUPERVISOR)
    assert "Nothing needs a person now." in page(client, "/").text
    for statement in why.split(";"):
        session.execute(sa.text(statement))
    session.commit()
    assert page(client, "/").text.count(said) == 1


def test_while_somebody_is_at_work_what_is_due_needs_no_person(
    sign_in: SignIn, page: Fetch, session: Session, campaign: Campaign
) -> None:
    make_message(session, campaign, make_contact(session), state="ready", attempts=0, due_at=now() - timedelta(hours=1))
    session.execute(sa.text("insert into heartbeat (name, beat_at) values ('sms', now() - interval '1 minute')"))
    session.commit()
    assert "Nothing needs a person now." in page(sign_in(Role.SUPERVISOR), "/").text
