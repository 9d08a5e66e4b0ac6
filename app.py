"""``uvicorn app:app``: the service, with the settings of the environment."""

import sys

from mlops.errors import InvalidSettings
from recipes.api import create_app
from recipes.config import load_settings

try:
    app = create_app(load_settings())
except InvalidSettings as error:
    sys.exit(f"error: {error}")
