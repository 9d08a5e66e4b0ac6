"""Fixtures of the tests from outside."""

from tests.browser import browser

__all__ = ["browser"]
