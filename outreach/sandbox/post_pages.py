"""The letters that the mail house has: a page of them, each PDF to look at, and the way in for tests."""

import hashlib
import json
from pathlib import Path
from typing import Any

from aiohttp import web

from outreach.sandbox.books import Errand
from outreach.sandbox.control_api import BadRequest, guarded, listing
from outreach.sandbox.pages import HEADERS, PER_PAGE, shown
from outreach.sandbox.post_books import SCANS, STATUSES
from outreach.sandbox.post_resource import iso
from outreach.sandbox.reading import reader
from outreach.sandbox.state import State

WORDS = {
    "ready": "Ready, can still be called back",
    "printing": "Printing",
    "processed_for_delivery": "Handed to the post",
    "completed": "Probably there",
    "cancelled": "Cancelled",
    "entered_mail_stream": "Scanned on its way",
    "out_for_delivery": "Given to the carrier of that address",
    "returned_to_sender": "Came back",
}
# The classes that pages have for statuses of texts.
LOOKS = {"cancelled": "failed", "returned_to_sender": "undelivered", "out_for_delivery": "delivered"}
NAMES = ("firstName", "lastName")
REST = ("companyName", "addressLine1", "addressLine2")
TOWN = ("city", "provinceOrState", "postalOrZip")


def accepted(path: Path, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Letters in the order they were accepted, from the one after number `after`. `address` is as rules of faults see it."""
    with reader(path) as db:
        db.create_function("sha256", 1, _sha256, deterministic=True)
        rows = db.execute(
            "SELECT n, id, json_extract(metadata, '$.token'), key, address, sha256(pdf), length(pdf), status, scan, answer, created"
            " FROM letters WHERE n > ? ORDER BY n LIMIT ?",
            (after, limit),
        )
        names = ("n", "id", "token", "key", "address", "pdf_sha256", "bytes", "status", "scan", "answer", "created")
        return [dict(zip(names, row, strict=True)) for row in rows]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def list_letters(request: web.Request, state: State) -> web.StreamResponse:
    given = request.query.get("page", "1")
    number = max(int(given), 1) if given.isdigit() and len(given) < 9 else 1
    await state.books.committed()
    count, found = state.letters.page(search="", skip=(number - 1) * PER_PAGE, limit=PER_PAGE)
    letters = [
        {
            "id": letter.id,
            "lines": _block(json.loads(letter.fields)["to"]),
            "word": (word := _word(letter.status, letter.scan)),
            "words": WORDS[word],
            "look": LOOKS.get(word, "sent"),
            "updated": letter.updated,
        }
        for letter in found
    ]
    pages = max(-(-count // PER_PAGE), 1)
    text = state.templates.get_template("post.html").render(letters=letters, count=count, page=number, pages=pages)
    return web.Response(text=text, content_type="text/html", headers=HEADERS)


def _word(status: str, scan: str | None) -> str:
    return status if status == "cancelled" or scan is None else scan


def _block(to: dict[str, str]) -> list[str]:
    """The address as it is printed."""
    name = " ".join(to[part] for part in NAMES if to.get(part))
    town = " ".join(to[part] for part in TOWN if to.get(part))
    return [line for line in (name, *(to.get(part, "") for part in REST), town) if line]


async def show_pdf(request: web.Request, state: State) -> web.StreamResponse:
    letter = state.letters.find(request.match_info["id"])
    if letter is None:
        raise web.HTTPNotFound
    headers = {"Content-Disposition": "inline", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return web.Response(body=state.letters.pdf(letter), content_type="application/pdf", headers=headers)


async def move(request: web.Request, state: State) -> web.StreamResponse:
    """`{"word": …}`: a status or a scan, now. What was planned for the letter is dropped."""
    letter = state.letters.find(request.match_info["id"])
    try:
        word = (await request.json())["word"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest('A letter is moved with {"word": …}.') from error
    if letter is None or word not in (*STATUSES, *SCANS):
        raise BadRequest(f"There is no such letter, or no such word. Words are: {', '.join((*STATUSES, *SCANS))}.")
    state.letters.drop_plan(letter, "moved by hand")
    state.letters.move(letter, word)
    told = int(state.config.post_webhook_url is not None)
    state.letters.plan(letter, [Errand("status", word, None, 0.0, 0, told)])
    await state.books.committed()
    return web.json_response({"id": letter.id, "at": iso(letter.updated)})


def routes() -> list[web.RouteDef]:
    return [
        web.get("/letters", shown(list_letters)),
        web.get("/letters/{id:letter_[0-9a-f]+}.pdf", shown(show_pdf)),
        web.get("/_sandbox/letters", guarded(listing(accepted))),
        web.post("/_sandbox/letters/{id}", guarded(move)),
    ]
