"""Setting a few sheets for whoever waits for them, in a process of its own: typst must never compile in one that serves pages.

python -m outreach.delivery.typeset letter|packet <vendor>    # content in, PDF out; nothing touches a disk
"""

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import asdict
from datetime import date
from io import BytesIO

import pypdfium2

from outreach.notices.letters import letter, service, vendors
from outreach.notices.letters.service import ReceiptWords, RunSheet, Served
from outreach.notices.letters.typesetting import Typesetter

SECONDS = 60.0
ROOT = vendors.FILE.parents[1]


class NotSet(Exception):
    """It could not be set: the program that sets it failed, or took too long."""


def set_letter(content: str, vendor: str) -> bytes:
    """A letter's PDF, from what `letter.as_json` kept. `vendor`: an entry of config/print_vendors.toml. Raises NotSet."""
    return _run("letter", content, vendor)


def set_packet(sheet: RunSheet, words: tuple[ReceiptWords | None, ...], vendor: str) -> bytes:
    """The run sheet of a packet, and behind it its receipts. Raises NotSet."""
    told = {"sheet": asdict(sheet) | {"day": sheet.day.isoformat()}, "words": [asdict(each) if each else None for each in words]}
    return _run("packet", json.dumps(told), vendor)


def _run(what: str, content: str, vendor: str) -> bytes:
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "outreach.delivery.typeset", what, vendor],
            input=content.encode(),
            capture_output=True,
            timeout=SECONDS,
            check=True,
            cwd=ROOT,
            env=kept,
        )
    except (subprocess.SubprocessError, OSError):
        # Its words may quote the letter: neither the error nor what it wrote goes any further.
        raise NotSet from None
    return done.stdout


def _letter(typesetter: Typesetter, content: str) -> bytes:
    return typesetter.compose(letter.from_json(content)).data


def _packet(typesetter: Typesetter, content: str) -> bytes:
    told = json.loads(content)
    people = tuple(Served(**each) for each in told["sheet"].pop("people"))
    day = date.fromisoformat(told["sheet"].pop("day"))
    sheet = RunSheet(people=people, day=day, **told["sheet"])
    words = [ReceiptWords(**each) if each else None for each in told["words"]]
    parts = (service.compose_run_sheet(typesetter, sheet), service.compose_receipts(typesetter, sheet, words))
    with closing(pypdfium2.PdfDocument.new()) as whole:
        for part in parts:
            with closing(pypdfium2.PdfDocument(part.data)) as pages:
                whole.import_pages(pages)
        file = BytesIO()
        whole.save(file)
    return file.getvalue()


WHAT = {"letter": _letter, "packet": _packet}

if __name__ == "__main__":
    sys.stdout.buffer.write(WHAT[sys.argv[1]](Typesetter(vendors.load(sys.argv[2])), sys.stdin.buffer.read().decode()))
