"""Requests of services that report what people do, all of them signed; each is verified and stored."""
