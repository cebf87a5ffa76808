"""`python -m benchmarks`: prints one table, writes results.json; exit status 1 where a limit is missed."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.browser.chromium import ChromiumMissing

from .browser import measure_browser
from .delivery import measure_delivery
from .diff import measure_diff
from .figures import table, write_results
from .notice import measure_notice
from .serve import serving
from .server import measure_server
from .site import Kind, make_site
from .sizes import measure_sizes

_RESULTS = Path(__file__).parent / "results.json"


def main() -> int:
    with TemporaryDirectory() as name:
        folder = Path(name)
        sites = {kind: make_site(kind, folder / kind.name.lower()) for kind in Kind}
        figures = measure_sizes(sites)
        figures += measure_diff()
        figures += measure_server(sites[Kind.NO_NONCE], make_site(Kind.BARE, folder / "printed"))
        figures += measure_notice(folder)
        figures += measure_delivery(folder / "delivery")
        served = folder / "served"
        served.mkdir()
        try:
            with serving(served) as addresses:
                figures += measure_browser(addresses)
        except ChromiumMissing as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    write_results(figures, _RESULTS)
    print(table(figures))
    busy, cores = os.getloadavg()[0], os.cpu_count() or 1
    if busy > cores:
        print(f"\nThe machine is busy (load {busy:.1f} on {cores} cores): times are worth little.")
    missed = sum(not one.ok for one in figures)
    print(f"\n{len(figures) - missed} of {len(figures)} within their limits; also in {_RESULTS}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
