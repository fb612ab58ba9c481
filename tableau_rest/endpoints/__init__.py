"""One module for each group of Tableau's REST endpoints."""
