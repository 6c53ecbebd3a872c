"""Settings: flag, then environment, then the file, then default; each refusal one sentence that names its place."""

import json
import os
from pathlib import Path

import pytest

from daemon.service.environment import unknown_variables
from daemon.service.outside.file_check import as_plain, handed_over
from daemon.service.settings import STOP_MARGIN, Settings, SettingsError, flag_of, read_settings
from daemon.web.address import WebAddress


@pytest.fixture(autouse=True)
def no_settings_of_the_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("LEASED_")]:
        monkeypatch.delenv(variable)


TOKEN = "t" * 20


def test_without_any_setting_the_defaults_hold() -> None:
    settings = read_settings()
    assert settings.database == "sqlite:///leased.db"
    assert settings.timing.ttl == 15
    assert settings.grace == 20
    assert settings.web == WebAddress("127.0.0.1", 8520, asked=False)


def test_a_flag_goes_before_the_environment_and_that_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = {"lease_ttl": "40s", "grace": "3m", "concurrency": 3}
    monkeypatch.setenv("LEASED_LEASE_TTL", "30s")
    monkeypatch.setenv("LEASED_GRACE", "2m")
    settings = read_settings({"lease_ttl": "20s", "grace": None}, file)
    assert (settings.lease_ttl, settings.grace, settings.concurrency) == (20, 120, 3)


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASED_LEASE_TTL", "")
    assert read_settings({}, {"lease_ttl": "30s"}).lease_ttl == 30


@pytest.mark.parametrize("name", ["LEASED_DATABASE_URL", "LEASED_DATABASE_URL_FILE"])
def test_but_one_that_names_the_database_is_a_mistake(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A replica would begin on an empty database of its own, where a secret is missing."""
    for value in ("", " "):
        monkeypatch.setenv(name, value)
        with pytest.raises(SettingsError, match=f"^{name} is set, but empty; give it a value, or unset it"):
            read_settings({}, {"database_url": "sqlite:///other.db"})
        assert read_settings({"database_url": "sqlite:///flag.db"}).database == "sqlite:///flag.db"


def test_the_url_comes_out_of_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://u:secret@db/shop\n")
    monkeypatch.setenv("LEASED_DATABASE_URL_FILE", str(secret))
    assert read_settings({}, {"database_url": "sqlite:///other.db"}).database == "postgresql://u:secret@db/shop"
    assert read_settings({"database_url": "sqlite:///flag.db"}).database == "sqlite:///flag.db"


def test_the_url_and_its_file_together_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LEASED_DATABASE_URL_FILE", str(tmp_path / "url"))
    monkeypatch.setenv("LEASED_DATABASE_URL", "sqlite:///a.db")
    with pytest.raises(SettingsError, match="LEASED_DATABASE_URL and LEASED_DATABASE_URL_FILE are both set"):
        read_settings()


def test_in_a_job_the_url_of_its_replica_counts_whatever_named_it_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASED_DATABASE_URL_FILE", "/run/secrets/url")
    monkeypatch.setenv("LEASED_DATABASE_URL", "sqlite:////srv/a.db")
    monkeypatch.setenv("LEASED_KEEPER", "17.4711")
    assert read_settings().database == "sqlite:////srv/a.db"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "is empty"),
        ("what:secret", "is not valid"),
        (
            "sqlite:///secret.db\nsqlite:///other.db\n",
            "has several lines; it must contain only the URL of the database",
        ),
    ],
)
def test_a_file_without_a_url_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "url").write_text(content)
    monkeypatch.setenv("LEASED_DATABASE_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(SettingsError, match=said) as refused:
        read_settings()
    assert str(refused.value).startswith("LEASED_DATABASE_URL_FILE: ")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("LEASE_TTL", "soon", "'soon' is not a duration"),
        ("LEASE_TTL", "31d", "ttl is 31d, more than 30d: the lease of a holder that has died stays locked"),
        ("GIVE_UP", "14s", "give_up + kill_time is 17s, not less than ttl"),
        ("CONCURRENCY", "0", '"0" is not a whole number of 1 or more'),
        ("CONCURRENCY", "many", '"many" is not a whole number of 1 or more'),
        ("POLL", "0", "it must be longer than 0s"),
        ("WEB", "everywhere", '"everywhere" is not HOST:PORT'),
        ("WEB", "127.0.0.1:70000", "is not HOST:PORT"),
        ("LOG_FORMAT", "xml", '"xml" is not one of text, json'),
        ("DATABASE_URL", "mysql://u:secret@h/d", "mysql is not supported"),
        ("DATABASE_URL", "u:secret@h", "the database's URL cannot be read"),
    ],
)
def test_a_wrong_variable_gets_one_sentence_that_names_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"LEASED_{variable}", value)
    with pytest.raises(SettingsError) as refused:
        read_settings()
    sentence = str(refused.value)
    assert sentence.startswith(f"LEASED_{variable}: ")
    assert said in sentence
    assert "\n" not in sentence
    assert "secret" not in sentence


def test_by_default_all_of_stopping_fits_into_the_30_seconds_that_a_supervisor_gives() -> None:
    """Rule 19: grace, the death of the work, and half a second for last words besides."""
    settings = read_settings()
    assert settings.longest_stop == 20 + 3 + STOP_MARGIN
    assert settings.longest_stop + 0.5 < 30
    assert read_settings({"lease_ttl": "30s", "grace": "1m"}).longest_stop == 60 + 6 + STOP_MARGIN


def test_an_unknown_variable_is_told_with_the_nearest_name() -> None:
    environment = {
        "LEASED_LEASE_TLL": "1s",
        "LEASED_GRACE": "1s",
        "LEASED_RUN": "4",
        "LEASED_KEEPER": "1.2",
        "LEASED_TEST_POSTGRES": "16",
        "LEASED_SUPERVISOR_FD": "3",
        "PATH": "/bin",
    }
    assert unknown_variables(environment, Settings.model_fields) == [
        'LEASED_LEASE_TLL is set, but there is no such setting; did you mean "LEASED_LEASE_TTL"?'
    ]


def test_each_setting_has_a_flag_but_those_that_must_not_show_in_a_list_of_processes() -> None:
    assert {name for name in Settings.model_fields if flag_of(name) is None} == {
        "database_url_file",
        "web_token",
        "web_read_token",
        "ping",
    }
    assert (flag_of("database_url"), flag_of("lease_ttl"), flag_of("give_up")) == ("--database", "--ttl", "--give-up")


def test_no_representation_shows_a_password_or_a_token() -> None:
    settings = read_settings({"database_url": "postgresql://u:secret@db/shop", "web_token": "geheim" * 4})
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert "secret" not in text
        assert "geheim" not in text


def test_an_address_that_others_can_reach_needs_a_token() -> None:
    with pytest.raises(
        SettingsError, match=r"^--web: 0\.0\.0\.0:80 can be reached from other machines; set LEASED_WEB"
    ):
        read_settings({"web": "0.0.0.0:80"})
    assert str(read_settings({"web": "0.0.0.0:80", "web_token": TOKEN}).web) == "0.0.0.0:80"
    assert read_settings({"web": "off"}).web is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"web_token": "x" * 19}, r"^web_token: 19 characters can be guessed; use 20 or more"),
        ({"web_token": TOKEN, "web_read_token": "short"}, r"^web_read_token: 5 characters can be guessed"),
        ({"web_token": f"{TOKEN}\n"}, r"^web_token: it has spaces or characters that are not ASCII"),
        ({"web_token": f"{TOKEN}é"}, r"^web_token: it has spaces or characters that are not ASCII"),
        ({"web_read_token": TOKEN}, r"^web_read_token: set LEASED_WEB_TOKEN too, to another token"),
        ({"web_token": TOKEN, "web_read_token": TOKEN}, r"^web_read_token: set LEASED_WEB_TOKEN too, to another token"),
        ({"web_hosts": "a.example, https://b"}, r'^--web-hosts: "https://b" is not the name of a host'),
        ({"web_hosts": {"a": "b"}}, r"^--web-hosts: .* is not the name of a host"),
        ({"web_path": "leased/../x"}, r'^--web-path: "leased/../x" is not a path such as /leased'),
        ({"web_path": "/a/../b"}, r'^--web-path: "/a/../b" is not a path such as /leased'),
        ({"web_path": "//evil"}, r'^--web-path: "//evil" is not a path such as /leased'),
        (
            {"web_user_header": "X User", "web_proxies": "10.0.0.1"},
            r'^--web-user-header: "X User" is not the name of a header',
        ),
        ({"web_user_header": "X-User"}, r"^--web-user-header: set LEASED_WEB_PROXIES too; neither has an effect"),
        ({"web_proxies": "10.0.0.1"}, r"^--web-proxies: set LEASED_WEB_USER_HEADER too; neither has an effect"),
        (
            {"web_user_header": "X-User", "web_proxies": "10.0.0.1, proxy"},
            r"^--web-proxies: 'proxy' does not appear to be .*; write addresses or networks: 10.0.0.7, 10.1.0.0/16",
        ),
        ({"web_url": "leased.example.com"}, r"^--web-url: it is not a URL of http or https"),
        (
            {"web_url": "https://leased.example.com/?a=1"},
            r"^--web-url: .* has a query; write only where the pages begin",
        ),
    ],
)
def test_a_token_that_can_be_guessed_and_a_host_that_is_none_are_refused(
    given: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence) as refused:
        read_settings(given)
    assert TOKEN not in str(refused.value)


def test_the_host_of_the_pages_is_one_of_the_server_and_their_url_has_no_slash_at_its_end() -> None:
    settings = read_settings({"web_hosts": "b", "web_url": "https://Leased.example.com/pages/"})
    assert settings.hosts == frozenset({"b", "leased.example.com"})
    assert settings.web_url == "https://Leased.example.com/pages"
    assert settings.pages_at == "/pages"
    assert read_settings({"web_path": "/leased/", "web_url": "https://a.example/pages"}).pages_at == "/leased"
    assert not read_settings({}).hosts


def test_hosts_are_a_list_or_separated_by_commas() -> None:
    assert read_settings({"web_hosts": "A.example., b"}).web_hosts == ("a.example", "b")
    assert read_settings({}, {"web_hosts": ["a.example", "b"]}).web_hosts == ("a.example", "b")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", WebAddress("127.0.0.1", 80, asked=True)),
        (":81", WebAddress("127.0.0.1", 81, asked=True)),
        ("82", WebAddress("127.0.0.1", 82, asked=True)),
        ("[::1]:83", WebAddress("::1", 83, asked=True)),
        ("localhost:84", WebAddress("localhost", 84, asked=True)),
    ],
)
def test_an_address_is_read_as_people_write_it(text: str, address: WebAddress) -> None:
    assert WebAddress.parse(text) == address
    assert address.loopback


def test_a_release_is_a_name_of_a_commit_or_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().release is None
    monkeypatch.setenv("LEASED_RELEASE", " shop:1.4@sha256:77 ")
    assert read_settings({}, {"release": "3f2a"}).release == "shop:1.4@sha256:77"
    for wrong in (" ", "a\nb", "x" * 201):
        with pytest.raises(SettingsError, match=r"^--release: a release is named by 1 to 200 printable characters"):
            read_settings({"release": wrong})


def test_a_revision_comes_from_a_flag_or_the_environment_and_never_from_the_settings_of_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert read_settings().revision is None
    monkeypatch.setenv("LEASED_REVISION", "42")
    assert read_settings().revision == 42
    assert read_settings({"revision": "0043"}).revision == 43
    monkeypatch.setenv("LEASED_REVISION", "v2")
    with pytest.raises(SettingsError, match='LEASED_REVISION: "v2" is not a revision; give a whole number from 0 to'):
        read_settings()
    monkeypatch.setenv("LEASED_REVISION", "")
    assert read_settings().revision is None
    with pytest.raises(SettingsError, match=r"\[settings\] revision"):
        read_settings({}, {"revision": 42})


# Those that a supervisor hands over: they were checked, and a password may be newer (rule 22)


URL = "postgresql://shop:pw-1@db:5432/shop"


@pytest.fixture
def url_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "url"
    file.write_text(f"{URL}\n")
    monkeypatch.setenv("LEASED_DATABASE_URL_FILE", str(file))
    return file


SECRET = "a-secret-of-20-chars"


def over_the_pipe(settings: Settings) -> Settings:
    return handed_over(json.loads(json.dumps(as_plain(settings))), 7)


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"lease_ttl": "20s", "web": "0.0.0.0:0", "concurrency": "3", "database_url": URL, "schema": "own"},
        {
            "web": "off",
            "web_hosts": "a.example,b",
            "web_path": "/leased",
            "web_user_header": "X-User",
            "web_proxies": "10.0.0.7, 10.1.0.0/16",
            "job_output": "log",
            "revision": "12",
            "grace": "1m30s",
            "poll": "0.25s",
        },
    ],
)
def test_they_arrive_as_they_were_checked_secrets_included(
    flags: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASED_WEB_TOKEN", SECRET)
    monkeypatch.setenv("LEASED_WEB_READ_TOKEN", SECRET[::-1])
    checked = read_settings(flags)
    arrived = over_the_pipe(checked)
    assert as_plain(arrived) == as_plain(checked)
    assert (arrived.database, arrived.tokens, arrived.timing) == (
        checked.database,
        (SECRET, SECRET[::-1]),
        checked.timing,
    )
    assert (arrived.web is None) == (checked.web is None)
    assert str(arrived.web) == str(checked.web)


def test_a_password_that_has_been_rotated_is_taken(url_file: Path) -> None:
    checked = read_settings({"schema": "own"})
    url_file.write_text(URL.replace("pw-1", "pw-2"))
    assert "shop:pw-2@db:5432/shop?schema=own" in over_the_pipe(checked).database


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        (URL.replace("@db", "@other"), "other:5432/shop"),
        (URL.replace("5432", "5433"), "db:5433/shop"),
        (URL.replace("5432/shop", "5432/till"), "db:5432/till"),
        (URL.replace("//shop", "//root"), "root:***@db|root@db"),
        (f"{URL}?schema=own", "schema=own"),
        ("sqlite:////srv/shop.db", "sqlite:////srv/shop.db"),
    ],
    ids=["host", "port", "database", "user", "schema", "kind"],
)
def test_any_other_change_of_the_url_waits_for_sighup(url_file: Path, now: str, shown: str) -> None:
    checked = read_settings()
    url_file.write_text(now)
    with pytest.raises(SettingsError) as refusal:
        over_the_pipe(checked)
    said = str(refusal.value)
    assert "has changed in more than its password since the supervisor checked it" in said
    assert said.endswith("send SIGHUP to the supervisor (process 7) to replace all replicas")
    assert any(part in said for part in shown.split("|"))
    assert "pw-1" not in said


def test_a_file_that_is_being_written_is_not_taken_for_another_database(url_file: Path) -> None:
    checked = read_settings()
    url_file.write_text("")
    with pytest.raises(SettingsError, match="is empty"):
        over_the_pipe(checked)


def test_the_file_that_a_flag_has_overruled_is_not_read(url_file: Path) -> None:
    checked = read_settings({"database_url": "sqlite:////srv/shop.db"})
    url_file.write_text("nothing of use")
    assert over_the_pipe(checked).database == "sqlite:////srv/shop.db"
