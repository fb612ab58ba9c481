"""Handlers, one behaviour per file: every module in this folder is loaded when the server starts."""
