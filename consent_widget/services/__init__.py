"""One use case per function: load, ask core, save, in one transaction.

Clocks and identifiers arrive as arguments; no web framework is known here.
"""
