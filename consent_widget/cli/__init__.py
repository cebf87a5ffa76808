"""``flask consent ...``: the commands of no other door."""

from . import bounces, erasure, log, notices, setup
from .group import commands

__all__ = ["bounces", "commands", "erasure", "log", "notices", "setup"]
