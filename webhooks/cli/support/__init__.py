"""Shared by several commands: settings, options, output, errors, and access to Tableau."""
