"""Rosters: the spreadsheets in which affected people arrive.

`reading` opens the file, `columns` says what each column means, `rows` turns one row into typed values: none of them
knows the database. `imports` holds the tables of an import.
"""
