"""Jobs: claim, attempt, retry, dead-letter."""
