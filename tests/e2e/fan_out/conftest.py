"""What tests of fan-out share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dask_cluster import DaskCluster, dask_cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    """Give a scheduler without workers; whatever it starts ends with it."""
    (tmp_path / "cluster").mkdir()
    with dask_cluster(tmp_path / "cluster") as made:
        yield made
