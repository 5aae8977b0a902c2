"""Who may do what, and what nobody may read in passing: accounts, sign-in, audit and sealing."""
