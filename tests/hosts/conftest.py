"""One project for all stories."""

from pathlib import Path

import pytest

from .project import Host


@pytest.fixture(scope="session")
def host(wheel_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Host:
    host = Host(tmp_path_factory.mktemp("host"), wheel_site)
    host.take_stories()
    return host
