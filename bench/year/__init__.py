"""A simulated year of refreshes, for the watches: how many problems they find, and how many false alarms they raise."""
