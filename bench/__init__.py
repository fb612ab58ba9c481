"""Measurements (`make bench`) and the torture (`make torture`)."""
