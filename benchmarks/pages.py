"""Every page of the panel, fetched as somebody at a desk fetches it: over HTTP, from gunicorn, signed in as a supervisor.

Each route that answers a GET is either fetched here or named in NO_PAGE with the reason. One that is neither, or of which there is
nothing to show, ends the measurement: no page can be forgotten.
"""

import http.client
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import quantiles
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg
from flask import Flask

from benchmarks.background import signed_in
from benchmarks.ground import Place
from outreach.access.sealing import Vault
from outreach.delivery import mail_address
from outreach.delivery.mail_address import Purpose
from outreach.people.contact import VALUE
from outreach.web import create_app

WARM = 20  # fetches at most before anything is measured: imports and first connections are no part of what a page costs

NO_PAGE = {
    "static": "a file, which a web server in front gives out",
    "print_room.manifest_csv": "a download",
    "print_room.counts": "reads a whole PDF back, for seconds, whatever else there is; the page of the run asks for it by itself",
}

GREAT = "select id from campaign where title = 'Benchmark'"
DRAFT = "select id from campaign where state = 'draft'"
PAPER = "select id from campaign where title = 'Benchmark of letters'"
CHECKED = "select id from roster_import where state = 'checked'"
RUNNING = "select id from roster_import where state = 'running'"
DONE = "select id from roster_import where state = 'done'"
MADE = "select id from print_run where kind = 'post' and state = 'made'"
# A person with all that a file can have: an attorney, texts, a letter.
CLIENT = """
    from representation r join letter l on l.person_id = r.person_id
    where r.verified_at is not null and r.ended_at is null order by r.id limit 1
"""
OFFICE = "select attorney_id from representation group by attorney_id order by count(*) desc, attorney_id limit 1"

# For each part of an address a statement that gives it.
PARTS = {
    "campaign_id": GREAT,
    "person_id": f"select r.person_id {CLIENT}",
    "contact_point_id": f"""
        select contact_point_id from person_contact where person_id = (select r.person_id {CLIENT}) limit 1
    """,  # noqa: S608  # of the constant above
    "attorney_id": OFFICE,
    "representation_id": f"select r.id {CLIENT}",
    "step_id": "select id from step where added_at is not null",
    "notice_id": "select notice_id from rendition where channel = 'sms' and language = 'es' and state = 'approved' limit 1",
    "channel": "select 'sms'",
    "language": "select 'es'",
    "version": "select 1",
    "custody": "select 'detained'",
    "facility_id": "select facility_id from person where facility_id is not null limit 1",
    "import_id": CHECKED,
    "row_id": "select id from quarantined_row order by id limit 1",
    "run_id": MADE,
    "reply_id": "select id from reply where handled_at is null order by id limit 1",
    "task_id": "select id from task where kind = 'exhausted' and closed_at is null order by id limit 1",
    "provider": "select provider from book_difference limit 1",
    "day": "select day from book_difference limit 1",
}

# What one page needs other than that; what is no part of its address stands in its query.
OTHERWISE = {
    "campaigns.edit": {"campaign_id": DRAFT},
    "campaigns.live": {"state": "select 'running'"},
    "imports.live": {"import_id": RUNNING, "state": "select 'running'"},
    "imports.rows": {"import_id": DONE},
    "packets.show": {"run_id": "select id from print_run where kind = 'hand'"},
    "undecided.show": {"task_id": "select id from task where kind = 'undecided' order by id limit 1"},
    "contacts.new": {"kind": "select 'post'"},
    "notices.preview": {"channel": "select 'email'"},  # A text has none, and that of a letter is a PDF.
}

# Pages that show something else at another address, or by another filter.
AGAIN = (
    ("campaigns.show", {"campaign_id": DRAFT}, "a draft"),
    ("campaigns.show", {"campaign_id": PAPER}, "letters"),
    ("notices.text", {"channel": "select 'letter'"}, "a letter"),
    ("imports.show", {"import_id": DONE}, "done"),
    ("imports.show", {"import_id": RUNNING}, "running"),
    ("print_room.show", {"run_id": "select run_id from letter where state = 'returned' limit 1"}, "handed over"),
    ("people.index", {"outcome": "select 'exhausted'", "campaign": GREAT}, "not reached"),
    ("people.index", {"outcome": "select 'told'", "campaign": GREAT}, "told"),
    ("people.index", {"custody": "select 'detained'"}, "detained"),
    ("attorneys.index", {"show": "select 'waiting'"}, "to verify"),
    ("replies.index", {"show": "select 'waiting'"}, "waiting"),
    ("replies.index", {"show": "select 'all'"}, "all"),
    ("tasks.index", {"kind": "select 'exhausted'", "campaign": GREAT}, "of a campaign"),
    ("audit.index", {"action": "select 'campaign.launch'"}, "a rare action"),
    ("audit.index", {"page": "select 100"}, "page 100"),
)

# Searches are posted so that what is searched for stands in no address. Not by name: that opens every sealed name, as docs/scale.md
# says, and takes seconds among a million.
SEARCHES = (
    ("people.index", "people.find", "a_number"),
    ("people.index", "people.find", "phone"),
    ("attorneys.index", "attorneys.find", "eoir_id"),
    ("attorneys.index", "attorneys.find", "email"),
)


AN_A_NUMBER = """
    select a.id, a.value_sealed, k.subject_id, k.version, k.wrapped
    from a_number a join data_key k on k.subject_id = a.person_id limit 1
"""
# Of somebody who was imported: the others' are in area codes that nobody has, which cannot be typed into a search.
A_PHONE = """
    select cp.id, cp.value_sealed, k.subject_id, k.version, k.wrapped
    from exposure e join person_contact pc on pc.person_id = e.person_id
    join contact_point cp on cp.id = pc.contact_point_id and cp.kind = 'phone' join data_key k on k.subject_id = cp.id
    where e.import_id is not null limit 1
"""


class LeftOut(Exception):
    """A page was not measured, so that the run says nothing about every page."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A page to fetch. `form` is posted with the token that `form_on` carries."""

    name: str
    path: str
    form: Mapping[str, str] | None = None
    form_on: str = ""
    signed_in: bool = True


def measure(place: Place, port: int, fetches: int, say: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """Milliseconds of each page, by its pattern: the first fetch of all, and the median and 95th percentile of those after it.

    Raises LeftOut.
    """
    browser = Browser(port, signed_in(place))
    with place.connect() as connection:
        visits = _visits(create_app(place.machine.settings, place.machine.sessions), connection, place.machine.vault)
    for _ in range(min(WARM, fetches)):
        browser.fetch(visits[0])
    found = {}
    for visit in visits:
        first, *taken = [browser.fetch(visit) for _ in range(1 + fetches)]
        found[visit.name] = {"first": first, "median": quantiles(taken, n=2)[0], "95th": quantiles(taken, n=20)[-1]}
        told = ", ".join(f"{part} {value:.0f}" for part, value in found[visit.name].items())
        say(f"  {visit.name}: {told} ms")
    browser.close()
    return found


def _visits(app: Flask, connection: psycopg.Connection, vault: Vault) -> list[Visit]:
    visits = []
    with app.test_request_context():

        def add(endpoint: str, other: Mapping[str, str], note: str = "") -> None:
            rule = next(rule for rule in app.url_map.iter_rules(endpoint) if "GET" in (rule.methods or ()))
            wanted = {part: PARTS.get(part) for part in rule.arguments} | dict(other)
            values: dict[str, Any] = {part: _asked(connection, rule.rule, part, statement) for part, statement in wanted.items()}
            visits.append(Visit(f"{rule} ({note})" if note else str(rule), app.url_for(endpoint, **values)))

        pages = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())} - set(NO_PAGE)
        own = {"mail_stop.show", "auth.show"}
        for endpoint in sorted(pages - own):
            add(endpoint, OTHERWISE.get(endpoint, {}))
        for endpoint, other, note in AGAIN:
            add(endpoint, other, note)
        visits.append(Visit("/sign-in", app.url_for("auth.show"), signed_in=False))
        attempt = UUID(_asked(connection, "/mail/stop", "code", "select id from attempt where channel = 'email' limit 1"))
        code = mail_address.sign(vault, Purpose.UNSUBSCRIBE, attempt)
        visits.append(Visit("/mail/stop/<code>", app.url_for("mail_stop.show", code=code), signed_in=False))
        typed = {
            "a_number": _some_number(connection, vault, "a_number.value", AN_A_NUMBER),
            "phone": _some_number(connection, vault, VALUE, A_PHONE), "eoir_id": "YY000001", "email": "counsel.1@example.org",
        }  # fmt: skip
        for form_on, endpoint, by in SEARCHES:
            form = {"by": by, "words": typed[by]}
            visits.append(Visit(f"{app.url_for(endpoint)} by {by}", app.url_for(endpoint), form, app.url_for(form_on)))
    return visits


def _asked(connection: psycopg.Connection, rule: str, part: str, statement: str | None) -> str:
    row = connection.execute(statement).fetchone() if statement else None
    if row is None:
        raise LeftOut(f"There is nothing to fill <{part}> of {rule} with. Put it beside the campaign, or say that this is no page.")
    return str(row[0])


def _some_number(connection: psycopg.Connection, vault: Vault, context: str, statement: str) -> str:
    row = connection.execute(statement).fetchone()
    if row is None:
        raise LeftOut(f"There is no {context} to search for.")
    row_id, sealed, subject, version, wrapped = row
    return vault.open_key(subject, version, wrapped).open(context, row_id, sealed)


class Browser:
    """One connection that is kept, with the cookies of a supervisor."""

    def __init__(self, port: int, token: str) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self._cookies = {"outreach": token}
        self._tokens: dict[str, str] = {}

    def fetch(self, visit: Visit) -> float:
        """Milliseconds. Raises LeftOut where this is no page."""
        if visit.form is None:
            return self._ask("GET", visit)[0]
        if visit.form_on not in self._tokens:
            _, text = self._ask("GET", Visit(visit.form_on, visit.form_on))
            token = re.search(r'name="csrf_token" value="([^"]+)"', text)
            if token is None:
                raise LeftOut(f"{visit.form_on} has no form.")
            self._tokens[visit.form_on] = token[1]
        return self._ask("POST", visit, urlencode({**visit.form, "csrf_token": self._tokens[visit.form_on]}))[0]

    def close(self) -> None:
        self._link.close()

    def _ask(self, method: str, visit: Visit, body: str | None = None) -> tuple[float, str]:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        if visit.signed_in:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        began = time.perf_counter()
        self._link.request(method, visit.path, body, headers)
        answer = self._link.getresponse()
        text = answer.read().decode()
        taken = 1000 * (time.perf_counter() - began)
        if answer.status != 200 or not text or "text/html" not in (answer.getheader("Content-Type") or ""):
            raise LeftOut(f"{visit.name} answered {answer.status} with {len(text)} characters: it was not measured.")
        if visit.signed_in:
            for given in answer.msg.get_all("Set-Cookie") or ():
                name, _, value = given.partition(";")[0].partition("=")
                self._cookies[name] = value
        return taken, text
