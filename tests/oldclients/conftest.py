"""conftest.py -- the browser tests' fixtures, and nginx in front of the server.

old   nginx as nginx.conf has it: pages and streams of one origin, old paths.
"""

import importlib.util
import pathlib
import sys

import pytest

BROWSER = pathlib.Path(__file__).resolve().parents[1] / "browser"
sys.path[:0] = [str(pathlib.Path(__file__).parent), str(BROWSER)]

_spec = importlib.util.spec_from_file_location("browser_conftest",
                                               BROWSER / "conftest.py")
_browser = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_browser)

pytest_configure = _browser.pytest_configure
pytest_sessionstart = _browser.pytest_sessionstart
pytest_runtest_makereport = _browser.pytest_runtest_makereport
nats_server = _browser.nats_server
idle_world = _browser.idle_world
world = _browser.world
browser = _browser.browser

from old_server import OldServer  # noqa: E402


@pytest.fixture
def old(idle_world, tmp_path):
    with OldServer(idle_world, tmp_path / "nginx") as server:
        yield server
