"""What is decided, and by which rule.

Nothing here knows Flask, a database, the network or a clock: time and
identifiers come in as arguments, values go out. Whoever reads this room reads
the promises of the product.
"""
