"""Stored incidents, computed from runs, findings and acts."""
