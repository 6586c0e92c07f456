"""One deployment for all: the real template, the genuine `sam deploy`, IAM enforced."""

import pytest

from local.stack import running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory):
    with running(state=tmp_path_factory.mktemp("state")) as deployed:
        yield deployed
