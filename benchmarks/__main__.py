"""`python -m benchmarks`, which is `make bench`."""

from collections.abc import Callable
from pathlib import Path

import click

from benchmarks import background, callbacks, carrier, ground, importing, letters, machine, million, planning, results, sending
from benchmarks.figure import Figure

RESULTS = Path(__file__).parent / "results"
FIGURES = ("import", "plan", "send", "mail", "callbacks", "carrier", "letters", "background")
LONG = ("million",)  # half an hour: measured only when it is asked for
MEMORY = (10_000, 100_000)  # people or rows, at which the peak memory of a worker is noted
FULL = 1_000_000


def say(line: str) -> None:
    click.echo(line, err=True)


@click.command()
@click.option("--only", multiple=True, type=click.Choice([*FIGURES, *LONG]), help="Measure this figure only; may be repeated.")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Turns of floor and system.")
@click.option("--rows", type=click.IntRange(1), default=10_000, show_default=True, help="Roster rows a run.")
@click.option("--people", type=click.IntRange(1), default=100_000, show_default=True, help="People planned a run.")
@click.option("--messages", type=click.IntRange(1), default=20_000, show_default=True, help="People texted or mailed a run.")
@click.option("--reports", type=click.IntRange(2), default=20_000, show_default=True, help="Delivery reports a run.")
@click.option("--carrier-people", type=click.IntRange(1), default=6_309, show_default=True, help="People of the end-to-end run.")
@click.option("--letters", "letter_count", type=click.IntRange(1), default=300, show_default=True, help="Letters set a run.")
@click.option(
    "--run-letters", type=click.IntRange(1), default=letters.RUN_LETTERS, show_default=True, help="Letters of the print run."
)
@click.option(
    "--background-letters", type=click.IntRange(1), default=6_252, show_default=True, help="Letters set beside the panel."
)
@click.option("--million-people", type=click.IntRange(1), default=FULL, show_default=True, help="People of the great campaign.")
@click.option("--memory", "sizes", multiple=True, type=click.IntRange(1), default=MEMORY, help="Sizes for the peak memory.")
@click.option("--full", is_flag=True, help="Note the peak memory of a worker at 1,000,000 people too: an hour or so.")
@click.option("--name", default="bench", show_default=True, help="Of the file with the results.")
@click.option("--results", "folder", type=click.Path(path_type=Path, file_okay=False), default=RESULTS, help="Where it goes.")
def main(
    *,
    only: tuple[str, ...],
    repeats: int,
    rows: int,
    people: int,
    messages: int,
    reports: int,
    carrier_people: int,
    letter_count: int,
    run_letters: int,
    background_letters: int,
    million_people: int,
    sizes: tuple[int, ...],
    full: bool,
    name: str,
    folder: Path,
) -> None:
    """Measure import, planning, sending, callbacks and letters, each beside its floor, on engines of their own."""

    def send(kind: sending.Kind) -> list[Figure]:
        memory = (*sizes, *((FULL,) if full and kind is sending.TEXTS else ()))
        return [sending.measure(on, kind, messages=messages, repeats=repeats, memory=memory, say=say)]

    wanted = only or FIGURES
    with ground.prepared() as on:
        described = machine.describe(on)
        measures: dict[str, Callable[[], list[Figure]]] = {
            "import": lambda: [importing.measure(on, rows=rows, repeats=repeats, memory=sizes, say=say)],
            "plan": lambda: [planning.measure(on, people_count=people, repeats=repeats, say=say)],
            "send": lambda: send(sending.TEXTS),
            "mail": lambda: send(sending.MAILS),
            "callbacks": lambda: callbacks.measure(on, callbacks=reports // 2 * 2, repeats=repeats, say=say),
            "carrier": lambda: [carrier.measure(on, people_count=carrier_people, say=say)],
            "letters": lambda: [letters.measure(letters=letter_count, repeats=repeats, run_letters=run_letters, say=say)],
            "background": lambda: [background.measure(on, letters=background_letters, say=say)],
            "million": lambda: [million.measure(on, people_count=million_people, say=say)],
        }
        figures: list[Figure] = []
        for figure in (*FIGURES, *LONG):
            if figure in wanted:
                say(figure)
                figures += measures[figure]()
    options: dict[str, object] = {
        "only": list(wanted), "repeats": repeats, "rows": rows, "people": people, "messages": messages, "reports": reports,
        "carrier_people": carrier_people, "letters": letter_count, "run_letters": run_letters,
        "background_letters": background_letters, "million_people": million_people, "memory": list(sizes), "full": full,
    }  # fmt: skip
    result = results.as_json(described, options, figures)
    path = results.write(folder, name, result)
    click.echo(results.table(result))
    click.echo(f"\nWritten to {path}")


if __name__ == "__main__":
    main()
