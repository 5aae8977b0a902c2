"""The form that describes a campaign: as it is typed, its ladder edited rung by rung, and as the domain takes it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import time
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.campaigns import campaign
from outreach.campaigns.campaign import Refused, Rung, Step, Waves
from outreach.notices import languages, notice
from outreach.notices.channel import Channel
from outreach.notices.notice import Purpose
from outreach.people.custody import Custody
from outreach.people.incident import Incident
from outreach.people.person import spoken
from outreach.web.staff.base import language_name

MOST_RUNGS = 24
LONGEST_WAIT = 24 * 365  # hours
LONGEST_TITLE, LONGEST_REASON = 200, 500

TOLD_ABOUT = tuple(custody for custody in Custody if custody != Custody.DECEASED)
"""Whom a step can be for."""


@dataclass(frozen=True, slots=True)
class TypedRung:
    """One step as it is typed. No custody chosen means all that the channel plan allows."""

    channel: str = Channel.SMS
    wait: str = "0"
    custodies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """A campaign's description as it is typed: everything is kept as it came, also when it makes no sense.

    `fresh` is the number of the rung that was just added, or None.
    """

    title: str = ""
    notice: str = ""
    incidents: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    custody: tuple[str, ...] = ()
    start: str = "09:00"
    end: str = "20:00"
    any_hour: bool = False
    reason: str = ""
    canary: str = ""
    per_day: str = ""
    spend_cap: str = ""
    rungs: tuple[TypedRung, ...] = ()
    fresh: int | None = None


class Description(TypedDict):
    """What the domain takes to make or change a campaign."""

    title: str
    notice_id: UUID
    audience: dict[str, list[str]]
    ladder: list[Rung]
    window: tuple[time, time]
    window_reason: str | None
    waves: Waves


def planned_rungs(session: Session) -> tuple[TypedRung, ...]:
    """The channel plan's ladder."""
    return tuple(TypedRung(rung.channel, str(rung.wait_hours), rung.custodies or ()) for rung in campaign.planned_ladder(session))


def rungs_of(steps: Iterable[Step]) -> tuple[TypedRung, ...]:
    """The ladder that a campaign has."""
    return tuple(TypedRung(step.channel, str(step.wait_hours), tuple(step.custodies or ())) for step in steps)


def typed() -> Form:
    """What the request brings. Rungs are numbered, because a box that is not checked sends nothing."""
    form = request.form
    numbers = sorted({int(name[8:]) for name in form if name.startswith("channel-") and name[8:].isascii() and name[8:].isdigit()})
    return Form(
        title=form.get("title", ""),
        notice=form.get("notice", ""),
        incidents=tuple(form.getlist("incidents")),
        languages=tuple(form.getlist("languages")),
        custody=tuple(form.getlist("custody")),
        start=form.get("start", ""),
        end=form.get("end", ""),
        any_hour="any_hour" in form,
        reason=form.get("reason", ""),
        canary=form.get("canary", ""),
        per_day=form.get("per_day", ""),
        spend_cap=form.get("spend_cap", ""),
        rungs=tuple(
            TypedRung(form[f"channel-{n}"], form.get(f"wait-{n}", ""), tuple(form.getlist(f"custodies-{n}")))
            for n in numbers[:MOST_RUNGS]
        ),
    )


def with_ladder(session: Session, form: Form, wish: str) -> Form:
    """The form after one of the ladder's buttons: plan, texts, add, or remove-2."""
    what, _, number = wish.partition("-")
    if what == "plan":
        return replace(form, rungs=planned_rungs(session))
    if what == "texts":
        return replace(form, rungs=(TypedRung(),))
    if what == "add" and len(form.rungs) < MOST_RUNGS:
        return replace(form, rungs=(*form.rungs, TypedRung(wait="")), fresh=len(form.rungs))
    if what == "remove":
        return replace(form, rungs=tuple(rung for n, rung in enumerate(form.rungs) if str(n) != number))
    return form


def choices(session: Session) -> dict[str, object]:
    """What the form offers."""
    return {
        "notices": [one for one in notice.summaries(session) if one.purpose == Purpose.NOTICE],
        "incidents": session.scalars(select(Incident).order_by(Incident.code)).all(),
        "spoken": sorted(((code, language_name(code), people) for code, people in spoken(session)), key=lambda row: row[1]),
        "custody": list(Custody),
        "told_about": TOLD_ABOUT,
        "channels": list(Channel),
        "longest_wait": LONGEST_WAIT,
        "most_rungs": MOST_RUNGS,
    }


def description(session: Session, form: Form) -> Description:
    """Raises Refused for what cannot even be read; what makes no sense is the domain's to refuse."""
    if len(form.title) > LONGEST_TITLE or len(form.reason) > LONGEST_REASON:
        raise Refused("The title or the reason is too long.")
    notices = {str(one.id): one.id for one in notice.summaries(session) if one.purpose == Purpose.NOTICE}
    if form.notice not in notices:
        raise Refused("Choose the notice whose texts are sent.")
    known = {str(one) for one in session.scalars(select(Incident.id))}
    audience = {"incidents": [one for one in form.incidents if one in known]}
    if chosen := [code for code in form.languages if code in {one.code for one in languages.all_languages()}]:
        audience["languages"] = chosen
    if held := [state for state in form.custody if state in set(Custody)]:
        audience["custody"] = held
    return {
        "title": form.title,
        "notice_id": notices[form.notice],
        "audience": audience,
        "ladder": _ladder(form.rungs),
        "window": (time(0), time(0)) if form.any_hour else _window(form),
        "window_reason": form.reason if form.any_hour else None,
        "waves": Waves(
            canary=_whole(form.canary),
            per_day=_whole(form.per_day),
            spend_cap=dollars(form.spend_cap),
        ),
    }


# 1,500.50 and 1.500,50 are one sum. 1.500 alone is refused: it may be meant as a thousand and a half, or as one.
_DOLLARS = re.compile(r"\$? *(?!\d+\.\d{3}$)(\d{1,3}(?P<by>[,.])\d{3}(?:(?P=by)\d{3})*|\d{1,9})(?:(?!(?P=by))[,.](\d{1,2}))?")
_WHOLE = re.compile(r"\d{1,3}([,.'\u2019\u00a0\u202f ]\d{3})+|\d{1,9}", re.ASCII)  # a thousand may be 1,000, 1.000 or 1 000


def dollars(typed: str) -> Decimal | None:
    """A sum as it was typed, such as 1,500 or $99.50; None where nothing was. Raises Refused."""
    if not typed.strip():
        return None
    if not (found := _DOLLARS.fullmatch(typed.strip())) or not typed.isascii():
        raise Refused("A cost is a sum in US dollars, such as 1,500 or 99.50.")
    return Decimal("".join(c for c in found[1] if c.isdigit()) + f".{found[3] or 0}")


def _whole(typed: str) -> int | None:
    if not typed.strip():
        return None
    if not _WHOLE.fullmatch(typed.strip()):
        raise Refused("The first wave, and the messages a day, are whole numbers from 1 on. Leave them empty for no limit.")
    return int("".join(c for c in typed if c.isdigit()))


def _window(form: Form) -> tuple[time, time]:
    try:
        start, end = time.fromisoformat(form.start), time.fromisoformat(form.end)
    except ValueError:
        raise Refused("Give both hours as hours and minutes, such as 09:00.") from None
    if start == end:
        raise Refused("The hours end when they begin. Give later hours, or choose any hour and say why.")
    return start, end


def _ladder(rungs: Sequence[TypedRung]) -> list[Rung]:
    ladder = []
    for number, rung in enumerate(rungs, 1):
        wait = rung.wait.strip()
        if rung.channel not in set(Channel):
            raise Refused("Choose the way of step %(number)s.", number=number)
        if not (wait.isascii() and wait.isdigit() and int(wait[:9]) <= LONGEST_WAIT):
            raise Refused(
                "Step %(number)s comes a whole number of hours after the launch: 0 for at once, %(most)s at most.",
                number=number,
                most=LONGEST_WAIT,
            )
        chosen = tuple(custody for custody in TOLD_ABOUT if custody in rung.custodies)
        ladder.append(Rung(int(wait), Channel(rung.channel), chosen or None))
    return ladder
