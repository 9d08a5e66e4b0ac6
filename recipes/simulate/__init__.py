"""Simulated cooks with hidden tastes, on a simulated clock, against the real service: what the loop is worth.

Nothing here is evidence about a real installation, and nothing of it enters one: a simulation lives in a folder of its
own, and is called simulated wherever it shows.

:func:`recipes.simulate.run.simulate` runs one; :mod:`recipes.simulate.options` says what can be asked for. This module
imports nothing, since the command line imports it for its help.
"""
