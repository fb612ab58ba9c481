"""Notice what did not happen: refreshes that do not come, run too long, or are suspended by Tableau."""
