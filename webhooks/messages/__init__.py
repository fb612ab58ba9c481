"""Turn events, failed jobs and Tableau's notes into messages."""
