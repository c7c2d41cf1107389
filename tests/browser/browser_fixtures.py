"""browser_fixtures.py -- the fixtures of tests with a browser, and the server's.

browser        a headless Chromium; in modules and tests marked with
               @both_browsers (both.py) also a Firefox. One of each serves all
               tests but is to each as if it were new.
"""

import shutil

import pytest

import chromium as of_chromium
import firefox as of_firefox
import server_fixtures
from server_fixtures import *  # noqa: F403

__all__ = [*server_fixtures.__all__, "browser", "chromium", "firefox"]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    assert shutil.which("chromium"), "scripts/setup browser installs Chromium"
    chromium = of_chromium.Chromium(tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.close()


@pytest.fixture(scope="session")
def firefox(tmp_path_factory):
    assert shutil.which("firefox-esr"), "scripts/setup browser installs Firefox"
    firefox = of_firefox.Firefox(tmp_path_factory.mktemp("firefox"))
    yield firefox
    firefox.close()


@pytest.fixture
def browser(request):
    name = getattr(request, "param", "chromium")
    module = {"chromium": of_chromium, "firefox": of_firefox}[name]
    with module.Guest(request.getfixturevalue(name)) as guest:
        yield guest
