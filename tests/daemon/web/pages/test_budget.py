"""What a browser must load before it shows a page, and keeps for a year."""

import pytest

from daemon.web.pages import site

# All pages share one style, of which 8 KB are sent where a proxy compresses it.
LIMITS = {"style.css": 34 * 1024, "script.js": 16 * 1024}


@pytest.mark.parametrize("name", LIMITS)
def test_style_and_script_stay_small(name: str) -> None:
    content, _ = site._file(name)
    assert len(content) <= LIMITS[name]


def test_the_glyphs_that_each_page_has_stay_small() -> None:
    made = site._environment().get_template("glyphs.html").module
    assert len(made.sprite()) <= 5_000  # type: ignore[attr-defined]
