"""The errors of the toolkit.

MlopsError
├── InvalidSettings     a variable of the environment has a value that cannot be used
└── StoreError          the state database
    ├── StoreUnavailable    it cannot be reached or does not answer
    └── StoreTooNew         it was written by a later release
"""


class MlopsError(Exception):
    """Any error that the toolkit raises on purpose."""


class InvalidSettings(MlopsError, ValueError):
    """A variable of the environment has a value that cannot be used; the message names both."""


class StoreError(MlopsError):
    """Something about the state database."""


class StoreUnavailable(StoreError):
    """The state database cannot be reached or does not answer."""


class StoreTooNew(StoreError):
    """The state database was written by a later release than this one."""
