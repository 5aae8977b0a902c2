"""Letters: what the typesetter makes in a second, beside bare typst on the same data; and the memory of one print run.

As a module of its own it is one run: `bare` or `system` with how many letters, or `run` for one file of them all.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figure import Aim, Figure, Spent

ROOT = Path(__file__).parents[1]
RUN_LETTERS = 500
RUN_MB = 350


def measure(*, letters: int, repeats: int, run_letters: int, say: Callable[[str], None]) -> Figure:
    """`run_letters`: of the one print run whose peak memory is noted, in a process of its own as all are."""
    ours: list[dict[str, Any]] = []
    bare: list[dict[str, Any]] = []
    for turn in range(repeats):
        bare.append(_process("bare", letters))
        ours.append(_process("system", letters))
        say(f"  {turn + 1} of {repeats}: {_rate(ours[-1]):,.0f}/s, bare typst {_rate(bare[-1]):,.0f}/s")
    run = _process("run", run_letters)
    say(f"  one run of {run_letters}: {run['seconds']:.0f} s, {run['peak_mb']:.0f} MB")
    figure = Figure(
        "letters", "Letters set by one process, each a file of its own", "letters/s", [_rate(each) for each in ours],
        "the same compilations by bare typst, their data made beforehand", [_rate(each) for each in bare],
        details={
            "letters_a_run": letters,
            "pages_a_letter": ours[-1]["pages"] / letters,
            "kb_a_letter": ours[-1]["bytes"] / letters / 1000,
            "peak_mb": max(each["peak_mb"] for each in ours),
            "print_run_letters": run_letters,
            "print_run_seconds": run["seconds"],
            "print_run_peak_mb": run["peak_mb"],
            "print_run_file_mb": run["bytes"] / 1e6,
        },
    )  # fmt: skip
    share = figure.share or 0.0
    figure.aims.extend(
        [
            Aim("at least 70 % of bare typst", f"{share:.0%}", share >= 0.7),
            Aim(f"a print run of {run_letters} within {RUN_MB} MB", f"{run['peak_mb']:.0f} MB", run["peak_mb"] <= RUN_MB),
        ]
    )
    return figure


def _process(what: str, letters: int) -> dict[str, Any]:
    argv = [sys.executable, "-m", "benchmarks.letters", what, str(letters)]
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if result["letters"] != letters:
        raise RuntimeError(f"{letters} letters were asked for and {result['letters']} made: this run measures nothing.")
    return result


def _rate(run: dict[str, Any]) -> float:
    return float(run["letters"] / run["seconds"])


def _one_run(what: str, letters: int) -> dict[str, Any]:
    """Texts in five scripts with English behind and the tagline sheet, and a name, a code and a number of each letter's own."""
    from outreach.notices.letters import samples, vendors
    from outreach.notices.letters.print_run import compose_run, count_run
    from outreach.notices.letters.typesetting import Typesetter

    typesetter = Typesetter(vendors.load("generic_10"))
    languages = samples.LANGUAGES
    contents = [samples.letter(languages[n % len(languages)], number=n) for n in range(1, letters + 1)]
    made = size = pages = 0
    if what == "bare":
        data = [typesetter.prepare(content) for content in contents]
        start = Spent.now()
        for each in data:
            size += len(typesetter.compile("single.typ", each, standard="ua-1"))
            made += 1
    elif what == "system":
        start = Spent.now()
        for content in contents:
            pdf = typesetter.compose(content)
            made, size, pages = made + 1, size + len(pdf.data), pages + pdf.pages
    else:
        start = Spent.now()
        run = compose_run(typesetter, "RUN-2026-000001", contents)
        made, size, pages = len(count_run(run.pdf.data).pages_of), len(run.pdf.data), run.pdf.pages
    spent = Spent.now().since(start)
    return {"letters": made, "bytes": size, "pages": pages, "seconds": spent.seconds, "peak_mb": spent.peak_mb}


if __name__ == "__main__":
    print(json.dumps(_one_run(sys.argv[1], int(sys.argv[2]))))
