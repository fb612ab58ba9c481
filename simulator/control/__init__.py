"""The simulator's own page and HTTP API: cause events, inspect what was sent, inject faults."""
