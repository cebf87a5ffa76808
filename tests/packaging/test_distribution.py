"""Whatever way the package is installed, its pages, its built front end and its catalogues come along."""

import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# Prints where the package was found, and which files its data folders hold.
PROBE = """
import json
from pathlib import Path

import consent_widget
from consent_widget.data import data_dir

package = Path(consent_widget.__file__).parent
folders = {"templates": package / "templates"} | {name: data_dir(name) for name in ("static", "translations")}
files = {
    name: [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    for name, folder in folders.items()
}
print(json.dumps({"package": str(package), "files": files}))
"""

Found = dict[str, Any]
Probe = Callable[..., Found]


def shipped(root: Path) -> set[str]:
    """The files of a checkout that users of the package need, by their path in a wheel."""
    package = (path for path in (root / "consent_widget").rglob("*") if "__pycache__" not in path.parts)
    data = [*(root / "static/dist").rglob("*"), *(root / "translations").rglob("*.po")]
    return {path.relative_to(root).as_posix() for path in package if path.is_file()} | {
        f"consent_widget/{path.relative_to(root).as_posix()}" for path in data
    }


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def build(kind: str, source: Path, into: Path) -> Path:
    run(
        sys.executable,
        "-m",
        "build",
        f"--{kind}",
        "--no-isolation",
        "--outdir",
        into,
        source,
        cwd=into.parent,
    )
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy to build from, for setuptools writes beside the sources."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, copy)
    for name in ("consent_widget", "static", "translations"):
        shutil.copytree(
            ROOT / name, copy / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__")
        )
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", checkout, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", checkout, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel_from_sdist(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        # Named here, not in the call: Python 3.11.0 to 3.11.3 do not know filters.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)
    (source,) = folder.iterdir()
    return build("wheel", source, tmp_path_factory.mktemp("wheel_from_sdist"))


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    """`probe("--editable", path)` installs into a fresh environment and tells what is found there.

    The environment borrows the dependencies from the one that runs the tests. A plain line in a `.pth` file
    lends the folder alone, not the editable install of this checkout that stands in it.
    """
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    python = environment / "bin/python"
    site_packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path)
    Path(site_packages.strip(), "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")

    def install_and_ask(*arguments: str | Path, cwd: Path = tmp_path) -> Found:
        if arguments:
            offline = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
            run(
                sys.executable, "-m", "pip", "--python", python, "install", *offline, *arguments, cwd=tmp_path
            )
        found: Found = json.loads(run(python, "-c", PROBE, cwd=cwd))
        return found

    return install_and_ask


def assert_complete(found: Found, names: set[str]) -> None:
    for folder, prefix in (("templates", ""), ("static", "dist/"), ("translations", "")):
        inside = f"consent_widget/{folder}/"
        expected = {name.removeprefix(inside) for name in names if name.startswith(inside + prefix)}
        assert expected, folder
        assert expected <= set(found["files"][folder])  # a checkout's static/ holds the sources as well


@pytest.mark.parametrize("built", ["wheel", "wheel_from_sdist"])
def test_wheel_holds_what_users_need_and_nothing_else(
    built: str, checkout: Path, request: pytest.FixtureRequest
) -> None:
    with zipfile.ZipFile(request.getfixturevalue(built)) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert names == shipped(checkout)


@pytest.mark.parametrize("built", ["wheel", "wheel_from_sdist"])
def test_installed_wheel_finds_its_data(
    built: str, checkout: Path, probe: Probe, request: pytest.FixtureRequest
) -> None:
    found = probe(request.getfixturevalue(built))

    assert "environment/lib" in found["package"]
    assert_complete(found, shipped(checkout))


def test_editable_install_finds_its_data(checkout: Path, probe: Probe) -> None:
    found = probe("--editable", checkout)

    assert found["package"] == str(checkout / "consent_widget")
    assert_complete(found, shipped(checkout))


def test_plain_checkout_finds_its_data(checkout: Path, probe: Probe) -> None:
    found = probe(cwd=checkout)

    assert found["package"] == str(checkout / "consent_widget")
    assert_complete(found, shipped(checkout))


def test_setup_cfg_lists_every_package() -> None:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = settings["options"]["packages"].split()

    code = {path.parent for path in (ROOT / "consent_widget").rglob("*.py")}
    packages = {".".join(folder.relative_to(ROOT).parts) for folder in code}
    mapped = {f"consent_widget.{name}" for name in ("static", "translations")}
    assert listed == sorted(packages | mapped)
