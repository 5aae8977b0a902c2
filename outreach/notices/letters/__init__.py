"""Letters as PDF: pure, without a database, settings or a request. The same content gives the same bytes.

`letter` is what a letter says, `typesetting` makes it a file, `print_run` many letters one file, `service` the papers of handing
over. typst must never compile in a process that will fork: its threads do not survive it, and the child waits for ever.
So a `Typesetter` is made inside the job that uses it (docs/letters.md).
"""
