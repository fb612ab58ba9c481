"""The parts of the inbox that differ between SQLite and PostgreSQL."""
