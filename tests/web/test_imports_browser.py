"""The pages of imports in a real browser, in every state: accessible by axe's rules, fitting the screen, usable by keyboard."""

import io
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from outreach import db
from outreach.access.accounts import Role
from outreach.access.audit import COMMAND
from outreach.access.sealing import Vault
from outreach.db import now
from outreach.people.roster import importing
from outreach.people.roster.imports import ImportState, QuarantinedRow, RosterImport
from outreach.people.roster.limits import Limits
from tests.factories import make_incident
from tests.web.browsing import Visit, address, browser, contexts, filled, server, visit, wrong_with

# pytest finds fixtures by name.
__all__ = ["address", "browser", "contexts", "server", "visit"]

pytestmark = pytest.mark.browser

ROSTER = """A-Number,Name,Native Name,Date of Birth,Custody,Language,Phone,Shoe size
A900000001,"SAMPLE, Layla",ليلى المثال,1990-04-13,released,Arabic,+12025550100,38
A900000002,Ana SAMPLE,,1990-02-30,detained,Klingonish,12,40
A900000003,李晨星,,1990,released,Chinese (Simplified),+12025550101,41
"""


@pytest.fixture
def sessions(clean_database: str, engine: sa.Engine, vault: Vault) -> sessionmaker[Session]:
    """Sessions that really commit: imports write with several at once."""
    return db.make_sessions(engine, vault)


@pytest.fixture
def imports(sessions: sessionmaker[Session]) -> dict[str, str]:
    """An import in each state, by state, and a row in quarantine."""
    today = now().date()
    found: dict[str, str] = {}

    def upload(content: str) -> RosterImport:
        with sessions.begin() as session:
            incident_id = make_incident(session).id
            return importing.upload(
                session, io.BytesIO(content.encode()), incident_id=incident_id, as_of=today, by=COMMAND, limits=Limits()
            )

    for name, content in (("ASKS", ROSTER.replace("1990-04-13", "03/04/1990")), ("CHECKED", ROSTER), ("DONE", ROSTER)):
        found[name] = str(upload(content).id)
        importing.check(sessions, UUID(found[name]), Limits(), today=today)
    importing.run(sessions, UUID(found["DONE"]), Limits(), today=today)
    found["UPLOADED"] = str(upload(ROSTER).id)
    found["RUNNING"], found["FAILED"] = str(upload(ROSTER).id), str(upload(ROSTER).id)
    with sessions.begin() as session:
        running = session.scalars(sa.select(RosterImport).where(RosterImport.id == found["RUNNING"])).one()
        running.state, running.rows_done, running.rows_total = ImportState.RUNNING, 1_200, 6_252
        failed = session.scalars(sa.select(RosterImport).where(RosterImport.id == found["FAILED"])).one()
        failed.state, failed.report = ImportState.FAILED, {"failed": {"code": "quote_not_closed", "details": {"row": 52}}}
        found["ROW"] = str(session.scalars(sa.select(QuarantinedRow.id)).one())
    return found


PAGES = {
    "list": "/imports",
    "upload": "/imports/new",
    "waiting": "/imports/UPLOADED",
    "dates asked": "/imports/ASKS",
    "ready": "/imports/CHECKED",
    "running": "/imports/RUNNING",
    "done": "/imports/DONE",
    "failed": "/imports/FAILED",
    "rows": "/imports/DONE/rows",
    "row": "/imports/rows/ROW",
}


@pytest.mark.parametrize("locale", ["en", "es"])
def test_every_page_of_imports_is_accessible_and_fits_the_screen(visit: Visit, imports: dict[str, str], locale: str) -> None:
    assert wrong_with(visit("/", Role.OFFICER, locale=locale), filled(PAGES, imports), axe=locale == "en") == {}


def test_a_roster_is_imported_in_the_browser(visit: Visit, sessions: sessionmaker[Session], tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    file.write_text(ROSTER)
    page = visit("/imports/new", Role.OFFICER)
    page.get_by_label("File").set_input_files(file)
    page.get_by_label("Code").fill("T-9")
    page.get_by_label("Title").fill("Test")
    page.get_by_role("button", name="Upload").focus()
    page.keyboard.press("Enter")
    page.get_by_text("is being looked through").wait_for()
    with sessions() as session:
        import_id = session.scalars(sa.select(RosterImport.id)).one()
    importing.check(sessions, import_id, Limits(), today=now().date())
    page.get_by_role("button", name="Import these people").click()  # the page has loaded itself again
    page.get_by_text("You may leave this page").wait_for()
    importing.run(sessions, import_id, Limits(), today=now().date())
    page.get_by_role("link", name="Correct them").click()
    page.get_by_role("link", name="Correct row 3").click()
    for label, text in (("Date of Birth", "1990-02-28"), ("Language", "Spanish"), ("Phone", "")):
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_role("button", name="Import this row").click()
    page.get_by_text("No row of this import waits").wait_for()
