"""Evaluation that can carry a decision: metrics with their conventions, comparisons, gates, reports."""
