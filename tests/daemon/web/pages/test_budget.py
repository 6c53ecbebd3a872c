"""What a browser must load before it shows a page, and keeps for a year."""

from pathlib import Path

import pytest

from daemon.web.pages import site

# All pages share one style, of which 8 KB are sent where a proxy compresses it.
LIMITS = {"style.css": 32 * 1024, "script.js": 16 * 1024}


@pytest.mark.parametrize("name", LIMITS)
def test_style_and_script_stay_small(name: str) -> None:
    content, _ = site._file(name)
    assert len(content) <= LIMITS[name]


def test_the_glyphs_that_each_page_has_stay_small() -> None:
    made = site._environment().get_template("glyphs.html").module
    assert len(made.sprite()) <= 5_000  # type: ignore[attr-defined]


NESTED = """/* what its readers need */
.a, .b {
  color: red; width: calc(100% + 2px);
  &:hover { color: blue; } > li + li, .c :is(.d, e) { margin: 0; }
  &::before { content: " · "; }
}
@media (max-width: 720px) {
  .a { &.b { color: red; } .c :first-child { color: blue; } }
}
"""
SENT = (
    ".a,.b{color:red;width:calc(100% + 2px);&:hover{color:blue}> li + li,.c :is(.d,e){margin:0}"
    '&::before{content:" · "}}@media (max-width:720px){.a{&.b{color:red}.c :first-child{color:blue}}}'
)


def test_nested_style_is_sent_without_comments_and_spaces_and_means_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "static" / "style"
    folder.mkdir(parents=True)
    (folder / "10-nested.css").write_text(NESTED)
    monkeypatch.setattr(site, "_HERE", tmp_path)
    content, _ = site._file.__wrapped__("style.css")
    assert content.decode().strip() == SENT
