"""Sends: one message over one connection; knows no database and no templates."""
