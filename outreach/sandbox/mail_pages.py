"""The mailboxes a person looks at: each with its mails as its owner would see them, and a box to answer."""

import asyncio
import email
import email.policy
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aiohttp import web

from outreach.sandbox import mail_postman, mail_reading
from outreach.sandbox.books import Errand
from outreach.sandbox.mail_books import Entry
from outreach.sandbox.mail_requests import ADDRESS
from outreach.sandbox.pages import HEADERS, LONGEST_ANSWER, PER_PAGE, changing, shown
from outreach.sandbox.state import State

LONGEST_CORRESPONDENCE = 30

PAGE = HEADERS | {"Content-Security-Policy": HEADERS["Content-Security-Policy"] + "; frame-src 'self'"}
# A mail brings styles of its own, and may hold anything. It is a document of its own rather than a `srcdoc`, which would be
# bound to the page's rule against inline styles. It may run nothing, load nothing, and be framed by these pages only.
FRAME = HEADERS | {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'"
}

WORDS = {
    "processed": "On its way",
    "deferred": "Put off by the receiving server",
    "delivered": "Delivered",
    "bounce": "Came back",
    "blocked": "Refused for now",
    "dropped": "Not sent: the address is on a list",
    "spamreport": "Reported as spam",
    "unsubscribe": "Delivered, then unsubscribed",
    "received": "Answer",
    "automatic": "Answer by a machine",
}
# The classes that pages have for statuses of texts.
LOOKS = {
    "processed": "sent", "deferred": "sent", "bounce": "undelivered", "blocked": "undelivered", "dropped": "failed",
    "spamreport": "undelivered", "unsubscribe": "delivered", "automatic": "received",
}  # fmt: skip
WHY = {
    "dropped": "This address has bounced: SendGrid drops what is sent to it.",
    "complained": "This mailbox has reported a mail as spam: SendGrid drops what is sent to it.",
    "optedout": "This mailbox has unsubscribed: SendGrid drops what is sent to it.",
}
MACHINE, FILE = "Out of office", "With a file"


@dataclass(frozen=True)
class Shown:
    """A mail as the page shows it."""

    entry: Entry
    text: str
    html: bool
    reply_to: str
    files: tuple[str, ...]
    one_click: bool


def _shown(entry: Entry, body: bytes) -> Shown:
    if entry.direction == "in":
        message = email.message_from_bytes(body, policy=email.policy.default)
        plain = message.get_body(("plain",))
        files = tuple(file.get_filename() or "unnamed" for file in message.iter_attachments())
        return Shown(entry, plain.get_content() if plain is not None else "", False, "", files, False)
    request: dict[str, Any] = json.loads(body)
    texts = {block["type"]: block["value"] for block in request["content"]}
    reply_to = (request.get("reply_to") or request["from"])["email"]
    one_click = "List-Unsubscribe-Post" in (request.get("headers") or {})
    return Shown(entry, texts.get("text/plain", ""), "text/html" in texts, reply_to, (), one_click)


def _page(state: State, template: str, status: int = 200, **facts: object) -> web.Response:
    text = state.templates.get_template(template).render(WORDS=WORDS, LOOKS=LOOKS, **facts)
    return web.Response(text=text, content_type="text/html", status=status, headers=PAGE)


async def list_mailboxes(request: web.Request, state: State) -> web.StreamResponse:
    search = request.query.get("q", "").strip()[:100]
    given = request.query.get("page", "1")
    number = max(int(given), 1) if given.isdigit() and len(given) < 9 else 1
    await state.books.committed()
    count, listed = await asyncio.to_thread(
        mail_reading.mailbox_page, state.config.books, search=search, offset=(number - 1) * PER_PAGE, limit=PER_PAGE
    )
    pages = max(-(-count // PER_PAGE), 1)
    return _page(state, "mailboxes.html", mailboxes=listed, count=count, search=search, page=number, pages=pages)


def _address(request: web.Request) -> str | None:
    address = request.match_info["address"].casefold()
    return address if len(address) <= 254 and ADDRESS.fullmatch(address) else None


async def one_mailbox(request: web.Request, state: State) -> web.StreamResponse:
    address = _address(request)
    if address is None:
        return _page(state, "mailbox_missing.html", 404)
    await state.books.committed()
    books = state.config.books
    mails = await asyncio.to_thread(mail_reading.correspondence, books, address, limit=LONGEST_CORRESPONDENCE)
    suppressed = await asyncio.to_thread(mail_reading.suppression, books, address)
    return _page(
        state,
        "mailbox.html",
        address=address,
        mails=[_shown(entry, body) for entry, body in mails],
        why=WHY.get(suppressed or ""),
        longest=LONGEST_CORRESPONDENCE,
        quick=("1", "2", "9", "STOP", MACHINE, FILE),
    )


async def as_html(request: web.Request, state: State) -> web.StreamResponse:
    """One mail's HTML, for the frame on the page."""
    entry = state.mails.one(int(request.match_info["n"]))
    blocks = json.loads(state.mails.body(entry.n))["content"] if entry is not None and entry.direction == "out" else []
    html = next((block["value"] for block in blocks if block["type"] == "text/html"), "")
    return web.Response(text=html, content_type="text/html", headers=FRAME)


async def answer(request: web.Request, state: State) -> web.StreamResponse:
    form = await request.post()
    quick = str(form.get("quick") or "")
    text = {MACHINE: "I am out of the office.", FILE: "Please see the attached file."}.get(quick, quick)
    body = (text or str(form.get("body") or "")).strip()[:LONGEST_ANSWER]
    address = _address(request)
    last = state.mails.latest(address) if address else None
    if last is not None and body:
        mail_postman.answer(state, last, body, machine=quick == MACHINE, attachment=quick == FILE)
        await state.books.committed()
    return _back(request)


async def unsubscribe(request: web.Request, state: State) -> web.StreamResponse:
    """The button of a mail program, RFC 8058."""
    entry = state.mails.one(int(request.match_info["n"]))
    if entry is not None and entry.direction == "out":
        state.mails.plan(entry.n, [Errand("oneclick", None, None, time.time(), 0, 1)])
        await state.books.committed()
    return _back(request)


def _back(request: web.Request) -> web.Response:
    return web.Response(status=303, headers={"Location": f"/mailboxes/{quote(request.match_info['address'], safe='@')}"})


def routes() -> list[web.RouteDef]:
    return [
        web.get("/mailboxes", shown(list_mailboxes)),
        web.get("/mailboxes/{address}", shown(one_mailbox)),
        web.get(r"/mailboxes/{address}/{n:\d{1,15}}.html", shown(as_html)),
        web.post("/mailboxes/{address}/answer", changing(answer)),
        web.post(r"/mailboxes/{address}/{n:\d{1,15}}/unsubscribe", changing(unsubscribe)),
    ]
