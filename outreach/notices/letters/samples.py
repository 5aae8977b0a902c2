"""Letters about nothing to people who do not exist: for pictures, tests and figures."""

import tomllib
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from outreach.notices.blocks import Block, BlockKind, parse
from outreach.notices.channel import SAMPLES, Channel
from outreach.notices.house import House
from outreach.notices.letters.letter import Layout, LetterContent, LetterText
from outreach.notices.letters.service import ReceiptWords, RunSheet, Served

_FILE = Path(__file__).with_name("samples.toml")

DAY = date(2026, 11, 23)

_RECEIPTS = {
    "es": ReceiptWords("Recibí una carta cerrada con mi nombre.", "No quise recibirla.", "Me leyeron la carta en mi idioma."),
    "ar": ReceiptWords("استلمت رسالة مغلقة عليها اسمي.", "رفضت استلام الرسالة.", "قُرئت لي الرسالة بلغتي. الهاتف: (800) 555-0199"),
    "pa-Guru": ReceiptWords("ਮੈਨੂੰ ਮੇਰੇ ਨਾਮ ਵਾਲੀ ਇੱਕ ਬੰਦ ਚਿੱਠੀ ਮਿਲੀ।", "ਮੈਂ ਚਿੱਠੀ ਲੈਣ ਤੋਂ ਇਨਕਾਰ ਕੀਤਾ।", "ਚਿੱਠੀ ਮੈਨੂੰ ਮੇਰੀ ਭਾਸ਼ਾ ਵਿੱਚ ਪੜ੍ਹ ਕੇ ਸੁਣਾਈ ਗਈ।"),
    "am": ReceiptWords("ስሜ ያለበት የታሸገ ደብዳቤ ተቀብያለሁ።", "ደብዳቤውን አልቀበልም ብያለሁ።", "ደብዳቤው በቋንቋዬ ተነቦልኛል።"),
    "zh-Hans": ReceiptWords("我收到一封写有我姓名的密封信件。", "我拒绝接收这封信。", "有人用我的语言为我读了这封信。"),
}  # fmt: skip

LANGUAGES = tuple(_RECEIPTS)
"""In five scripts: Latin, Arabic, Gurmukhi, Ethiopic, Han."""


@cache
def text(language: str) -> LetterText:
    """A sample notice in one of LANGUAGES or English."""
    return LetterText(language, parse(tomllib.loads(_FILE.read_text(encoding="utf-8"))[language]))


def letter(language: str, layout: Layout = Layout.PERSON, number: int = 1, **changes: Any) -> LetterContent:
    """A letter in a language, with English behind and the tagline sheet; `changes` are fields of the content."""
    content = LetterContent(
        layout=layout,
        recipient=(f"SAMPLE PERSON {number}", "12 EXAMPLE STREET APT 4", "SPRINGFIELD IL 62701"),
        sender=("Letter Line", "PO Box 5550", "Springfield, IL 62701"),
        written=DAY,
        texts=(text(language), *(() if language == "en" else (text("en"),))),
        site="notices.example.org",
        phone="1-800-555-0199",
        reference=f"LL-2026-{number:05}",
        return_code=f"R{number:06}-7K",
        access_code=f"SMPL-{number:04}",
        taglines=True,
    )
    return replace(content, **changes)


def specimen(channel: Channel, language: str, text: str, house: House, sender: tuple[str, ...]) -> LetterContent:
    """A letter with this text in it, for looking at before anybody gets one. Raises `fields.FieldError`."""
    listed = Block(BlockKind.LIST, ("Sample PERSON ONE (A-number ending in 001)", "Sample PERSON TWO (A-number ending in 002)"))
    parsed = parse(house.render(text, SAMPLES))
    body = tuple(listed if block.lines == (SAMPLES["clients"],) else block for block in parsed)
    base = attorney() if channel.to_attorney else letter("en")
    return replace(
        base,
        sender=sender,
        texts=(LetterText(language, body),),
        site=house.values["site"],
        phone=house.values["phone"],
        reference=SAMPLES["reference"],
        access_code=None if channel.to_attorney else SAMPLES["code"],
    )


def attorney(recipient_name: str = "Sample Attorney") -> LetterContent:
    """A letter to an attorney, as legal correspondence."""
    return letter(
        "en",
        Layout.ATTORNEY,
        recipient=(recipient_name, "Example & Sample LLP", "100 Example Avenue Suite 200", "Springfield, IL 62701"),
        marking=("ATTORNEY CORRESPONDENCE", "Office of Notices"),
        taglines=False,
        access_code=None,
    )


def run_sheet(language: str, count: int = 12) -> RunSheet:
    """Some people of one facility."""
    people = tuple(
        Served(
            f"SAMPLE PERSON {n}",
            language,
            f"LL-2026-{n:05}",
            f"R{n:06}-7K",
            f"A000 000 {n:03}" if n % 2 else None,
            note="Unit B" if n == 3 else "",
        )
        for n in range(1, count + 1)
    )
    return RunSheet(
        "SHEET-0007",
        "Sample Processing Center",
        DAY,
        people,
        ("Hand each letter over sealed.", "Call (800) 555-0199 for an interpreter."),
    )


def receipt_words(language: str) -> ReceiptWords:
    """Sentences of a receipt in one of LANGUAGES."""
    return _RECEIPTS[language]
