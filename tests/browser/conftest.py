"""conftest.py -- the browser tests' fixtures: those of the black box, and more.

browser        a headless Chromium of its own for each test; in modules and tests
               marked with @both_browsers (both.py) also a Firefox, which serves
               all tests but is to each as if it were new.

The server is the one that the black-box tests start (world, nats_server).
"""

import importlib.util
import pathlib
import shutil
import sys

import pytest

BLACKBOX = pathlib.Path(__file__).resolve().parents[1] / "blackbox"
sys.path[:0] = [str(pathlib.Path(__file__).parent), str(BLACKBOX)]

_spec = importlib.util.spec_from_file_location("blackbox_conftest",
                                               BLACKBOX / "conftest.py")
_blackbox = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_blackbox)

pytest_configure = _blackbox.pytest_configure
pytest_sessionstart = _blackbox.pytest_sessionstart
pytest_runtest_makereport = _blackbox.pytest_runtest_makereport
nats_server = _blackbox.nats_server
idle_world = _blackbox.idle_world
world = _blackbox.world

from chromium import Chromium  # noqa: E402
from firefox import Firefox, Guest  # noqa: E402


@pytest.fixture(scope="session")
def firefox(tmp_path_factory):
    assert shutil.which("firefox-esr"), "scripts/setup browser installs Firefox"
    firefox = Firefox(tmp_path_factory.mktemp("firefox"))
    yield firefox
    firefox.close()


@pytest.fixture
def browser(request, tmp_path):
    if getattr(request, "param", "chromium") == "firefox":
        with Guest(request.getfixturevalue("firefox")) as guest:
            yield guest
        return
    assert shutil.which("chromium"), "scripts/setup browser installs Chromium"
    directory = tmp_path / "browser"
    directory.mkdir()
    with Chromium(directory) as chromium:
        yield chromium
