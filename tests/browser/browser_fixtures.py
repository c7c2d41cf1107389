"""browser_fixtures.py -- the fixtures of tests with a browser, and the server's.

browser        a headless Chromium of its own for each test; in modules and tests
               marked with @both_browsers (both.py) also a Firefox, which serves
               all tests but is to each as if it were new.
"""

import shutil

import pytest

import server_fixtures
from chromium import Chromium
from firefox import Firefox, Guest
from server_fixtures import *  # noqa: F403

__all__ = [*server_fixtures.__all__, "browser", "firefox"]


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
