"""The parts of the engine do not defeat each other."""

import pytest
import sqlalchemy as sa

from outreach import jobs
from outreach.delivery.projection import project
from outreach.notices.channel import Channel
from tests.delivery.office import Office, office
from tests.stage import Stage

__all__ = ["office"]


def test_a_days_limit_of_texts_and_mails_holds_back_no_paper(office: Office) -> None:
    ana = office.person()
    office.address(ana)
    office.launch(Channel.LETTER)
    office.session.execute(sa.text("update campaign set per_day = 5"))
    assert len(office.claim_letters()) == 1


def test_a_part_of_the_sweep_that_fails_keeps_no_other_from_running(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    for part in ("pulling.pull_moved", "reconcile.reconcile", "plan.revisit", "tally.renew"):
        monkeypatch.setattr(f"outreach.jobs.sweeping.{part}", broken)
    stage.cast(2)
    with pytest.raises(ZeroDivisionError):
        jobs.sweep_once(stage.machine)
    assert stage.states() == {"ready": 2}
    with stage.sessions.begin() as session:
        session.execute(sa.text("update message set state = 'submitting', attempts = 1"))
        session.execute(sa.text("update message set state = 'failed', reason = 'bad_contact'"))
        project(session, session.scalars(sa.text("select id from message")).all())
    with pytest.raises(ZeroDivisionError):
        jobs.sweep_once(stage.machine)
    assert stage.scalar("select count(*) from task where kind = 'exhausted'") == 2
