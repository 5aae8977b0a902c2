"""Setting one letter again, in a process of its own: typst must never compile in one that serves pages or forks.

python -m outreach.delivery.reprint <vendor>    # reads the kept content, writes the PDF; nothing touches a disk
"""

import os
import subprocess
import sys

from outreach.notices.letters import letter, vendors
from outreach.notices.letters.typesetting import Typesetter

SECONDS = 60.0
ROOT = vendors.FILE.parents[1]


class NotSet(Exception):
    """The letter could not be set again: the program that sets it failed, or took too long."""


def set_again(content: str, vendor: str) -> bytes:
    """The letter's PDF, from what `letter.as_json` kept. `vendor`: an entry of config/print_vendors.toml. Raises NotSet."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "outreach.delivery.reprint", vendor],
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


def _main() -> None:
    content = letter.from_json(sys.stdin.buffer.read().decode())
    sys.stdout.buffer.write(Typesetter(vendors.load(sys.argv[1])).compose(content).data)


if __name__ == "__main__":
    _main()
