"""What happens: messages, attempts, reports, replies, and finding out what became of each."""
