"""One import as a process of its own: the real one, or reading and copying alone. Prints one JSON object.

python -m benchmarks.importer system FILE | python -m benchmarks.importer bare FILE
"""

import csv
import json
import sys
from dataclasses import asdict
from pathlib import Path

import psycopg

from benchmarks.figure import Spent
from outreach import jobs
from outreach.db import now
from outreach.people.roster import importing
from outreach.people.synth.person import AS_OF


def system(path: Path) -> dict[str, object]:
    machine = jobs.machine()
    start = Spent.now()
    with path.open("rb") as file:
        report = importing.import_file(
            machine.sessions, file, incident_code="B-2", title="Benchmark", as_of=AS_OF, today=now().date(),
            limits=jobs.roster_limits(machine.settings),
        )  # fmt: skip
    counted = {"rows": report.rows, "quarantined": report.quarantined} | asdict(report.added)
    return {"counted": counted} | asdict(Spent.now().since(start))


def bare(path: Path) -> dict[str, object]:
    """Every cell as it stands into one table without a key or an index."""
    address = jobs.machine().settings.database_url.replace("+psycopg", "")
    start = Spent.now()
    with path.open(newline="") as file, psycopg.connect(address) as connection, connection.cursor() as cursor:
        rows = csv.reader(file)
        columns = ", ".join(f"c{number} text" for number in range(len(next(rows))))
        cursor.execute(f"create table floor_row ({columns})")
        with cursor.copy("copy floor_row from stdin") as copy:
            for row in rows:
                copy.write_row(row)
        connection.commit()
        spent = Spent.now().since(start)
        cursor.execute("drop table floor_row")
    return dict(asdict(spent))


if __name__ == "__main__":
    print(json.dumps({"system": system, "bare": bare}[sys.argv[1]](Path(sys.argv[2]))))
