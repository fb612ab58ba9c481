"""Measurements, each as a ratio within one run; `make bench` prints them and never fails a test run."""
