"""``python -m demo_site.prepare``: tables, the first notice and the staff, by the commands that a host runs.

All in one process, as each start of Python and of the site takes a second. Earlier data stays.
"""

import json
from pathlib import Path

from flask import Flask

from . import create_app
from .settings import DemoError, read_settings
from .staff import Run, add_staff

NOTICES = Path(__file__).parent / "notices"


def main() -> None:
    settings = read_settings()
    run = commands(create_app())
    run("upgrade")
    if not json.loads(run("versions", "--json")):
        run("import-notice", str(NOTICES), "--announce")
    add_staff(settings.directory, run)


def commands(app: Flask) -> Run:
    """What runs ``flask consent`` with arguments and a text for its input, and gives what it prints.

    It raises what the command did, and DemoError where that has told itself what was wrong.
    """
    runner = app.test_cli_runner()

    def run(*arguments: str, given: str = "") -> str:
        done = runner.invoke(args=["consent", *arguments], input=given, catch_exceptions=False)
        if done.exit_code:
            raise DemoError(done.output.strip())
        return done.stdout

    return run


if __name__ == "__main__":
    main()
