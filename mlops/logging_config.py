"""Structured JSON logs: who logs, where it goes, and what never gets there."""
