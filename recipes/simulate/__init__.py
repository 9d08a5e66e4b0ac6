"""Simulated cooks with hidden tastes, on a simulated clock, against the real service: what the loop is worth."""
