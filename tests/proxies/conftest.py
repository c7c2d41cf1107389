"""conftest.py -- fixtures: one server behind all four proxies, for all tests.

served         the World of that server; a second one is not needed, since tests
               keep to channels of their own.
proxy          each of the four in turn.

The helpers are those of the black-box tests.
"""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "blackbox")]

from proxy import PROXIES  # noqa: E402
from world import World, missing_binary  # noqa: E402


def pytest_sessionstart(session):
    if missing_binary():
        pytest.exit(missing_binary(), 2)


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """Keep-alives come often, as they are how Apache notices who has gone; a
    proxy that gathers would not pass them on for being many."""
    world = World(tmp_path_factory.mktemp("tidings"))
    world.start(keepalive_ms=500, drain_ms=100)
    world.settings["listen"] = f"127.0.0.1:{world.port}"
    try:
        yield world
        world.end()
    finally:
        world.abandon()


@pytest.fixture(scope="session")
def proxies(tmp_path_factory, served):
    """All of them by name, running."""
    directory = tmp_path_factory.mktemp("proxies")
    directory.chmod(0o755)
    running = {}
    try:
        for kind in PROXIES:
            running[kind.name] = kind(directory, served.port)
            running[kind.name].start()
        yield running
    finally:
        for proxy in running.values():
            if proxy.process is not None:
                proxy.stop()


@pytest.fixture(params=[kind.name for kind in PROXIES])
def proxy(request, proxies):
    request.node.proxy = proxies[request.param]
    return proxies[request.param]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    proxy = getattr(item, "proxy", None)
    if report.failed and proxy is not None:
        report.sections.append((f"what {proxy.name} said", proxy.said()))
