"""The public door: the gate around the app, the pages, the template functions.

Whoever is let in here is a stranger. Clocks and random identifiers are made
here and handed down.
"""
