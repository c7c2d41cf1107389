"""browser_fixtures.py -- the fixtures of tests with a browser, and the server's.

browser        a headless Chromium; in modules and tests marked with
               @both_browsers (both.py) also a Firefox. One of each serves all
               tests but is to each as if it were new.
"""

import shutil

import pytest

import server_fixtures
from chromium import Chromium
from chromium import Guest as ChromiumGuest
from firefox import Firefox
from firefox import Guest as FirefoxGuest
from server_fixtures import *  # noqa: F403

__all__ = [*server_fixtures.__all__, "browser", "chromium", "firefox"]

GUESTS = {"chromium": ChromiumGuest, "firefox": FirefoxGuest}


def started(program, start, directory):
    assert shutil.which(program), "scripts/setup browser installs browsers"
    browser = start(directory)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    yield from started("chromium", Chromium, tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="session")
def firefox(tmp_path_factory):
    yield from started("firefox-esr", Firefox,
                       tmp_path_factory.mktemp("browser"))


@pytest.fixture
def browser(request):
    name = getattr(request, "param", "chromium")
    with GUESTS[name](request.getfixturevalue(name)) as guest:
        yield guest
