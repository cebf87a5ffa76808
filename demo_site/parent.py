"""A process of the demonstration ends when its parent was killed and could not say so."""

import os
import threading
import time
from collections.abc import Callable

#: The variable that names the parent's process to the others.
PARENT = "DEMO_PARENT"


def end_with_parent(end: Callable[[], object]) -> None:
    """Call ``end`` from a thread once the parent is gone, also if it went before this process was ready."""
    parent = int(os.environ.get(PARENT) or os.getppid())

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        end()

    threading.Thread(target=watch, daemon=True).start()
