"""Which tests run in one process: those of a file, so that what they share is made once.

A file with much to do names smaller groups by `pytest.mark.xdist_group`. (pytest-xdist, `--dist loadgroup`.)
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.location[0]))
