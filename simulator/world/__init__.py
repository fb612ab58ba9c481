"""The state of the simulated world and everything that changes it."""
