"""One egg for all tests of deployment: to build one takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from deployment._scrapyd import copy_project, deploy


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, as somebody who deploys it has one; an older version was built there that held more."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    stale = project / "build" / "lib" / "outsourcing_spiders" / "removed.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    return project


@pytest.fixture(scope="session")
def egg(project: Path) -> Path:
    """An egg of the project."""
    deploy("--build-egg", project / "project.egg", cwd=project)
    return project / "project.egg"
