"""The preview: everybody is counted once, as getting a text or as left out with the reason; and what it costs."""

from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from outreach.campaigns.forecast import Forecast, LeftOut, forecast
from outreach.campaigns.outcome import OutcomeState, Reason
from outreach.notices import notice
from outreach.notices.house import House
from outreach.notices.notice import Channel
from outreach.notices.segments import Encoding
from outreach.people.custody import Custody
from tests.factories import make_contact, make_incident, make_person, make_rendition

HOUSE = House({"program": "Letter Line", "phone": "1-800-555-0199", "site": "notices.example.org"}, 3, Decimal("0.01"))


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
    return forecast(session, said.id, {"incidents": [str(incident.id)]}, {Channel.SMS: None}, house=HOUSE, segments_per_second=0.5)


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
    nobody = forecast(session, said.id, {"incidents": []}, {Channel.SMS: None}, house=HOUSE, segments_per_second=0)
    assert nobody.seconds is None
    assert (nobody.people, nobody.cost) == (0, Decimal(0))
