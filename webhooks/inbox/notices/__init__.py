"""Messages about incidents, and the silences in which none is sent."""
