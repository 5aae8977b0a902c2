"""The way in for tests and demonstrations, apart from Twilio's protocol: JSON under `/_sandbox/`, its own token."""

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from outreach.sandbox import mail_reading, phones, reading
from outreach.sandbox.faults import RuleError, parse
from outreach.sandbox.requests import phone
from outreach.sandbox.state import STATE, State, same

Handler = Callable[[web.Request, State], Awaitable[web.StreamResponse]]
Listing = Callable[..., list[dict[str, Any]]]

CHUNK = 5000


class BadRequest(ValueError):
    """A control request that cannot be done as written, with a sentence that says why."""


def guarded(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Asks for the control token and turns mistakes into sentences."""

    async def check(request: web.Request) -> web.StreamResponse:
        state = request.app[STATE]
        if not same(request.headers.get("Authorization", ""), f"Bearer {state.config.control_token}"):
            return web.json_response({"error": "The control token is missing or wrong."}, status=401)
        try:
            return await handler(request, state)
        except (BadRequest, RuleError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return check


async def health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def list_rules(_request: web.Request, state: State) -> web.StreamResponse:
    return web.json_response([{"id": number, **rule.spec()} for number, rule in state.rules.all().items()])


async def add_rule(request: web.Request, state: State) -> web.StreamResponse:
    number = state.rules.add(parse(await json_object(request)))
    await state.books.committed()
    return web.json_response({"id": number}, status=201)


async def remove_rules(request: web.Request, state: State) -> web.StreamResponse:
    number = request.match_info.get("id")
    state.rules.remove(int(number) if number else None)
    await state.books.committed()
    return web.json_response({})


async def answer(request: web.Request, state: State) -> web.StreamResponse:
    """A phone sends a text: `{"body": …, "to": … or nothing}`."""
    number = phone(request.match_info["number"])
    facts = await json_object(request)
    body = facts.get("body")
    if number is None:
        raise BadRequest("The phone is not a number in the form +12025550123.")
    if not isinstance(body, str) or not body:
        raise BadRequest("An answer needs a body.")
    to = facts.get("to")
    message = phones.answer(state, number, body, to=str(to) if to else None)
    await state.books.committed()
    return web.json_response({"sid": message.sid}, status=201)


async def show_dials(_request: web.Request, state: State) -> web.StreamResponse:
    return web.json_response(dataclasses.asdict(state.dials))


async def turn_dials(request: web.Request, state: State) -> web.StreamResponse:
    facts = await json_object(request)
    known = {field.name: field.type for field in dataclasses.fields(state.dials)}
    for name, value in facts.items():
        if name not in known:
            raise BadRequest(f"There is no dial {name}. There are: {', '.join(known)}.")
        if not _fits(known[name], value):
            raise BadRequest(f"The dial {name} cannot be set to that value.")
    for name, value in facts.items():
        setattr(state.dials, name, value)
    return await show_dials(request, state)


def _fits(kind: object, value: object) -> bool:
    if kind is bool:
        return isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value is None or isinstance(value, str)


async def summary(_request: web.Request, state: State) -> web.StreamResponse:
    await state.books.committed()
    books = state.config.books
    totals = await asyncio.to_thread(reading.summary, books)
    return web.json_response(totals | {"mail": await asyncio.to_thread(mail_reading.summary, books)})


async def quiet(_request: web.Request, state: State) -> web.StreamResponse:
    """Whether nothing is due, planned or in flight."""
    dues = (state.books.next_due(), state.letters.next_due(), state.mails.next_due())
    waiting = min((at for at in dues if at is not None), default=None)
    return web.json_response({"quiet": waiting is None, "in_flight": len(state.in_flight), "next_due": waiting})


def listing(read: Listing) -> Handler:
    """Streams a listing line by line, so that a million rows need no more memory than a few thousand."""

    async def stream(request: web.Request, state: State) -> web.StreamResponse:
        await state.books.committed()
        after = int(request.query.get("after", "0"))
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        while rows := await asyncio.to_thread(read, state.config.books, after=after, limit=CHUNK):
            after = rows[-1]["n"]
            await response.write("".join(json.dumps(row) + "\n" for row in rows).encode())
        await response.write_eof()
        return response

    return stream


async def reset(_request: web.Request, state: State) -> web.StreamResponse:
    """New books and no rules; the dials stay."""
    state.rules.remove()
    state.books.empty()
    await state.books.committed()
    return web.json_response({})


async def json_object(request: web.Request) -> dict[str, Any]:
    """Raises BadRequest."""
    try:
        facts = await request.json()
    except ValueError as error:
        raise BadRequest("The request is not JSON.") from error
    if not isinstance(facts, dict):
        raise BadRequest("The request is not a JSON object.")
    return facts


def routes() -> list[web.RouteDef]:
    return [
        web.get("/_sandbox/health", health),
        web.get("/_sandbox/rules", guarded(list_rules)),
        web.post("/_sandbox/rules", guarded(add_rule)),
        web.delete("/_sandbox/rules", guarded(remove_rules)),
        web.delete(r"/_sandbox/rules/{id:\d+}", guarded(remove_rules)),
        web.post("/_sandbox/phones/{number}/answer", guarded(answer)),
        web.get("/_sandbox/dials", guarded(show_dials)),
        web.patch("/_sandbox/dials", guarded(turn_dials)),
        web.get("/_sandbox/summary", guarded(summary)),
        web.get("/_sandbox/quiet", guarded(quiet)),
        web.get("/_sandbox/messages", guarded(listing(reading.accepted))),
        web.get("/_sandbox/callbacks", guarded(listing(reading.callbacks))),
        web.post("/_sandbox/reset", guarded(reset)),
    ]
