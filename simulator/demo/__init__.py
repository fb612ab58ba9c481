"""The demo of `make run`: simulator, server, scenario."""
