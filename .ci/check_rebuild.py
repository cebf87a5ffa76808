"""Does the committed static/dist come from static/src?

It is built again elsewhere and compared: scripts and styles byte by byte, their compressed forms by what they
hold, for two versions of zlib may pack the same bytes differently.
"""

import gzip
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import brotli

ROOT = Path(__file__).resolve().parent.parent


def contents(dist: Path) -> dict[str, bytes]:
    unpack = {".br": brotli.decompress, ".gz": gzip.decompress}
    return {path.name: unpack.get(path.suffix, bytes)(path.read_bytes()) for path in sorted(dist.iterdir())}


def rebuilt() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder, "static")
        shutil.copytree(ROOT / "static", again, ignore=shutil.ignore_patterns("dist", "node_modules"))
        (again / "node_modules").symlink_to(ROOT / "static/node_modules")
        subprocess.run(
            [ROOT / ".ci/npm", "--prefix", again, "run", "--silent", "build"],
            check=True,  # npm has said why
            stdout=subprocess.DEVNULL,
        )
        return contents(again / "dist")


def main() -> str | None:
    committed, expected = contents(ROOT / "static/dist"), rebuilt()
    differing = [name for name in sorted(committed | expected) if committed.get(name) != expected.get(name)]
    if differing:
        return (
            f"static/dist is not what static/src builds; run `make build`. Differing: {', '.join(differing)}"
        )
    return None


if __name__ == "__main__":
    sys.exit(main())
