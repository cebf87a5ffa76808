"""Wakes the delivery: the queue and the commands of workers; holds no state of its own."""
