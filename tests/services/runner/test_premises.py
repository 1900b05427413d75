"""Services share their workspace; whoever mends it has it alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.services.runner.premises import Premises


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Premises, Premises]]:
    """Two processes' views of one workspace."""
    made = Premises(workspace=tmp_path, wait_s=0.0), Premises(workspace=tmp_path, wait_s=0.0)
    yield made
    for each in made:
        each.leave()


async def test_services_are_there_together_and_none_of_them_alone(both: tuple[Premises, Premises]) -> None:
    first, second = both
    assert first.take_alone()
    await first.share()
    assert not second.take_alone()
    await second.share()
    assert not first.take_alone()
    second.leave()
    assert first.take_alone()


async def test_nobody_comes_in_while_somebody_mends(both: tuple[Premises, Premises]) -> None:
    first, second = both
    assert first.take_alone()
    with pytest.raises(ConfigurationError, match="doctor --mend"):
        await second.share()
    first.leave()
    await second.share()


def test_a_workspace_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="WORKSPACE_DIR"):
        Premises(workspace=tmp_path / "file").take_alone()
