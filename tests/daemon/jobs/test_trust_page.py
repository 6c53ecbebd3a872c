"""The trust pages, from which a keeper and a child read until when their run is trusted (rules 9 and 20)."""

import os
import sys
import threading
from pathlib import Path

import pytest

from daemon.jobs.processes.keeper import trusted_until
from daemon.jobs.processes.trust_page import TrustPage, TrustPages
from tests.daemon.jobs.trust import a_page


def page_of(page: TrustPage) -> tuple[int, int, int]:
    """Return what another process is told of it."""
    fd, place, number = map(int, page.address.split(":"))
    return fd, place, number


def test_the_end_of_trust_never_moves_backwards() -> None:
    page = a_page(10.0)
    page.extend(9.0)
    assert trusted_until(*page_of(page)) == 10.0
    page.close()


def test_the_descriptor_that_is_passed_on_cannot_be_written() -> None:
    page = a_page(1.0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pwrite(page.fd, b"12345678", 0)
    page.close()


def test_a_closed_page_takes_a_late_renewal_and_does_nothing() -> None:
    page = a_page(1.0)
    page.close()
    page.extend(2.0)
    page.close()
    assert page.fd == -1


def test_runs_have_pages_of_their_own_in_one_file() -> None:
    pages = TrustPages(2)
    one, other = pages.take(1.0), pages.take(2.0)
    one.extend(3.0)
    assert (trusted_until(*page_of(one)), trusted_until(*page_of(other)), one.fd) == (3.0, 2.0, other.fd)
    pages.close()


def test_who_still_reads_a_page_that_was_given_back_has_no_trust_whoever_has_it_now() -> None:
    """A keeper that was stuck while its run ended must not go by the trust of another run."""
    pages = TrustPages(1)
    left = pages.take(100.0)
    known = page_of(left)
    left.close()
    assert trusted_until(*known) == 0.0
    assert trusted_until(*page_of(pages.take(200.0))) == 200.0
    assert trusted_until(*known) == 0.0
    pages.close()


def test_a_renewal_after_the_memory_is_freed_is_written_nowhere(tmp_path: Path) -> None:
    pages = TrustPages(1)
    page = pages.take(1.0)
    pages.close()
    with (tmp_path / "another").open("wb") as first, (tmp_path / "file").open("wb") as second:
        page.extend(2.0)  # its descriptors may be theirs now
        page.close()
        assert (os.fstat(first.fileno()).st_size, os.fstat(second.fileno()).st_size) == (0, 0)


def test_threads_extend_and_a_reader_only_sees_it_grow() -> None:
    page = a_page()

    def renew(start: int) -> None:
        for n in range(2000):
            page.extend(start + n * 1.1)

    threads = [threading.Thread(target=renew, args=(start,)) for start in range(3)]
    for thread in threads:
        thread.start()
    seen = [0.0]
    while any(thread.is_alive() for thread in threads):
        seen.append(trusted_until(*page_of(page)))
    assert seen == sorted(seen)
    assert trusted_until(*page_of(page)) == 2 + 1999 * 1.1
    page.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the page is a file without a name already")
def test_other_platforms_use_a_file_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "other")
    page = a_page(3.0)
    assert os.fstat(page.fd).st_nlink == 0
    page.extend(4.0)
    assert trusted_until(*page_of(page)) == 4.0
    page.close()
