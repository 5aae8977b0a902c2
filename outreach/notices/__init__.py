"""What is said: languages, notices and their renditions, fields, segments, and the non-disclosure check."""
