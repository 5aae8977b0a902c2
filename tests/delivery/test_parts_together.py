"""The parts of the engine do not defeat each other."""

import sqlalchemy as sa

from outreach.notices.channel import Channel
from tests.delivery.office import Office, office

__all__ = ["office"]


def test_a_days_limit_of_texts_and_mails_holds_back_no_paper(office: Office) -> None:
    ana = office.person()
    office.address(ana)
    office.launch(Channel.LETTER)
    office.session.execute(sa.text("update campaign set per_day = 5"))
    assert len(office.claim_letters()) == 1
