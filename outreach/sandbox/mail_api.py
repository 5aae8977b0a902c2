"""SendGrid's REST API: send a mail, search the Email Activity.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send and
https://www.twilio.com/docs/sendgrid/api-reference/email-activity/filter-all-messages
"""

import asyncio
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from outreach.sandbox import life, mail_people
from outreach.sandbox.books import Errand
from outreach.sandbox.faults import BEFORE_ACCEPTING, ON_CALLBACKS, ON_CREATE, Fault, Rule
from outreach.sandbox.mail_books import Entry
from outreach.sandbox.mail_fates import FATES
from outreach.sandbox.mail_requests import Draft, Recipient, Refused, draft
from outreach.sandbox.state import STATE, State, same

Handler = Callable[[web.Request, State], Awaitable[web.StreamResponse]]

LARGEST_MAIL = 30 * 1024 * 1024
# What a rule for the fate of a text means for a mail.
OF_TEXTS = {"undelivered": "blocked", "failed": "dropped", "sent": "delivered"}
UNIQUE_ARGUMENT = re.compile(r"\(?unique_args\['([\w-]{1,100})'\]\s*=\s*\"([^\"]{0,200})\"\)?")
MESSAGE_ID = re.compile(r"\(?msg_id\s+LIKE\s+['\"]([^'\"%]{1,200})%['\"]\)?")
BETWEEN = re.compile(r"""\(?last_event_time\s+BETWEEN\s+TIMESTAMP\s+"([^"]{1,40})"\s+AND\s+TIMESTAMP\s+"([^"]{1,40})"\)?""")
NOT_DELIVERED = frozenset({"bounce", "blocked", "dropped"})


def authenticated(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Lets only the account's key in, and turns refusals into SendGrid's JSON."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        state = request.app[STATE]
        key = state.config.sendgrid_api_key
        if not key or not same(request.headers.get("Authorization", ""), f"Bearer {key}"):
            return _refused(Refused("The provided authorization grant is invalid, expired, or revoked", status=401))
        try:
            return await handler(request, state)
        except Refused as refused:
            return _refused(refused)

    return guarded


def _refused(refused: Refused, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(text=refused.body, status=refused.status, content_type="application/json", headers=headers)


async def send(request: web.Request, state: State) -> web.StreamResponse:
    raw = await request.clone(client_max_size=LARGEST_MAIL).read()
    try:
        wanted = draft(raw)
    except Refused as refused:
        state.mails.refuse(mailbox="", reason="refused", http_status=refused.status)
        await state.books.committed()
        raise
    mailbox = wanted.recipients[0].address
    struck = state.rules.striking(ON_CREATE, mailbox)
    rule = struck[0] if struck else None
    asked = {recipient.address: state.books.asked(recipient.address) for recipient in wanted.recipients}
    for address in asked:
        state.books.ask_again(address)  # The books count what was asked for a mailbox where they do for phones.
    try:
        if rule and rule.fault in BEFORE_ACCEPTING:
            return await _turned_away(request, state, rule, mailbox)
        message_id = _accept(state, wanted, raw, rule, asked)
    except Refused as refused:
        state.mails.refuse(mailbox=mailbox, reason="refused", http_status=refused.status)
        await state.books.committed()
        raise
    await state.books.committed()
    return await _answered(request, rule, message_id)


def _accept(state: State, wanted: Draft, raw: bytes, rule: Rule | None, asked: dict[str, int]) -> str:
    """Writes the mails of one request and the plans of their lives into the books; raises Refused, and then writes nothing."""
    seed, living = state.config.seed, state.dials.population
    fates = [_fate(state, recipient.address) for recipient in wanted.recipients]
    if mail_people.REFUSED in fates:
        place = fates.index(mail_people.REFUSED)
        raise Refused("Does not contain a valid address.", f"personalizations.{place}.to.0.email")
    message_id = secrets.token_urlsafe(16)
    for recipient, fate in zip(wanted.recipients, fates, strict=True):
        mail = state.mails.add(
            direction="out",
            mailbox=recipient.address,
            from_=wanted.from_,
            subject=wanted.subject,
            arguments=recipient.arguments,
            body=raw,
            text=wanted.text,
            fate=fate,
            answer=rule.fault.value if rule else "accepted",
            id_=message_id,
        )
        state.mails.plan(mail.n, _errands(state, mail, wanted, recipient, asked[recipient.address], seed=seed, living=living))
    return message_id


def _fate(state: State, address: str) -> str:
    ruled = state.rules.striking(frozenset({Fault.FATE}), address)
    if ruled:
        return OF_TEXTS.get(ruled[0].status, ruled[0].status)
    return state.mails.suppressed(address) or mail_people.fate(state.config.seed, address, population=state.dials.population)


def _errands(state: State, mail: Entry, wanted: Draft, recipient: Recipient, nth: int, *, seed: int, living: bool) -> list[Errand]:
    delay = state.dials.status_delay_ms / 1000
    events = FATES[mail.fate]
    # The place of an event among its mail's is kept as the errand's error, since it makes the event's id.
    planned = [life.Step(event, place, mail.created + delay * place) for place, event in enumerate(events)]
    spoilers = state.rules.striking(ON_CALLBACKS, recipient.address)
    errands = life.errands(planned, spoilers, told=state.dials.mail_events_url is not None)
    answered_at = planned[-1].at + state.dials.reply_delay_ms / 1000
    if mail.fate == "oneclick":
        errands.append(Errand("oneclick", None, None, answered_at, 0, 1))
    elif events[-1] == "delivered":
        reply = mail_people.reply(seed, recipient.address, wanted.text, nth, population=living)
        if reply is not None:
            facts = {"text": reply.text, "machine": reply.machine, "attachment": reply.attachment}
            errands.append(Errand("reply", None, None, answered_at, 0, 0, body=json.dumps(facts)))
    return errands


async def _turned_away(request: web.Request, state: State, rule: Rule, mailbox: str) -> web.StreamResponse:
    """A fault before the mail is accepted. A refusal with 400 is of the address; `http_status` may name another."""
    if rule.fault is Fault.DROP_BEFORE:
        state.mails.refuse(mailbox=mailbox, reason=rule.fault.value, http_status=None)
        await state.books.committed()
        return _dropped(request)
    headers: dict[str, str] = {}
    if rule.fault is Fault.RATE_LIMIT:
        refused = Refused("too many requests", status=429)
        reset = int(time.time()) + (rule.retry_after or 1)
        headers = {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
    elif rule.fault is Fault.REFUSE and (rule.http_status or 400) == 400:
        refused = Refused("Does not contain a valid address.", "personalizations.0.to.0.email")
    else:
        refused = Refused("Something went wrong.", status=rule.http_status or 500)
    state.mails.refuse(mailbox=mailbox, reason=rule.fault.value, http_status=refused.status)
    await state.books.committed()
    return _refused(refused, headers)


async def _answered(request: web.Request, rule: Rule | None, message_id: str) -> web.StreamResponse:
    """The mail is accepted and in the books; only the answer can still go wrong."""
    headers = {"X-Message-Id": message_id}
    match rule.fault if rule else None:
        case Fault.DROP_AFTER:
            return _dropped(request)
        case Fault.TRUNCATED | Fault.CUT_OFF:
            # The answer is a line and headers, so it breaks off in the middle of those.
            if request.transport is not None:
                request.transport.write(b"HTTP/1.1 202 Accepted\r\nX-Mess" if rule and rule.fault is Fault.CUT_OFF else b"HTTP/1")
                request.transport.close()
            return web.Response()
        case Fault.ERROR_AFTER:
            return _refused(Refused("Something went wrong.", status=(rule.http_status if rule else None) or 500))
        case Fault.WRONG_TYPE:
            return web.Response(text="<html><body>Accepted</body></html>", status=200, content_type="text/html")
        case Fault.NO_SID:
            return web.Response(status=202)
        case Fault.SLOW:
            await asyncio.sleep(rule.ms / 1000 if rule else 0)
    return web.Response(status=202, headers=headers)


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def activity(request: web.Request, state: State) -> web.StreamResponse:
    """The three searches that we need: by a mail's one custom argument, by the beginning of its id, and by the time of its latest
    event, both ends included. As in life there are no pages: who asks for more than the limit is not told the rest."""
    struck = state.rules.striking(frozenset({Fault.READ_ERROR}), "")
    if struck:
        raise Refused("Something went wrong.", status=struck[0].http_status or 500)
    query, given = request.query.get("query", ""), request.query.get("limit", "10")
    limit = int(given) if given.isascii() and given.isdigit() and len(given) < 5 else 0
    if not 1 <= limit <= 1000:
        raise Refused("limit must be greater than 0 and less than or equal to 1000", "limit")
    if by_argument := UNIQUE_ARGUMENT.fullmatch(query):
        found = state.mails.search("arguments = ?", (json.dumps({by_argument[1]: by_argument[2]}),), limit)
    elif by_id := MESSAGE_ID.fullmatch(query):
        # LIKE takes an underscore for any letter; here as there.
        found = state.mails.search("id LIKE ? || '%'", (by_id[1].split(".")[0],), limit)
    elif between := BETWEEN.fullmatch(query):
        # Whole seconds, as the answer has them.
        found = state.mails.search("CAST(updated AS INTEGER) BETWEEN ? AND ?", (_seconds(between[1]), _seconds(between[2])), limit)
    else:
        raise Refused("The query could not be parsed", "query")
    return web.json_response({"messages": [_activity(mail) for mail in found]})


def _seconds(stamp: str) -> int:
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError as error:
        raise Refused("The query could not be parsed", "query") from error
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def _activity(mail: Entry) -> dict[str, Any]:
    status = "not_delivered" if mail.status in NOT_DELIVERED else "processed"
    if mail.status in ("delivered", "spamreport", "unsubscribe"):
        status = "delivered"
    return {
        "from_email": mail.from_,
        "msg_id": suffixed(mail.id, mail.n),
        "subject": mail.subject,
        "to_email": mail.mailbox,
        "status": status,
        "opens_count": 0,
        "clicks_count": 0,
        "last_event_time": datetime.fromtimestamp(mail.updated, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def suffixed(message_id: str, number: int) -> str:
    """The id as events and the Email Activity have it."""
    return f"{message_id}.recvd-5f54b5d587-sandbox-1-{number:08X}-6.0"


async def scopes(_request: web.Request, _state: State) -> web.StreamResponse:
    """What a check of the key asks for."""
    return web.json_response({"scopes": ["mail.send", "messages.read"]})


def routes() -> list[web.RouteDef]:
    return [
        web.post("/v3/mail/send", authenticated(send)),
        web.get("/v3/messages", authenticated(activity)),
        web.get("/v3/scopes", authenticated(scopes)),
    ]
