"""PostGrid's REST API for letters: create, fetch, list, cancel. Addresses and fields as the `postgrid-python` package has them."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from outreach.sandbox import post_life
from outreach.sandbox.books import Errand
from outreach.sandbox.faults import BEFORE_ACCEPTING, ON_CALLBACKS, ON_CREATE, Fault, Rule
from outreach.sandbox.post_books import Letter, request_hash
from outreach.sandbox.post_resource import Refused, resource
from outreach.sandbox.state import STATE, State, same

Handler = Callable[[web.Request, State], Awaitable[web.StreamResponse]]

BASE = "/print-mail/v1/letters"
LARGEST_LETTER = 32 * 1024 * 1024
BRACKETED = re.compile(r"(\w+)\[(\w+)\]")
NEEDED = ("addressLine1", "countryCode")


def authenticated(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Lets only the account's key in, and turns refusals into PostGrid's JSON."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        state = request.app[STATE]
        try:
            _authenticate(request, state)
            return await handler(request, state)
        except Refused as refused:
            return web.json_response(refused.body(), status=refused.http_status)

    return guarded


def _authenticate(request: web.Request, state: State) -> None:
    key = state.config.post_api_key
    if not key or not same(request.headers.get("x-api-key", ""), key):
        raise Refused(401, "unauthorized_error", "The API key is missing or wrong.")


async def create(request: web.Request, state: State) -> web.StreamResponse:
    fields, pdf = await _asked(request)
    address = in_one_line(fields["to"])
    key = request.headers.get("Idempotency-Key") or None
    struck = state.rules.striking(ON_CREATE, address)
    state.books.ask_again(address)
    rule = struck[0] if struck else None
    try:
        if rule and rule.fault in BEFORE_ACCEPTING:
            return await _turned_away(request, state, rule, address)
        letter = _accept(state, fields, pdf, key=key, address=address, rule=rule)
    except Refused as refused:
        state.letters.refuse(address=address, http_status=refused.http_status, type_=refused.kind)
        await state.books.committed()
        raise
    await state.books.committed()
    return await _answered(request, rule, resource(letter))


async def _asked(request: web.Request) -> tuple[dict[str, Any], bytes]:
    """The fields, nested as in JSON, and the PDF. Only the upload of a PDF is known here: no HTML, no template."""
    form = await request.clone(client_max_size=LARGEST_LETTER).post()
    fields: dict[str, Any] = {}
    pdf = b""
    for name, value in form.items():
        if isinstance(value, web.FileField):
            with value.file as file:
                pdf = file.read() if name == "pdf" else pdf
        elif nested := BRACKETED.fullmatch(name):
            fields.setdefault(nested[1], {})[nested[2]] = str(value)
        else:
            fields[name] = str(value)
    for side in ("to", "from"):
        given = fields.get(side)
        if not isinstance(given, dict):
            raise Refused(400, "validation_error", f"{side} is no contact.")
        if not all(given.get(name) for name in NEEDED) or not (given.get("firstName") or given.get("companyName")):
            raise Refused(400, "validation_error", f"{side} is not a complete contact.")
    if not pdf.startswith(b"%PDF-"):
        raise Refused(400, "invalid_pdf_error", "The uploaded file is not a PDF.")
    return fields, pdf


def in_one_line(to: dict[str, str]) -> str:
    """As rules of faults are matched with it."""
    parts = (to.get(name, "") for name in ("addressLine1", "addressLine2", "city", "provinceOrState", "postalOrZip"))
    return "post:" + ", ".join(part for part in parts if part)


def _accept(state: State, fields: dict[str, Any], pdf: bytes, *, key: str | None, address: str, rule: Rule | None) -> Letter:
    """The letter, and the plan of its life, in the books. Under a key that was used before it is the letter of that time."""
    earlier = state.letters.under(key) if key else None
    if earlier is not None:
        if earlier.request_hash != request_hash(fields, pdf):
            raise Refused(422, "idempotency_error", "The Idempotency-Key was used for another request.")
        return earlier
    answer = rule.fault.value if rule else "created"
    letter = state.letters.add(key=key, address=address, fields=fields, pdf=pdf, answer=answer)
    fates = state.rules.striking(frozenset({Fault.FATE}), address)
    words = post_life.way(address, fates, seed=state.config.seed, population=state.dials.population)
    spoilers = state.rules.striking(ON_CALLBACKS, address)
    told = state.config.post_webhook_url is not None
    state.letters.plan(letter, post_life.errands(letter, words, spoilers, delay=state.dials.letter_delay_ms / 1000, told=told))
    return letter


async def _turned_away(request: web.Request, state: State, rule: Rule, address: str) -> web.StreamResponse:
    """A fault before the letter is accepted."""
    match rule.fault:
        case Fault.DROP_BEFORE:
            state.letters.refuse(address=address, http_status=None, type_=rule.fault.value)
            await state.books.committed()
            return _dropped(request)
        case Fault.RATE_LIMIT:
            state.letters.refuse(address=address, http_status=429, type_="too_many_requests_error")
            await state.books.committed()
            wait = {} if rule.retry_after is None else {"Retry-After": str(rule.retry_after)}
            body = Refused(429, "too_many_requests_error", "Too many requests.").body()
            return web.json_response(body, status=429, headers=wait)
        case Fault.REFUSE:
            raise Refused(rule.http_status or 422, "undeliverable_address_error", "The address cannot be delivered to.")
        case _:
            raise Refused(rule.http_status or 500, "internal_error", "Something went wrong.")


async def _answered(request: web.Request, rule: Rule | None, facts: dict[str, Any]) -> web.StreamResponse:
    """The letter is accepted and in the books; only the answer can still go wrong."""
    answer = json.dumps(facts)
    match rule.fault if rule else None:
        case Fault.DROP_AFTER:
            return _dropped(request)
        case Fault.ERROR_AFTER:
            status = (rule.http_status if rule else None) or 500
            return web.json_response(Refused(status, "internal_error", "Something went wrong.").body(), status=status)
        case Fault.TRUNCATED:
            return web.Response(text=answer[: len(answer) // 2], status=201, content_type="application/json")
        case Fault.CUT_OFF:
            response = web.StreamResponse(
                status=201, headers={"Content-Length": str(len(answer)), "Content-Type": "application/json"}
            )
            await response.prepare(request)
            await response.write(answer.encode()[: len(answer) // 2])
            _dropped(request)
            return response
        case Fault.WRONG_TYPE:
            return web.Response(text="<html><body>Created</body></html>", status=201, content_type="text/html")
        case Fault.NO_SID:
            return web.json_response({name: value for name, value in facts.items() if name != "id"}, status=201)
        case Fault.SLOW:
            await asyncio.sleep((rule.ms if rule else 0) / 1000)
    return web.json_response(facts, status=201)


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _found(request: web.Request, state: State) -> Letter:
    _reading(state)
    identity = request.match_info["id"]
    letter = state.letters.find(identity)
    if letter is None:
        raise Refused(404, "letter_not_found_error", f"Letter with ID {identity} was not found.")
    return letter


def _reading(state: State) -> None:
    struck = state.rules.striking(frozenset({Fault.READ_ERROR}), "post:")
    if struck:
        raise Refused(struck[0].http_status or 500, "internal_error", "Something went wrong.")


async def fetch(request: web.Request, state: State) -> web.StreamResponse:
    return web.json_response(resource(_found(request, state)))


async def cancel(request: web.Request, state: State) -> web.StreamResponse:
    """Only while it is `ready`. https://postgrid.readme.io/reference/tracking-your-orders"""
    letter = _found(request, state)
    if letter.status != "ready":
        raise Refused(400, "letter_not_cancellable_error", f"Letter is {letter.status}.")
    state.letters.drop_plan(letter, "cancelled")
    state.letters.move(letter, "cancelled", reason="user_initiated")
    told = int(state.config.post_webhook_url is not None)
    state.letters.plan(letter, [Errand("status", "cancelled", None, 0.0, 0, told)])
    await state.books.committed()
    return await fetch(request, state)


async def list_letters(request: web.Request, state: State) -> web.StreamResponse:
    """`search` is a string in quotes that stands in the letter, or JSON of fields, of which only metadata is understood here."""
    _reading(state)
    search = request.query.get("search", "").strip()
    if search.startswith("{"):
        wanted = json.loads(search).get("metadata", {})
        search = json.dumps(wanted).strip("{}")
    limit = min(max(int(request.query.get("limit", "10")), 1), 100)
    skip = max(int(request.query.get("skip", "0")), 0)
    count, found = state.letters.page(search=search.strip('"') if search.count('"') == 2 else search, skip=skip, limit=limit)
    data = [resource(letter) for letter in found]
    return web.json_response({"object": "list", "limit": limit, "skip": skip, "totalCount": count, "data": data})


def routes() -> list[web.RouteDef]:
    one = BASE + "/{id}"
    return [
        web.post(BASE, authenticated(create)),
        web.get(BASE, authenticated(list_letters)),
        web.get(one, authenticated(fetch)),
        web.delete(one, authenticated(cancel)),
        web.post(one + "/cancellation", authenticated(cancel)),
    ]
