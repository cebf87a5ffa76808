"""A worker that is measured, in a process of its own.

`python -m benchmarks.worker FOLDER LIMIT` waits for a line, makes the rows of the campaign of the
host in FOLDER, prints how many seconds that took, sends LIMIT mails as `flask consent deliver` does,
and prints the most memory that it ever had, in kilobytes.
"""

import os
import resource
import sys
from pathlib import Path
from time import perf_counter

from flask.cli import ScriptInfo

from consent_widget.services.audience import prepare
from tests.factories import deployment
from tests.tasks.host import create_app


def main() -> None:
    folder, limit = sys.argv[1:]
    app = create_app(Path(folder))
    here = deployment(app)
    print("ready", flush=True)
    sys.stdin.readline()
    start = perf_counter()
    prepare(here, now=here.clock)
    print(perf_counter() - start, flush=True)
    app.cli.main(
        ["consent", "deliver", "--limit", limit],
        obj=ScriptInfo(create_app=lambda: app),
        standalone_mode=False,
    )
    print(_peak(), flush=True)
    os._exit(0)


def _peak() -> int:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Unlike getrusage's it does not count what the parent had.
    return int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    main()
