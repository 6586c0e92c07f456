"""Every state of the Hub is accessible, in both themes, narrow, enlarged and turned round."""

import pytest
from hub_states import STATES
from looks import sound


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_accessible_and_whole(visitor, state: str) -> None:
    STATES[state](visitor)
    sound(visitor.page)


@pytest.mark.parametrize("language", ["de", "es", "fr", "pt"])
def test_the_form_fits_in_every_language(visit, language: str) -> None:
    visitor = visit(locale=language)
    STATES["missing"](visitor)
    assert visitor.page.get_attribute("html", "lang") == language
    sound(visitor.page)
