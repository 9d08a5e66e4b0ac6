"""The errors of the toolkit.

MlopsError
├── DriftError          two data sets cannot be compared
│   └── BadProfile          what should be a reference profile is none
├── InvalidSettings     a variable of the environment has a value that cannot be used
├── StoreError          the state database
│   ├── StoreUnavailable    it cannot be reached or does not answer
│   └── StoreTooNew         it was written by a later release
└── ValidationError     data that cannot be validated; data that is wrong is a report, not an error
    ├── BadSchema           what should be a schema is none, or a rule in it is unknown
    └── UnreadableData      the data cannot be read, or not without changing it
"""


class MlopsError(Exception):
    """Any error that the toolkit raises on purpose."""


class DriftError(MlopsError):
    """Two data sets cannot be compared."""


class BadProfile(DriftError, ValueError):
    """What should be a reference profile is none; the message names the field."""


class InvalidSettings(MlopsError, ValueError):
    """A variable of the environment has a value that cannot be used; the message names both."""


class StoreError(MlopsError):
    """Something about the state database."""


class StoreUnavailable(StoreError):
    """The state database cannot be reached or does not answer."""


class StoreTooNew(StoreError):
    """The state database was written by a later release than this one."""


class ValidationError(MlopsError):
    """Data that cannot be validated. Data that is wrong is a report, not an error."""


class BadSchema(ValidationError, ValueError):
    """What should be a schema is none, or a rule in it is unknown."""


class UnreadableData(ValidationError):
    """The data cannot be read, or not without changing it."""
