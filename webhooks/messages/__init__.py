"""Turn events into messages."""
