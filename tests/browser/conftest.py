"""conftest.py -- the fixtures of the browser tests: browser_fixtures.py."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "blackbox")]

from browser_fixtures import *  # noqa: E402, F403
