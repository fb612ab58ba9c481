"""The console: messages on the terminal or in the log."""
