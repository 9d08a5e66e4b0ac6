"""How good ``hybrid_ranker`` is: versions measured on query sets, on feedback and on interactions.

========================  =============================================================================
:mod:`.query_sets`        queries with what is relevant: the golden ones, and those of a file
:mod:`.answers`           a version answers a query set, off the record
:mod:`.feedback`          a version orders anew what cooks were shown, judged by what they did
:mod:`.interactions`      a version ranks the catalogue without a query, judged by later interactions
:mod:`.versions`          all of it for one version, or for two and the decision between them
:mod:`.show`, `.cli`      tables, JSON, a page; the command ``recipes evaluate``
========================  =============================================================================
"""
