"""Replies: the inbox, one conversation a phone or mailbox, and whose it is."""

from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from outreach.access.accounts import Role
from outreach.delivery import inbox, reply
from outreach.delivery.inbox import Heard
from outreach.delivery.reply import NoReply, NotTheirs
from outreach.delivery.words import ReplyKind
from outreach.people.file import ProtectedRecord, Reader, RevealReason
from outreach.web.gate import allow
from outreach.web.panel import account, panel
from outreach.web.staff.base import Pages, page_number

pages = Blueprint("replies", __name__, url_prefix="/replies")

SIZE = 25
SHOW = ("needs_human", "waiting", "all")


@pages.get("")
@allow(Role.OFFICER, Role.SUPERVISOR)
def index() -> ResponseReturnValue:
    show, kind, number = request.args.get("show") or SHOW[0], request.args.get("kind") or None, page_number()
    if show not in SHOW or (kind is not None and kind not in set(ReplyKind)):
        abort(404)
    query = inbox.Query(waiting=show != "all", needs_human=show == "needs_human", kind=ReplyKind(kind) if kind else None)
    with panel().sessions.begin() as session:
        lines, total = inbox.conversations(session, query, limit=SIZE, offset=(number - 1) * SIZE)
        permit = inbox.ask_to_list(session, lines, by=_reader()) if lines else None
    senders = {}
    if permit:
        with panel().sessions.begin() as session:
            senders = inbox.senders(session, permit)
    return render_template(
        "staff/replies/index.html", lines=lines, senders=senders, pages=Pages(number, SIZE, min(total, inbox.COUNTED)),
        more=total > inbox.COUNTED, show=show, kind=kind,
    )  # fmt: skip


@pages.get("/<uuid:reply_id>")
@allow(Role.OFFICER, Role.SUPERVISOR)
def show(reply_id: UUID) -> ResponseReturnValue:
    return _conversation(reply_id)


@pages.post("/<uuid:reply_id>/show")
@allow(Role.OFFICER, Role.SUPERVISOR)
def reveal(reply_id: UUID) -> ResponseReturnValue:
    """The conversation with its number or address in full, for this one answer. Reloading the page asks again."""
    reason = request.form.get("reason", "")
    if reason not in set(RevealReason):
        abort(400, _("Choose why you need to see it in full. That is kept in the audit log."))
    return _conversation(reply_id, RevealReason(reason))


@pages.post("/<uuid:reply_id>/person")
@allow(Role.OFFICER, Role.SUPERVISOR)
def bind(reply_id: UUID) -> ResponseReturnValue:
    try:
        with panel().sessions.begin() as session:
            inbox.require_visible(session, reply_id, by=_reader())
            reply.bind(session, reply_id, UUID(request.form.get("person", "")), by=account())
    except NoReply:
        abort(404)
    except ProtectedRecord:
        abort(403, _protected())
    except ValueError:
        abort(400, _("Choose whose reply it is."))
    except NotTheirs:
        abort(409, _("This person does not use the phone or mailbox that the reply came from."))
    flash(_("Saved. It stands in this person's file now."), "success")
    return redirect(url_for(".show", reply_id=reply_id, _anchor=f"reply-{reply_id}"))


@pages.post("/<uuid:reply_id>/handled")
@allow(Role.OFFICER, Role.SUPERVISOR)
def handle(reply_id: UUID) -> ResponseReturnValue:
    try:
        with panel().sessions.begin() as session:
            inbox.require_visible(session, reply_id, by=_reader())
            reply.mark_handled(session, reply_id, by=account())
    except NoReply:
        abort(404)
    except ProtectedRecord:
        abort(403, _protected())
    flash(_("Marked as handled."), "success")
    return redirect(url_for(".show", reply_id=reply_id))


@pages.post("/<uuid:reply_id>/all-handled")
@allow(Role.OFFICER, Role.SUPERVISOR)
def handle_all(reply_id: UUID) -> ResponseReturnValue:
    """Everything in the conversation up to this reply, the newest that was shown. Leads back to the inbox, where the work is."""
    try:
        with panel().sessions.begin() as session:
            inbox.require_visible(session, reply_id, by=_reader())
            handled = inbox.mark_all_handled(session, reply_id, by=account())
    except NoReply:
        abort(404)
    except ProtectedRecord:
        abort(403, _protected())
    flash(ngettext("%(num)s reply is marked as handled.", "%(num)s replies are marked as handled.", handled), "success")
    return redirect(url_for(".index"))


def _reader() -> Reader:
    return Reader(account().actor, supervises=account().role == Role.SUPERVISOR)


def _protected() -> str:
    return str(_("This is about a protected person. Only a supervisor can open the conversation."))


def _conversation(reply_id: UUID, reason: RevealReason | None = None) -> ResponseReturnValue:
    try:
        with panel().sessions.begin() as session:
            permit = inbox.ask_to_open(session, reply_id, by=_reader(), reason=reason)
    except NoReply:
        abort(404)
    except ProtectedRecord:
        abort(403, _protected())
    with panel().sessions.begin() as session:
        conversation = inbox.open_conversation(session, permit)
    names = {user.person_id: user.brief.name or _("Erased record") for user in conversation.users}
    return render_template(
        "staff/replies/conversation.html", conversation=conversation, names=names, reasons=RevealReason, heard=Heard, asked=reply_id
    )
