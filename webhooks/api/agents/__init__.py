"""The endpoint for agents, by the Model Context Protocol."""
