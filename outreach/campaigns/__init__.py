"""What is intended: who shall be told what, by which steps, approved by whom, and where each person stands."""
