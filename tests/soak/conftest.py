"""What takes too long for every day: collected by ``make soak`` alone."""

from tests.volume import IS_SOAK

collect_ignore_glob = [] if IS_SOAK else ["test_*.py"]
