"""What is kept: tables, queries and migrations on SQLite and PostgreSQL.

Functions take an open connection and never commit; services open one
transaction per use case. Rows leave this room as values of `core`.
"""
