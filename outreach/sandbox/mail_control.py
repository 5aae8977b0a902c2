"""The control interface's part about mails: JSON under `/_sandbox/`, as in `outreach.sandbox.control_api`."""

import asyncio
import json

from aiohttp import web

from outreach.sandbox import mail_postman, mail_reading
from outreach.sandbox.control_api import BadRequest, guarded, json_object, listing
from outreach.sandbox.mail_key import public_key
from outreach.sandbox.state import State


async def webhook_key(_request: web.Request, state: State) -> web.StreamResponse:
    return web.json_response({"public_key": public_key(state.mail_key)})


async def mail(request: web.Request, state: State) -> web.StreamResponse:
    """The request as it came, to look at every byte of it."""
    await state.books.committed()
    body = await asyncio.to_thread(mail_reading.request, state.config.books, request.match_info["id"])
    if body is None:
        raise BadRequest("There is no mail with this id.")
    return web.json_response(json.loads(body))


async def answer(request: web.Request, state: State) -> web.StreamResponse:
    """A mailbox answers the last mail it got: `{"body": …, "machine": false, "attachment": false}`."""
    facts = await json_object(request)
    body, machine, attachment = facts.get("body"), facts.get("machine", False), facts.get("attachment", False)
    if not isinstance(body, str) or not body:
        raise BadRequest("An answer needs a body.")
    last = state.mails.latest(request.match_info["mailbox"])
    if last is None:
        raise BadRequest("This mailbox has got no mail that it could answer.")
    written = mail_postman.answer(state, last, body, machine=machine is True, attachment=attachment is True)
    await state.books.committed()
    return web.json_response({"id": written.id}, status=201)


def routes() -> list[web.RouteDef]:
    return [
        web.get("/_sandbox/mail-key", guarded(webhook_key)),
        web.get("/_sandbox/mails", guarded(listing(mail_reading.accepted))),
        web.get("/_sandbox/mails/{id}", guarded(mail)),
        web.get("/_sandbox/mail-events", guarded(listing(mail_reading.told))),
        web.post("/_sandbox/mailboxes/{mailbox}/answer", guarded(answer)),
    ]
