"""`make bench`: what the widget costs, against the same pages without it, measured in one run.

How each figure is measured stands on top of the module that measures it:
`sizes`, `server`, `browser`. Limits stand beside their figures.
"""
