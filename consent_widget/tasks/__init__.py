"""Wakes the delivery: the queue, the worker and the commands that run it; holds no state of its own.

The row is the truth, the queue only wakes: whatever a queue loses is found in the rows.
"""
