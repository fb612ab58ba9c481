"""Plan events, claim jobs and run them."""
