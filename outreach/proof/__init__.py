"""What is known: where each person stands, the figures, and everything that happened to one person."""
