"""marks.py -- `from marks import serve`: settings of a test's server."""

import pytest

serve = pytest.mark.serve
