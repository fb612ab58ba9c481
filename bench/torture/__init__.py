"""Kill, suspend and starve real servers, and compare what they stored and sent with what they acknowledged."""
