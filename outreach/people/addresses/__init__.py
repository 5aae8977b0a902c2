"""Postal addresses: their lines, whether a letter can get there, and where the same one was given again.

`address` makes one from a roster's columns or a form and gives the lines of an envelope; `american` and `foreign` know what
the two kinds need; `comparing` makes the keyed hash by which the database finds an address again; `regrading` is the part of a
grade that depends on everybody else's addresses.
"""
