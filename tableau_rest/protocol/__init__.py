"""Tableau's protocol without a network: what a request holds, what a response means."""
