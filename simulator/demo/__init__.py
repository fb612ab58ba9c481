"""The demo of `make run`: a simulated site, the server, and a scenario."""
