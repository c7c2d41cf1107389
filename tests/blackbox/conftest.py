"""conftest.py -- the fixtures of the black-box tests: server_fixtures.py."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from server_fixtures import *  # noqa: E402, F403
