"""What becomes of the lines of a crontab."""

import subprocess
import tomllib

import pytest

from daemon.definitions.crontab import as_work, has_users, name_for, split_input

from .crontabs import document, imported, only, remarks


def test_a_later_value_of_a_variable_holds_for_later_lines() -> None:
    before, first, second = imported(
        "0 1 * * * a", "A=1", "B = 'one two'", "0 2 * * * b", 'A="2 "', "0 3 * * * c"
    ).schedules
    assert (before.env, first.env, second.env) == ({}, {"A": "1", "B": "one two"}, {"A": "2 ", "B": "one two"})


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("A=1", "A", "1"),
        ("A = 1 2  ", "A", "1 2"),
        ("A=", "A", ""),
        ('A=""', "A", ""),
        ('"A B"=\'"\'', "A B", '"'),
        ("A=b=c", "A", "b=c"),
        ("A=it's # so", "A", "it's # so"),
    ],
)
def test_a_variable_is_read_as_cron_reads_it(line: str, name: str, value: str) -> None:
    assert only(line, "* * * * * true").env == {name: value}


@pytest.mark.parametrize("line", ["A='b", "A='b' c", "A 1", "=1"])
def test_what_is_no_variable_is_lost_and_told(line: str) -> None:
    assert imported(line, "* * * * * true").lost == [1]


def test_what_cron_keeps_for_itself_is_told() -> None:
    told = imported("MAILTO=ops", 'MAILTO=""', "LOGNAME=x", "LEASE_NAME=x", "CRON_TZ=Mars/Base", "RANDOM_DELAY=soon")
    assert [remark.lines for remark in told.remarks] == [(1,), (3,), (4,), (5,), (6,)]
    assert told.lost == [4, 5, 6]


@pytest.mark.parametrize("line", ["CRON_TZ=Mars/Base", "CRON_TZ='Asia/Tokyo", "CRON_TZ\tUTC", "CRON_TZ:UTC"])
def test_lines_below_a_time_zone_that_is_lost_are_lost_too_up_to_the_next_one(line: str) -> None:
    """They would be due by the zone before it."""
    told = imported("CRON_TZ=Asia/Tokyo", "0 1 * * * a", line, "0 2 * * * b", "CRON_TZ=UTC", "0 3 * * * c")
    assert [(one.timing, one.timezone) for one in told.schedules] == [("0 1 * * *", "Asia/Tokyo"), ("0 3 * * *", "UTC")]
    assert told.lost == [3, 4]
    (said,) = [remark.text for remark in told.remarks if remark.lines == (4,)]
    assert said == "the CRON_TZ above it was not converted, so its time zone is unknown"


def test_a_variable_with_a_longer_name_is_no_time_zone() -> None:
    assert only("CRON_TZ_NOTE=1", "0 2 * * * b").env == {"CRON_TZ_NOTE": "1"}


def test_variables_that_are_settings_here_become_them() -> None:
    one = only("SHELL=/bin/bash", "HOME=/srv", "CRON_TZ=Asia/Tokyo", "RANDOM_DELAY=90", "0 1 * * * a")
    assert (one.command, one.cwd, one.timezone, one.jitter) == (["/bin/bash", "-c", "a"], "/srv", "Asia/Tokyo", 90)
    assert one.env == {"HOME": "/srv"}
    assert 'jitter = "1h30m"' in document(imported("RANDOM_DELAY=90", "0 1 * * * a"))


@pytest.mark.parametrize(
    ("written", "command", "given"),
    [
        ("date +\\%F", "date +%F", None),
        ("a%b", "a", "b\n"),
        ("a %b%c%", "a", "b\nc\n"),
        ("a%50\\%%x", "a", "50%\nx\n"),
        ("a%", "a", None),
        ("a%%", "a", "\n"),
        ("a \\\\%b", "a \\\\", "b\n"),
        ("a%b\\\\%c", "a", "b\\%c\n"),
        ("a \\n", "a \\n", None),
    ],
)
def test_a_percent_is_what_it_is_to_cron(written: str, command: str, given: str | None) -> None:
    assert split_input(written) == (command, given)


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
@pytest.mark.parametrize("command", ["cat -", "cat - && echo 'it''s'", "(cat; true)"])
@pytest.mark.usefixtures("processes")
def test_a_command_with_input_gets_what_cron_writes(command: str, shell: str) -> None:
    work = as_work(f"{command}%it's 50\\%%%\\x $HOME", shell)
    assert isinstance(work, str)
    done = subprocess.run(["/bin/sh", "-c", work], capture_output=True, text=True, check=True)
    assert done.stdout.removesuffix("its\n") == "it's 50%\n\n\\x $HOME\n"


def test_a_user_is_told_and_kept_as_a_comment() -> None:
    lines = ("0 1 * * * ada a", "0 2 * * * root b", "0 3 *\t* *\troot\tc", "0 4 * * * nobody d", "0 5 * * * gone e")
    found = imported(*lines, with_users=True)
    assert [(one.command, one.cwd, one.comments) for one in found.schedules] == [
        ("a", "/people/ada", ()),
        ("b", "/root", ("cron ran this as root",)),
        ("c", "/root", ("cron ran this as root",)),
        ("d", "/", ("cron ran this as nobody",)),
        ("e", None, ("cron ran this as gone",)),
    ]
    assert [remark.lines for remark in found.remarks] == [(2, 3), (4,), (5,), (5,)]
    assert 'write command = ["sudo", "-n", "-u", "root", …]' in found.remarks[0].text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0 1 * * * root a\n@daily ada b c\n", True),
        ("0 1 * * * root a\n0 1 * * * backup\n", False),
        ("0 1 * * * root\n", False),
        ("0 1 * * * root a\n0 0 * * * * root b\n", True),
        ("A=1\n# nothing\n", False),
    ],
)
def test_whether_there_are_users_is_found_out(text: str, found: bool) -> None:
    assert has_users(text, {"root", "ada", "backup"}) is found


def test_comments_right_above_a_line_describe_it_and_others_stay() -> None:
    found = imported(
        "# of the file",
        "",
        "# Copy all",
        "# of it",
        "0 1 * * * a",
        "# 0 2 * * * off",
        "0 3 * * * b",
        "# m h",
        "0 4 * * * c",
    )
    assert [(one.description, one.comments) for one in found.schedules] == [
        ("Copy all of it", ()),
        ("", ("0 2 * * * off",)),
        ("", ("m h",)),
    ]
    written = document(found)
    assert "# of the file\n" in written
    assert "\n# 0 2 * * * off\n[schedules.b]\n" in written


def test_the_last_comment_stays() -> None:
    assert document(imported("0 1 * * * a", "# the end")).endswith("\n# the end\n")


def test_windows_lines_and_a_missing_newline_are_told() -> None:
    found = imported("0 1 * * * a\r")
    assert found.schedules[0].command == "a"
    assert "CR LF" in found.remarks[0].text


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("0 1 * * * [ -x a ] && a", "if its test is false"),
        ("0 1 * * * command -v a >/dev/null && a", "if its test is false"),
        ("0 1 * * * [ -x a ] && if [ ! -d b ]; then a; fi", "if its test is false"),
        ("0 1 * * * [ -x a ] && a; b", None),
        ("0 1 * * * [ -x a ] || exit 0; a", None),
        ("0 1 * * * a && b", None),
        ("0 1 * * * flock -n /tmp/a.lock a", "flock is not needed: by default, a run is skipped"),
        ("0 1 * * * cd /srv && /usr/bin/flock -w 5 a.lock a", "flock is not needed: by default, a run is skipped"),
        ("0 1 * * * a --flock b; unflock c", None),
        ("0 1 * * * nohup a > b 2>&1 &", "it leaves a process running in the background: leased kills"),
        ("0 1 * * * (a & b &) ; c", "it leaves a process running in the background: leased kills"),
        ("0 1 * * * a & b & wait", None),
        ("0 1 * * * a 'x?b=1&c=2' && b >& c", None),
        ("PATH=$HOME/bin", "cron does not expand the $ in PATH"),
        ("0 9 * * 5-0 a", "Debian's cron never runs a range"),
        ("0 9 * * 7-2 a", "Debian's cron never runs a range"),
        ("0 9 * * sun-mon a", None),
        ("0 9 * * sat-7 a", None),
    ],
)
def test_what_may_surprise_is_told(line: str, told: str | None) -> None:
    found = remarks(line)
    assert len(found) == (told is not None)
    assert found == [] or found[0].startswith(str(told))


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/srv/app/backup.sh >> /var/log/backup.log 2>&1", "backup"),
        ("cd / && run-parts --report /etc/cron.daily", "cron-daily"),
        ("sudo -u www-data php -f /var/www/cron.php", "cron"),
        ("A=/srv/x python3 -m shop.sync", "python3"),
        ("nightly > /dev/null", "nightly"),
        ("certbot renew >/dev/null 2>&1", "certbot"),
        ("nightly >>/var/log/nightly.log 2>&1", "nightly"),
        ("report 2> /var/log/report.err </dev/null", "report"),
        ("A=1", "job"),
        ("'", "job"),
        ("日本", "job"),
    ],
)
def test_a_schedule_is_named_after_the_first_file_of_its_command_or_its_first_word(command: str, name: str) -> None:
    assert name_for(command) == name


def test_names_are_unique_whatever_they_are() -> None:
    names = [
        one.schedule for one in imported(*["0 1 * * * a", "0 1 * * * a-2", "0 1 * * * a", "0 1 * * * a"]).schedules
    ]
    assert names == ["a", "a-2", "a-3", "a-4"]


@pytest.mark.parametrize(
    "command", ["echo 'a' \"b\" \\c", "echo \x01\x7f\u2028 ä 🌍", "printf '\\t' '''", "a\tb", '"', "#'"]
)
def test_any_command_is_the_same_in_the_file(command: str) -> None:
    read = tomllib.loads(
        document(imported(f"0 1 * * * {command}", f"# {command}", f'A="{"" if chr(34) in command else command}"'))
    )
    [schedule] = read["schedules"].values()
    assert schedule["jobs"][0]["command"] == command
