"""The preview: everybody is counted once, as getting a text or as left out with the reason; and what it costs."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach import tally
from outreach.campaigns.campaign import Campaign, CampaignState, Step
from outreach.campaigns.forecast import PREVIEW, Forecast, LeftOut, forecast
from outreach.campaigns.outcome import OutcomeState, Reason
from outreach.db import new_id
from outreach.notices import notice
from outreach.notices.house import House
from outreach.notices.notice import Channel, Notice
from outreach.notices.segments import Encoding
from outreach.people.custody import Custody
from outreach.people.incident import Incident
from tests.factories import make_campaign, make_contact, make_incident, make_person, make_rendition

HOUSE = House({"program": "Letter Line", "phone": "1-800-555-0199", "site": "notices.example.org"}, 3, Decimal("0.01"))


def make_draft(session: Session, said: Notice, incidents: Sequence[Incident]) -> Campaign:
    """A draft about everybody of the incidents, with one step: a text."""
    audience = {"incidents": [str(incident.id) for incident in incidents]}
    draft = make_campaign(session, notice_id=said.id, audience=audience, state=CampaignState.DRAFT)
    session.add(Step(id=new_id(), campaign_id=draft.id, position=1, channel=Channel.SMS, wait_hours=0))
    session.flush()
    return draft


@pytest.fixture
def expected(session: Session) -> Forecast:
    """Five people: two who share a phone and a language, one Arabic speaker, one in custody, one without a phone."""
    said, incident = notice.create(session, title="Test notice"), make_incident(session)
    make_rendition(session, said, "es", text="x" * 200)
    make_rendition(session, said, "ar", text="س")
    mother, son = make_person(session, incident=incident), make_person(session, incident=incident)
    make_contact(session, mother, son)
    make_contact(session, make_person(session, incident=incident, language="ar"))
    make_contact(session, make_person(session, incident=incident, custody=Custody.DETAINED))
    make_person(session, incident=incident)
    make_person(session)  # of no incident
    return forecast(session, make_draft(session, said, [incident]), house=HOUSE, segments_per_second=0.5)


def test_everybody_is_counted_once(expected: Forecast) -> None:
    assert (expected.people, expected.planned) == (5, 3)
    assert expected.people == expected.planned + sum(one.people for one in expected.left_out)
    assert set(expected.left_out) == {
        LeftOut(OutcomeState.EXCLUDED, Reason.IN_CUSTODY, 1),
        LeftOut(OutcomeState.EXHAUSTED, Reason.NO_CONTACT, 1),
    }
    for groups in (expected.by_language, expected.by_custody):
        assert (sum(group.people for group in groups), sum(group.planned for group in groups)) == (5, 3)


def test_who_shares_a_phone_and_a_language_shares_a_text(expected: Forecast) -> None:
    assert {one.language: one.texts for one in expected.texts} == {"es": 1, "ar": 1}
    assert expected.messages == {Channel.SMS: 2}


def test_segments_are_counted_per_language_and_paid_for(expected: Forecast) -> None:
    spanish, arabic = (next(one for one in expected.texts if one.language == language) for language in ("es", "ar"))
    assert (spanish.each, spanish.encoding, spanish.cost) == (2, Encoding.GSM_7, Decimal("0.02"))
    assert (arabic.each, arabic.encoding) == (1, Encoding.UCS_2)
    assert (expected.segments, expected.cost) == (3, Decimal("0.03"))


def test_the_limit_says_how_long_it_takes(session: Session, expected: Forecast) -> None:
    assert expected.seconds == 6
    said = notice.create(session, title="-")
    nobody = forecast(session, make_draft(session, said, []), house=HOUSE, segments_per_second=0)
    assert nobody.seconds is None
    assert (nobody.people, nobody.cost) == (0, Decimal(0))


def test_of_very_many_people_the_counts_are_kept_but_never_of_another_audience_ladder_or_set_of_texts(
    session: Session, expected: Forecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "COSTLY_SECONDS", 0.0)
    monkeypatch.setattr(tally, "MANY_ROWS", -1)
    (incident,) = session.scalars(sa.select(Incident))
    draft = session.scalars(sa.select(Campaign)).one()

    def foreseen() -> Forecast:
        return forecast(session, draft, house=HOUSE, segments_per_second=0.5)

    first = foreseen()
    assert replace(first, as_of=expected.as_of) == expected
    make_contact(session, make_person(session, incident=incident, language="fr"))
    assert foreseen() == first
    make_rendition(session, session.get_one(Notice, draft.notice_id), "fr", text="x")
    counted = foreseen()
    assert (counted.people, {one.language for one in counted.texts}) == (6, {"es", "ar", "fr"})
    draft.audience = {**draft.audience, "languages": ["ar"]}
    session.flush()
    assert foreseen().people == 1
    session.execute(sa.update(Step).values(channel=Channel.LETTER))
    assert foreseen().planned == 0


@pytest.mark.parametrize("state", ["running", "gone"])
def test_a_campaign_that_was_launched_is_counted_no_more(session: Session, state: str) -> None:
    draft = make_draft(session, notice.create(session, title="-"), [make_incident(session)])
    if state == "running":
        draft.state = CampaignState.RUNNING
        session.flush()
    assert PREVIEW.rows(session, draft.id if state == "running" else new_id()).rows == []
