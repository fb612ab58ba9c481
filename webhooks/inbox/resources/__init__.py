"""Content as last seen in Tableau."""
