"""Tableau's protocol without a network: the parts of requests, the meaning of responses."""
