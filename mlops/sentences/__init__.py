"""Sentences that the toolkit writes when something happens, and how they are read in another language.

What is kept – why a version was refused, what an alert says – is kept in English, whole, as text: a record can be read
with any tool, years later. :func:`say` makes such a sentence of a template; :class:`Translation` finds the template and
the values again in a sentence that was kept, and puts the values into the template of the other language.
"""

from mlops.sentences._say import listed, say
from mlops.sentences.translation import Translation, spanish

__all__ = ["Translation", "listed", "say", "spanish"]
