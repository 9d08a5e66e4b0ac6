"""The HTTP service."""

from recipes.api.app import create_app

__all__ = ["create_app"]
