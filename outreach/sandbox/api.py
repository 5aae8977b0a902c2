"""Twilio's REST API for messages: create, fetch, list, redact, cancel and delete.

https://www.twilio.com/docs/messaging/api/message-resource
"""

import asyncio
import base64
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from outreach.sandbox import life, population
from outreach.sandbox.books import Errand, Message
from outreach.sandbox.errors import Refusal
from outreach.sandbox.faults import BEFORE_ACCEPTING, ON_CALLBACKS, ON_CREATE, Fault, Rule
from outreach.sandbox.requests import Draft, draft
from outreach.sandbox.resource import VERSION, page, resource
from outreach.sandbox.state import STATE, State, same

Handler = Callable[[web.Request, State], Awaitable[web.StreamResponse]]

FINAL = frozenset({"sent", "delivered", "undelivered", "failed", "received", "canceled", "read"})
OWN_COLUMNS = frozenset({"To", "From", "MessagingServiceSid", "Body", "StatusCallback"})


def authenticated(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Lets only the one account in, and turns refusals into Twilio's JSON."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        state = request.app[STATE]
        try:
            _authenticate(request, state)
            return await handler(request, state)
        except Refusal as refusal:
            return _refused(refusal)

    return guarded


def _authenticate(request: web.Request, state: State) -> None:
    config = state.config
    pair = base64.b64encode(f"{config.account_sid}:{config.auth_token}".encode()).decode()
    if not same(request.headers.get("Authorization", ""), f"Basic {pair}"):
        raise Refusal(20003)
    if request.match_info["account"] != config.account_sid:
        raise Refusal(20404, path=request.path)


def _answer(body: str, status: int, headers: dict[str, str] | None = None) -> web.Response:
    request_id = {"Twilio-Request-Id": f"RQ{secrets.token_hex(16)}"}
    return web.Response(
        text=body,
        status=status,
        content_type="application/json",
        headers=request_id | headers if headers else request_id,
    )


def _refused(refusal: Refusal, headers: dict[str, str] | None = None) -> web.Response:
    if refusal.code == 20003:
        headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'}
    return _answer(refusal.body(), refusal.http_status, headers)


async def create(request: web.Request, state: State) -> web.StreamResponse:
    raw = (await request.read()).decode("utf-8", "replace")
    form = dict(parse_qsl(raw, keep_blank_values=True))
    to = form.get("To", "")
    struck = state.rules.striking(ON_CREATE, to)
    rule = struck[0] if struck else None
    if rule and rule.fault in BEFORE_ACCEPTING:
        return await _turned_away(request, state, rule, to, raw)
    try:
        message = _accept(state, draft(form), form, rule)
    except Refusal as refusal:
        state.books.refuse(to=to, reason="refused", http_status=refusal.http_status, code=refusal.code, form=raw)
        await state.books.committed()
        raise
    await state.books.committed()
    answer = json.dumps(resource(state.config.account_sid, message))
    return _answer(answer, 201) if rule is None else await _spoiled(request, rule, answer)


def _accept(state: State, wanted: Draft, form: dict[str, str], rule: Rule | None) -> Message:
    """Writes the text and the plan of its life into the books; raises Refusal."""
    sender = wanted.from_ or state.config.default_number
    if wanted.from_ and not state.senders_accept(wanted.from_):
        raise Refusal(21606, from_=wanted.from_)
    books, config, dials = state.books, state.config, state.dials
    code = population.refusal(config.seed, wanted.to) if dials.population else None
    if code or books.blocked(wanted.to, sender):
        books.ask_again(wanted.to)
        raise Refusal(code or 21610, to=wanted.to)
    fates = state.rules.striking(frozenset({Fault.FATE}), wanted.to)
    spoilers = state.rules.striking(ON_CALLBACKS, wanted.to)
    nth = books.asked(wanted.to) if dials.population else 0
    scheduled = wanted.send_at is not None
    message = books.add(
        direction="outbound-api",
        to=wanted.to,
        from_=wanted.from_,
        service=wanted.service,
        body=wanted.body,
        original=wanted.original,
        segments=wanted.segments,
        status="scheduled" if scheduled else "accepted" if wanted.service else "queued",
        callback=wanted.callback,
        form=json.dumps({name: value for name, value in form.items() if name not in OWN_COLUMNS}, ensure_ascii=False),
        answer=rule.fault.value if rule else "created",
        asked=1,
    )
    fate = population.Fate()
    if fates:
        fate = population.Fate(fates[0].status, fates[0].code)
    elif dials.population:
        fate = population.fate(config.seed, wanted.to)
    start = wanted.send_at if wanted.send_at is not None else message.created
    planned = life.steps(
        fate,
        start=start,
        delay=dials.status_delay_ms / 1000,
        expires=start + wanted.validity if wanted.validity else None,
    )
    errands = life.errands(planned, spoilers, told=wanted.callback is not None)
    if dials.population and planned[-1].status == "delivered":
        text = population.answer(config.seed, wanted.to, wanted.body, nth)
        if text is not None:
            at = planned[-1].at + dials.reply_delay_ms / 1000
            errands.append(Errand("reply", None, None, at, 0, 0, body=text))
    books.plan(message.n, errands)
    return message


async def _turned_away(request: web.Request, state: State, rule: Rule, to: str, raw: str) -> web.StreamResponse:
    """A fault before the text is accepted. The books keep the request all the same."""
    codes = {Fault.REFUSE: rule.code or 20001, Fault.RATE_LIMIT: 20429, Fault.ERROR_BEFORE: 20500}
    dropped = rule.fault is Fault.DROP_BEFORE
    refusal = None if dropped else Refusal(codes[rule.fault], http_status=rule.http_status, to=to)
    state.books.ask_again(to)
    state.books.refuse(
        to=to,
        reason=rule.fault.value,
        http_status=refusal.http_status if refusal else None,
        code=refusal.code if refusal else None,
        form=raw,
    )
    await state.books.committed()
    if refusal is None:
        return _dropped(request)
    return _refused(refusal, {"Retry-After": str(rule.retry_after)} if rule.retry_after is not None else None)


async def _spoiled(request: web.Request, rule: Rule, answer: str) -> web.StreamResponse:
    """The text is accepted and in the books; only the answer goes wrong."""
    match rule.fault:
        case Fault.DROP_AFTER:
            return _dropped(request)
        case Fault.ERROR_AFTER:
            return _refused(Refusal(20500, http_status=rule.http_status))
        case Fault.TRUNCATED:
            return _answer(answer[: len(answer) // 2], 201)
        case Fault.CUT_OFF:
            response = web.StreamResponse(status=201, headers={"Content-Length": str(len(answer.encode()))})
            response.content_type = "application/json"
            await response.prepare(request)
            await response.write(answer.encode()[: len(answer) // 2])
            _dropped(request)
            return response
        case Fault.WRONG_TYPE:
            return web.Response(text="<html><body>Created</body></html>", status=201, content_type="text/html")
        case Fault.NO_SID:
            fields = json.loads(answer)
            return _answer(json.dumps({name: value for name, value in fields.items() if name != "sid"}), 201)
        case _:
            await asyncio.sleep(rule.ms / 1000)
            return _answer(answer, 201)


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _found(request: web.Request, state: State) -> Message:
    _reading(state, request)
    message = state.books.find(request.match_info["sid"])
    if message is None or message.direction == "carrier":
        raise Refusal(20404, path=request.path)
    return message


def _reading(state: State, request: web.Request) -> None:
    """Lets a read fail where a rule says so; its pattern is matched with the phone that is asked for, if any."""
    struck = state.rules.striking(frozenset({Fault.READ_ERROR}), request.query.get("To", ""))
    if struck:
        raise Refusal(struck[0].code or 20500, http_status=struck[0].http_status)


async def fetch(request: web.Request, state: State) -> web.StreamResponse:
    return _answer(json.dumps(resource(state.config.account_sid, _found(request, state))), 200)


async def update(request: web.Request, state: State) -> web.StreamResponse:
    message = _found(request, state)
    form = dict(parse_qsl((await request.read()).decode("utf-8", "replace"), keep_blank_values=True))
    if "Status" in form:
        if form["Status"] != "canceled":
            raise Refusal(20001)
        if message.status != "scheduled":
            raise Refusal(30409)
        state.books.cancel(message)
        state.books.plan(message.n, [Errand("status", "canceled", None, time.time(), 0, int(message.callback is not None))])
    if "Body" in form:
        if form["Body"]:  # Only an empty body is allowed: a text that was sent cannot be changed.
            raise Refusal(20001)
        if message.status not in FINAL:
            raise Refusal(20009)
        state.books.redact(message)
    await state.books.committed()
    return await fetch(request, state)


async def delete(request: web.Request, state: State) -> web.StreamResponse:
    message = _found(request, state)
    if message.status not in FINAL:
        raise Refusal(20009)
    state.books.delete(message)
    await state.books.committed()
    return web.Response(status=204)


async def list_messages(request: web.Request, state: State) -> web.StreamResponse:
    query = request.query
    _reading(state, request)
    size = _number(query.get("PageSize"), 50)
    size = min(max(size, 1), 1000)
    number = max(_number(query.get("Page"), 0), 0)
    token = query.get("PageToken", "")
    place = _place(token)
    sent_from, sent_until = _sent_between(query)
    backwards = token.startswith("PB")
    messages = state.books.page(
        to=query.get("To"),
        from_=query.get("From"),
        sent_from=sent_from,
        sent_until=sent_until,
        older_than=None if backwards else place,
        newer_than=place if backwards else None,
        limit=size + 1,
    )
    # One more than asked for tells whether a page follows; read backwards, the spare one is the newest.
    more = backwards or len(messages) > size
    shown = messages[-size:] if backwards else messages[:size]
    filters = {name: query[name] for name in ("To", "From", "DateSent", "DateSent<", "DateSent>") if name in query}
    listed = page(state.config.account_sid, shown, query=filters, size=size, number=number, more=more)
    return _answer(json.dumps(listed), 200)


def _number(value: str | None, default: int) -> int:
    try:
        return default if value is None else int(value)
    except ValueError as error:
        raise Refusal(20001) from error


def _place(token: str) -> int | None:
    """The number in the books of the text after (PA) or before (PB) which a page begins."""
    if not token:
        return None
    try:
        return int(token[-12:], 16)
    except ValueError as error:
        raise Refusal(20001) from error


def _sent_between(query: Any) -> tuple[float | None, float | None]:
    """Seconds from and until (exclusive). Twilio reads `DateSent>` as on or after, `DateSent<` as on or before."""
    earliest: list[float] = []
    latest: list[float] = []
    for name in ("DateSent", "DateSent>", "DateSent<"):
        if name not in query:
            continue
        start, end = _span(query[name])
        if name == "DateSent":
            start, end = _span(query[name][:10])
        if name != "DateSent<":
            earliest.append(start)
        if name != "DateSent>":
            latest.append(end)
    return max(earliest, default=None), min(latest, default=None)


def _span(value: str) -> tuple[float, float]:
    """The second or the day that a date means."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        raise Refusal(20001) from error
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    length = timedelta(days=1) if len(value) == 10 else timedelta(seconds=1)
    return at.timestamp(), (at + length).timestamp()


async def list_media(request: web.Request, state: State) -> web.StreamResponse:
    """No text here carries pictures."""
    message = _found(request, state)
    uri = f"/{VERSION}/Accounts/{state.config.account_sid}/Messages/{message.sid}/Media.json"
    empty = {"media_list": [], "page": 0, "page_size": 50, "start": 0, "end": 0, "uri": uri, "first_page_uri": uri}
    return _answer(json.dumps(empty | {"next_page_uri": None, "previous_page_uri": None}), 200)


async def account(_request: web.Request, state: State) -> web.StreamResponse:
    """What a check of the credentials asks for."""
    sid = state.config.account_sid
    facts = {"sid": sid, "friendly_name": "Sandbox", "status": "active", "type": "Full", "owner_account_sid": sid}
    return _answer(json.dumps(facts | {"uri": f"/{VERSION}/Accounts/{sid}.json"}), 200)


def routes() -> list[web.RouteDef]:
    base = f"/{VERSION}/Accounts/{{account}}"
    one = f"{base}/Messages/{{sid:[A-Za-z0-9]+}}.json"
    return [
        web.post(f"{base}/Messages.json", authenticated(create)),
        web.get(f"{base}/Messages.json", authenticated(list_messages)),
        web.get(one, authenticated(fetch)),
        web.post(one, authenticated(update)),
        web.delete(one, authenticated(delete)),
        web.get(f"{base}/Messages/{{sid:[A-Za-z0-9]+}}/Media.json", authenticated(list_media)),
        web.get(f"/{VERSION}/Accounts/{{account:[A-Za-z0-9]+}}.json", authenticated(account)),
    ]
