"""ending.py -- how the programs of rounds end."""

import shutil
import sys


def end(verdict, directory, status, is_kept=False):
    """Says the verdict last, and leaves nothing behind unless it is to be kept."""
    print(verdict)
    if is_kept:
        print(f"kept: {directory}")
    else:
        shutil.rmtree(directory)
    sys.exit(status)
