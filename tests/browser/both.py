"""both.py -- `from both import both_browsers`: a test of every browser."""

import pytest

both_browsers = pytest.mark.parametrize("browser", ["chromium", "firefox"],
                                        indirect=True)
