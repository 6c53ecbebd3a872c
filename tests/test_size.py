"""What `python -m tools.size` counts."""

from pathlib import Path

from tools.entered import names_of
from tools.size import FILE, Size, by_an_idle_tick, rows, sizes


def test_a_room_has_the_lines_files_and_classes_of_all_its_folders(tmp_path: Path) -> None:
    for file in ("lease/core.py", "daemon/text.py", "daemon/store/views/why.py", "daemon/web/app.py"):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("class A:\n    class B: ...\n")
    one = Size(2, 1, 2)
    found = sizes(tmp_path)
    assert found == {"lease": one, "daemon": one, "daemon/store": one, "daemon/web": one}
    sums = dict(list(rows(found))[-3:])
    assert sums == {"daemon, light": one + one, "daemon, all": one + one + one, "product": one + one + one + one}


def test_functions_that_an_idle_tick_enters_are_named_and_bodies_of_modules_are_not(tmp_path: Path) -> None:
    file = tmp_path / "schedules.toml"
    file.write_text(FILE)
    names = list(names_of(by_an_idle_tick(file).by_any))
    assert any("daemon/service/replica.py" in name and "Replica.tick" in name for name in names)
    assert not any("<module>" in name for name in names)
