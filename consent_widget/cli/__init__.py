"""``flask consent ...``: the commands of no other door."""

from . import backup, bounces, erasure, log, notices, proof, setup
from .group import commands

__all__ = ["backup", "bounces", "commands", "erasure", "log", "notices", "proof", "setup"]
