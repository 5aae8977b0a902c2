"""The audit log: who did what, and whether the log is whole."""

from uuid import UUID

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from outreach.access import accounts, audit
from outreach.access.accounts import Role
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff.base import Pages, page_number

pages = Blueprint("audit", __name__, url_prefix="/audit")

SIZE = 50


@pages.get("")
@allow(Role.AUDITOR, Role.SUPERVISOR)
def index() -> ResponseReturnValue:
    return _list()


@pages.post("/verify")
@allow(Role.AUDITOR, Role.SUPERVISOR)
def verify() -> ResponseReturnValue:
    """Walk the chain now, and show the newest entries under the result."""
    with panel().sessions.begin() as session:
        verified = audit.verify(session)
    with panel().sessions.begin() as session:
        audit.record(session, account().actor, "audit.verify", "audit", entries=verified.entries, holds=verified.problem is None)
    return _list(verified)


def _list(verified: audit.Verified | None = None) -> ResponseReturnValue:
    number = page_number()
    query = audit.Query(request.args.get("action") or None, _id("actor"), _id("object"))
    with panel().sessions.begin() as session:
        entries, total = audit.entries(session, query, limit=SIZE, offset=(number - 1) * SIZE)
        people = {found.id: found for found in accounts.everyone(session)}
        actions = audit.actions(session)
    return render_template(
        "staff/audit.html",
        entries=entries,
        pages=Pages(number, SIZE, min(total, audit.COUNTED) if query != audit.Query() else total),
        more=query != audit.Query() and total > audit.COUNTED,
        query=query,
        actions=actions,
        accounts=people,
        verified=verified,
        mistyped=bool(request.args.get("object", "").strip() and query.object_id is None),
    )


def _id(name: str) -> UUID | None:
    """An id that the address asks for; None for none, and for what is no id."""
    try:
        return UUID(request.args.get(name, "").strip())
    except ValueError:
        return None
