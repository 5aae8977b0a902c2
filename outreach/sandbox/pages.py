"""The pages a person looks at: the phones, one phone, the faults, the books. Nothing external is loaded."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import jinja2
from aiohttp import web

from outreach.sandbox import mail_reading, phones, reading
from outreach.sandbox.errors import DELIVERY
from outreach.sandbox.faults import MEANINGS, Fault, Rule
from outreach.sandbox.languages import UNDETERMINED, tongue_of
from outreach.sandbox.requests import phone
from outreach.sandbox.state import STATE, State

Handler = Callable[[web.Request, State], Awaitable[web.StreamResponse]]

PER_PAGE = 50
LONGEST_CONVERSATION = 200
LONGEST_ANSWER = 1600

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # With no-referrer a browser would call the origin of our own forms "null", and `changing` would refuse them.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

STATUS_WORDS = {
    "accepted": "Waiting",
    "queued": "Waiting",
    "scheduled": "Scheduled",
    "sending": "On its way",
    "sent": "Sent, no delivery report",
    "delivered": "Delivered",
    "undelivered": "Never arrived",
    "failed": "Never sent",
    "canceled": "Canceled",
    "received": "Answered",
}

ARRIVED = frozenset({"sent", "delivered", "received"})


@dataclass(frozen=True)
class Preset:
    """A fault that the page offers with one button."""

    name: str
    words: str
    rule: Rule


PRESETS = (
    Preset("invalid", "Refuse 1 text in 20 as an invalid number (21211)", Rule(fault=Fault.REFUSE, chance=0.05, code=21211)),
    Preset(
        "rate",
        "Answer 1 request in 10 with 429, retry after 1 second",
        Rule(fault=Fault.RATE_LIMIT, chance=0.1, retry_after=1),
    ),
    Preset(
        "before",
        "Answer 1 request in 20 with 503, text not accepted",
        Rule(fault=Fault.ERROR_BEFORE, chance=0.05, http_status=503),
    ),
    Preset(
        "after",
        "Answer 1 request in 20 with 500, text accepted all the same",
        Rule(fault=Fault.ERROR_AFTER, chance=0.05, http_status=500),
    ),
    Preset("drop-before", "Drop 1 connection in 20 before the text is accepted", Rule(fault=Fault.DROP_BEFORE, chance=0.05)),
    Preset("drop-after", "Drop 1 connection in 20 after the text is accepted", Rule(fault=Fault.DROP_AFTER, chance=0.05)),
    Preset("slow", "Answer 1 request in 10 three seconds late", Rule(fault=Fault.SLOW, chance=0.1, ms=3000)),
    Preset("garbled", "Cut the JSON of 1 answer in 20 in half", Rule(fault=Fault.TRUNCATED, chance=0.05)),
    Preset("unreachable", "1 text in 10 finds the phone off (30003)", Rule(fault=Fault.FATE, chance=0.1, code=30003)),
    Preset("filtered", "1 text in 10 is filtered by the carrier (30007)", Rule(fault=Fault.FATE, chance=0.1, code=30007)),
    Preset("late", "1 delivery report in 5 comes ten seconds late", Rule(fault=Fault.LATE, chance=0.2, ms=10_000)),
    Preset("doubled", "1 delivery report in 5 comes twice", Rule(fault=Fault.DOUBLED, chance=0.2)),
    Preset("reordered", "1 text in 5 reports its end before its middle", Rule(fault=Fault.REORDERED, chance=0.2)),
    Preset("missing", "1 text in 10 never reports", Rule(fault=Fault.MISSING, chance=0.1)),
    Preset("forged", "1 delivery report in 10 is signed with a wrong token", Rule(fault=Fault.BAD_SIGNATURE, chance=0.1)),
)


def prepare(templates: jinja2.Environment) -> None:
    """Gives the templates what they need to write times, languages and statuses."""
    templates.trim_blocks = templates.lstrip_blocks = True
    templates.filters["clock"] = lambda seconds: f"{datetime.fromtimestamp(seconds, UTC):%-d %b %H:%M:%S} UTC"
    templates.filters["iso"] = lambda seconds: f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    templates.filters["tongue"] = tongue_of
    templates.filters["path"] = lambda number: quote(number, safe="")
    templates.filters["count"] = lambda number: f"{number:,}"
    templates.globals.update(
        UNDETERMINED=UNDETERMINED, STATUS_WORDS=STATUS_WORDS, ARRIVED=ARRIVED, DELIVERY=DELIVERY, MEANINGS=MEANINGS
    )


def shown(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def show(request: web.Request) -> web.StreamResponse:
        return await handler(request, request.app[STATE])

    return show


def changing(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Only these pages' own forms may change anything: another site's form is turned away by what the browser says."""

    async def change(request: web.Request) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        if site not in {"same-origin", "none"} or origin not in {
            None,
            f"http://{request.host}",
            f"https://{request.host}",
        }:
            return web.Response(text="This form was sent from another site.", status=403)
        return await handler(request, request.app[STATE])

    return change


def _page(state: State, template: str, status: int = 200, **facts: object) -> web.Response:
    text = state.templates.get_template(template).render(**facts)
    return web.Response(text=text, content_type="text/html", status=status, headers=HEADERS)


def _back(where: str) -> web.Response:
    return web.Response(status=303, headers={"Location": where})


def _missing(state: State) -> web.Response:
    return _page(state, "missing.html", 404)


async def list_phones(request: web.Request, state: State) -> web.StreamResponse:
    search = request.query.get("q", "").strip()[:20]
    given = request.query.get("page", "1")
    number = max(int(given), 1) if given.isdigit() and len(given) < 9 else 1
    await state.books.committed()
    count, listed = await asyncio.to_thread(
        reading.phone_page, state.config.books, search=search, offset=(number - 1) * PER_PAGE, limit=PER_PAGE
    )
    pages = max(-(-count // PER_PAGE), 1)
    return _page(state, "phones.html", phones=listed, count=count, search=search, page=number, pages=pages)


async def one_phone(request: web.Request, state: State) -> web.StreamResponse:
    number = phone(request.match_info["number"])
    if number is None:
        return _missing(state)
    await state.books.committed()
    texts, blocked = await asyncio.gather(
        asyncio.to_thread(reading.conversation, state.config.books, number, limit=LONGEST_CONVERSATION),
        asyncio.to_thread(reading.is_blocked, state.config.books, number),
    )
    return _page(state, "phone.html", number=number, texts=texts, blocked=blocked, longest=LONGEST_CONVERSATION, error=None)


async def answer(request: web.Request, state: State) -> web.StreamResponse:
    number = phone(request.match_info["number"])
    if number is None:
        return _missing(state)
    form = await request.post()
    body = str(form.get("quick") or form.get("body") or "").strip()[:LONGEST_ANSWER]
    if body:
        phones.answer(state, number, body)
        await state.books.committed()
    return _back(f"/phones/{quote(number, safe='')}#answer")


async def show_faults(_request: web.Request, state: State) -> web.StreamResponse:
    rules = state.rules.all()
    on = {preset.name: _rule_of(preset, rules) for preset in PRESETS}
    offered = {number for number in on.values() if number is not None}
    others = {number: rule for number, rule in rules.items() if number not in offered}
    return _page(state, "faults.html", presets=PRESETS, on=on, rules=rules, others=others, dials=state.dials)


def _rule_of(preset: Preset, rules: dict[int, Rule]) -> int | None:
    """The number of the rule in force that this preset made."""
    wanted = preset.rule.spec() | {"hits": 0}
    return next((number for number, rule in rules.items() if rule.spec() | {"hits": 0} == wanted), None)


async def switch_fault(request: web.Request, state: State) -> web.StreamResponse:
    form = await request.post()
    preset = next((preset for preset in PRESETS if preset.name == form.get("preset")), None)
    rule = form.get("rule")
    if preset is not None:
        number = _rule_of(preset, state.rules.all())
        if number is None:
            state.rules.add(preset.rule)
        else:
            state.rules.remove(number)
    elif isinstance(rule, str) and rule.isdigit():
        state.rules.remove(int(rule))
    elif form.get("all") == "off":
        state.rules.remove()
    elif form.get("dial") in {"population", "opt_out_replies", "paused"}:
        dial = str(form["dial"])
        setattr(state.dials, dial, not getattr(state.dials, dial))
    await state.books.committed()
    return _back("/faults")


async def show_books(_request: web.Request, state: State) -> web.StreamResponse:
    await state.books.committed()
    totals = await asyncio.to_thread(reading.summary, state.config.books)
    mail = await asyncio.to_thread(mail_reading.summary, state.config.books)
    return _page(state, "books.html", totals=totals | {"mail": mail})


def routes() -> list[web.RouteDef]:
    return [
        web.get("/", shown(list_phones)),
        web.get("/phones/{number}", shown(one_phone)),
        web.post("/phones/{number}/answer", changing(answer)),
        web.get("/faults", shown(show_faults)),
        web.post("/faults", changing(switch_fault)),
        web.get("/books", shown(show_books)),
    ]
