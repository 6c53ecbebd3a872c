"""What is kept of what an attempt prints, until it is saved."""

import random

from daemon.jobs.output import KEPT_BYTES, KEPT_LINES, MOST_BYTES, Transcript
from daemon.jobs.reports import Piece
from daemon.store.views.output import Position, fragments


class Database:
    """The pieces of one attempt as the database has them."""

    def __init__(self) -> None:
        self.pieces: dict[int, Piece] = {}

    def take(self, piece: Piece | None) -> None:
        if piece is not None:
            self.pieces = {start: one for start, one in self.pieces.items() if start >= (piece.keep_from or 0)}
            self.pieces[piece.start] = piece

    def texts(self) -> list[tuple[int, int, str]]:
        return [(piece.start, piece.line, piece.text) for piece in self.pieces.values()]


def line(number: int, length: int = 80) -> str:
    return f"{number} ".ljust(length - 1, "ä") + "\n"


def test_what_was_handed_over_comes_again_until_it_is_saved() -> None:
    transcript = Transcript()
    assert transcript.unsaved() is None
    transcript.add("one\n")
    first = transcript.unsaved()
    assert first == Piece(0, 0, "one\n")
    transcript.add("zwölf\n")
    assert transcript.unsaved() is first
    transcript.saved(first)
    assert transcript.unsaved() == Piece(0, 0, "one\nzwölf\n"), "a small piece is written again with what follows"


def test_a_piece_that_is_large_is_not_written_again() -> None:
    transcript = Transcript()
    transcript.add(line(1, 5000))
    first = transcript.unsaved()
    assert first is not None
    transcript.saved(first)
    assert transcript.unsaved() is None
    transcript.add("two\n")
    assert transcript.unsaved() == Piece(first.size, 1, "two\n")


def test_what_is_left_at_the_end_includes_what_may_not_be_saved() -> None:
    transcript = Transcript()
    transcript.add("one\n")
    transcript.unsaved()
    transcript.add("two\n")
    assert transcript.close() == Piece(0, 0, "one\ntwo\n")
    assert transcript.unsaved() is None, "the end of the attempt has it"


def test_the_last_200_lines_and_64_kib_are_kept_however_it_comes() -> None:
    """While it is saved each second, while the database is away, and in the midst of either."""
    chance = random.Random(7)
    for trial in range(30):
        transcript, database, printed = Transcript(), Database(), ""
        for number in range(chance.randrange(1, 800)):
            text = line(number, chance.choice((4, 80, 400)))
            transcript.add(text)
            printed += text
            if chance.random() < 0.2 and (piece := transcript.unsaved()):
                database.take(piece)
                if chance.random() < 0.8:
                    transcript.saved(piece)
        ended = transcript.close()
        left = [] if ended is None else [(ended.start, ended.line, ended.text)]
        last, _ = fragments([*database.texts(), *left])
        assert printed.endswith(last[-1].text), trial
        assert last[-1].text.count("\n") >= min(KEPT_LINES, printed.count("\n")), trial
        assert len(last[-1].text.encode()) >= min(KEPT_BYTES, len(printed.encode())), trial
        whole = sum(one.cut_bytes + len(one.text.encode()) for one in last)
        assert whole == len(printed.encode()), "nothing is lost without a mark"
        assert sum(one.cut_lines + one.text.count("\n") for one in last) == printed.count("\n"), trial


def test_a_gigabyte_costs_bounded_memory_and_bounded_space() -> None:
    """Of which a hundredth is printed here."""
    block, transcript, database = line(1, 1000) * 32, Transcript(), Database()
    for number in range(320):
        transcript.add(block)
        assert transcript._new.size <= KEPT_LINES * 1000 + 2 * len(block.encode())
        if number % 10 == 0 and (piece := transcript.unsaved()):
            database.take(piece)
            transcript.saved(piece)
    assert sum(piece.size for piece in database.pieces.values()) < 3 * MOST_BYTES
    assert len(transcript._stored.items) < 10


def test_a_line_a_second_for_hours_makes_few_pieces() -> None:
    transcript, database = Transcript(), Database()
    for number in range(5_000):
        transcript.add(line(number))
        piece = transcript.unsaved()
        assert piece is not None
        assert piece.size < 8 * 1024
        database.take(piece)
        transcript.saved(piece)
    assert len(database.pieces) < 40


def test_while_the_database_is_away_the_first_and_the_last_are_kept() -> None:
    transcript = Transcript()
    transcript.add("it begins\n")
    first = transcript.unsaved()
    assert first is not None
    for number in range(10_000):
        transcript.add(line(number))
    assert transcript.unsaved() is first
    transcript.saved(first)
    last = transcript.unsaved()
    assert last is not None
    assert last.text.endswith(line(9_999))
    found, _ = fragments([(one.start, one.line, one.text) for one in (first, last)])
    assert [(one.cut_lines, one.text.count("\n")) for one in found] == [(0, 1), (10_000 - last.lines, last.lines)]


def test_what_was_read_before_is_not_read_again() -> None:
    first, place = fragments([(0, 0, "one\n"), (4, 1, "zwö")])
    assert ([one.text for one in first], place) == (["one\nzwö"], Position(8, 1))
    assert fragments([(4, 1, "zwölf\n")], place)[0][0].text == "lf\n"
    assert fragments([(4, 1, "zwö")], place) == ([], place)
