"""The configuration: loading, checking, masking."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.config import DEFAULTS, Config, ConfigAttribute, check, get_debug_flag
from erlen.exceptions import FrozenError


class Settings:
    NAME = "parent"
    lower = "ignored"


class ChildSettings(Settings):
    DEPTH = 2


class Holder:
    testing = ConfigAttribute[bool]("TESTING")
    limit = ConfigAttribute[int]("LIMIT", get_converter=int)

    def __init__(self) -> None:
        self.config = Config("/", {"TESTING": False, "LIMIT": "7"})


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path)


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr("os.environ", {})
    return monkeypatch


# --- CFG-1 ----------------------------------------------------------------------------------------


def test_cfg1_it_is_a_dict_with_a_root_path_and_a_copy_of_the_defaults() -> None:
    defaults = {"A": 1}
    config = Config("/srv", defaults)
    config["A"] = 2
    assert isinstance(config, dict)
    assert config.root_path == "/srv"
    assert defaults == {"A": 1}


def test_cfg1_repr_names_the_class_and_shows_the_entries() -> None:
    assert repr(Config("/", {"A": 1, "B": [None]})) == "<Config {'A': 1, 'B': [None]}>"


# --- files: CFG-2, CFG-4, CFG-6 -------------------------------------------------------------------


def test_cfg2_pyfile_gives_names_in_upper_case_and_knows_its_file(config: Config) -> None:
    Path(config.root_path, "c.cfg").write_text("A = 1\nb = 2\nHERE = __file__\n")
    assert config.from_pyfile("c.cfg") is True
    assert config == {"A": 1, "HERE": str(Path(config.root_path, "c.cfg"))}


def test_cfg2_pyfile_honours_its_encoding_cookie(config: Config) -> None:
    Path(config.root_path, "c.py").write_bytes(b"# -*- coding: latin-1 -*-\nA = '\xe4'\n")
    config.from_pyfile("c.py")
    assert config["A"] == "ä"


def test_cfg2_missing_pyfile_says_what_could_not_be_loaded(config: Config) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        config.from_pyfile("none.py")
    assert caught.value.strerror == (
        "Unable to load configuration file (No such file or directory)"
    )
    assert str(caught.value.filename).endswith("none.py")


@pytest.mark.parametrize(
    "name", ["none.py", ".", "file/below"], ids=["ENOENT", "EISDIR", "ENOTDIR"]
)
def test_cfg2_cfg4_silent_swallows_an_absent_file(config: Config, name: str) -> None:
    Path(config.root_path, "file").write_text("")
    assert config.from_pyfile(name, silent=True) is False
    assert config.from_file(name, json.load, silent=True) is False
    assert config == {}


def test_cfg2_silent_does_not_swallow_other_errors(config: Config) -> None:
    with pytest.raises(OSError, match="Unable to load configuration file"):
        config.from_pyfile("x" * 5000, silent=True)


def test_cfg4_file_is_read_by_the_loader_as_utf8_text(config: Config) -> None:
    Path(config.root_path, "c.json").write_text('{"A": "ä", "b": 2}', encoding="utf-8")
    assert config.from_file("c.json", json.load) is True
    assert config == {"A": "ä"}


def test_cfg4_file_is_opened_as_bytes_for_tomllib(config: Config) -> None:
    Path(config.root_path, "c.toml").write_text("A = 1\n[MAIL]\nhost = 'h'\n")
    config.from_file("c.toml", tomllib.load, text=False)
    assert config == {"A": 1, "MAIL": {"host": "h"}}


def test_cfg4_missing_file_is_an_error(config: Config) -> None:
    with pytest.raises(FileNotFoundError, match="Unable to load configuration file"):
        config.from_file("none.json", json.load)


def test_cfg6_envvar_names_a_pyfile(config: Config, environ: pytest.MonkeyPatch) -> None:
    Path(config.root_path, "c.py").write_text("A = 1\n")
    environ.setenv("APP_CONFIG", str(Path(config.root_path, "c.py")))
    assert config.from_envvar("APP_CONFIG") is True
    assert config["A"] == 1


@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_cfg6_envvar_without_value(
    config: Config, environ: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        environ.setenv("APP_CONFIG", value)
    assert config.from_envvar("APP_CONFIG", silent=True) is False
    with pytest.raises(RuntimeError, match="'APP_CONFIG' is not set and as such configuration"):
        config.from_envvar("APP_CONFIG")


# --- objects and mappings: CFG-3, CFG-5 -----------------------------------------------------------


def test_cfg3_class_gives_inherited_attributes_too(config: Config) -> None:
    config.from_object(ChildSettings)
    assert config == {"NAME": "parent", "DEPTH": 2}


@pytest.mark.parametrize("where", ["erlen.config:DEFAULTS", "erlen.config.DEFAULTS", "string"])
def test_cfg3_string_is_imported(config: Config, where: str) -> None:
    config.from_object(where)
    assert config == {}


def test_cfg3_missing_module_is_an_import_error(config: Config) -> None:
    with pytest.raises(ImportError):
        config.from_object("no_such_module_anywhere:Config")


def test_cfg3_dict_is_refused_with_the_way_out(config: Config) -> None:
    with pytest.raises(TypeError, match=r"Call from_mapping\(\)"):
        config.from_object({"A": 1})


def test_cfg5_mapping_keeps_upper_case_and_keywords_win(config: Config) -> None:
    assert config.from_mapping({"A": 1, "b": 2, "C": 3}, A=4, d=5) is True
    assert config == {"A": 4, "C": 3}


def test_cfg5_more_than_one_mapping_is_a_type_error(config: Config) -> None:
    with pytest.raises(TypeError):
        config.from_mapping({}, {})  # type: ignore[call-arg]  # the point of the test


# --- environment: CFG-7, CFG-10 -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("true", True),
        ("[1]", [1]),
        ("2.5", 2.5),
        ("word", "word"),
        ("False", "False"),
        ("", ""),
    ],
)
def test_cfg7_value_is_json_or_else_text(
    config: Config, environ: pytest.MonkeyPatch, text: str, value: object
) -> None:
    environ.setenv("ERLEN_A", text)
    environ.setenv("OTHER_B", "1")
    assert config.from_prefixed_env() is True
    assert config == {"A": value}


def test_cfg7_prefix_and_loader_can_be_chosen(config: Config, environ: pytest.MonkeyPatch) -> None:
    environ.setenv("APP_lower", "1")
    config.from_prefixed_env("APP", loads=lambda text: text * 2)
    assert config == {"lower": "11"}


def test_cfg7_two_underscores_lead_into_dicts(config: Config, environ: pytest.MonkeyPatch) -> None:
    config["MAIL"] = {"port": 25}
    environ.setenv("ERLEN_MAIL__host", "h")
    environ.setenv("ERLEN_NEW__a__B", "1")
    config.from_prefixed_env()
    assert config == {"MAIL": {"port": 25, "host": "h"}, "NEW": {"a": {"B": 1}}}


def test_cfg7_leading_into_a_value_that_is_no_dict_is_an_error(
    config: Config, environ: pytest.MonkeyPatch
) -> None:
    environ.setenv("ERLEN_A", "1")
    environ.setenv("ERLEN_A__b", "2")
    with pytest.raises(TypeError, match="ERLEN_A__b leads into 'A', which is no dict"):
        config.from_prefixed_env()


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (None, False),
        ("", False),
        ("0", False),
        ("False", False),
        ("NO", False),
        ("1", True),
        ("x", True),
    ],
)
def test_cfg10_debug_flag(environ: pytest.MonkeyPatch, value: str | None, flag: bool) -> None:
    if value is not None:
        environ.setenv("ERLEN_DEBUG", value)
    assert get_debug_flag() is flag


# --- CFG-8, CFG-9 ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({}, {"url", "max_size"}),
        ({"lowercase": False}, {"URL", "MAX_SIZE"}),
        ({"trim_namespace": False}, {"image_url", "image_max_size"}),
    ],
)
def test_cfg8_namespace(options: dict[str, bool], keys: set[str]) -> None:
    config = Config("/", {"IMAGE_URL": 1, "IMAGE_MAX_SIZE": 2, "OTHER": 3})
    assert set(config.get_namespace("IMAGE_", **options)) == keys


def test_cfg9_attribute_reads_and_writes_its_key() -> None:
    holder = Holder()
    holder.testing = True
    assert holder.config["TESTING"] is True
    assert holder.testing is True


def test_cfg9_attribute_converts_what_it_reads() -> None:
    assert Holder().limit == 7


def test_cfg9_attribute_of_the_class_is_itself() -> None:
    assert isinstance(Holder.testing, ConfigAttribute)


# --- B-337 ----------------------------------------------------------------------------------------


def test_defaults_fit_their_own_kinds_and_cannot_be_changed() -> None:
    check(DEFAULTS)
    with pytest.raises(TypeError):
        DEFAULTS["DEBUG"] = True  # type: ignore[index]  # the point of the test


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DEBUG", "False"),
        ("DEBUG", 2),
        ("TESTING", None),
        ("MAX_CONTENT_LENGTH", "16MB"),
        ("MAX_CONTENT_LENGTH", -1),
        ("MAX_QUERY_ARGS", True),
        ("MAX_QUERY_ARGS", 1.5),
        ("WORKER_THREADS", 0),
        ("BODY_TIMEOUT", "60"),
        ("BODY_TIMEOUT", 0),
        ("BODY_TIMEOUT", True),
        ("TRUSTED_HOSTS", "example.com"),
        ("WEBSOCKET_ORIGINS", [1]),
        ("APPLICATION_ROOT", None),
        ("SECRET_KEY", 1),
        ("SERVER_NAME", "https://example.com"),
        ("SERVER_NAME", "example.com/shop"),
        ("APPLICATION_ROOT", "shop"),
        ("APPLICATION_ROOT", ""),
        ("PREFERRED_URL_SCHEME", "gopher"),
        ("PREFERRED_URL_SCHEME", None),
        ("WEBSOCKET_ORIGINS", ["example.com"]),
        ("WEBSOCKET_ORIGINS", "https://example.com"),
        ("JSON_MAX_DEPTH", 0),
    ],
)
def test_b337_value_of_a_wrong_kind_is_an_error_that_names_the_key(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{key} is .* but must be"):
        check({**DEFAULTS, key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DEBUG", 1),
        ("DEBUG", None),
        ("MAX_CONTENT_LENGTH", None),
        ("BODY_TIMEOUT", 5),
        ("BODY_TIMEOUT", None),
        ("TRUSTED_HOSTS", ["example.com"]),
        ("WEBSOCKET_ORIGINS", ("https://a",)),
        ("SECRET_KEY", b"k"),
        ("SERVER_NAME", "example.com:8000"),
        ("SERVER_NAME", "[::1]:8000"),
        ("APPLICATION_ROOT", "/shop"),
        ("PREFERRED_URL_SCHEME", "https"),
        ("JSON_MAX_DEPTH", 1),
        ("UNKNOWN", object()),
    ],
)
def test_b337_value_of_a_right_kind_passes(key: str, value: object) -> None:
    check({key: value})


def test_b337_all_wrong_keys_are_named_and_secrets_are_not_shown() -> None:
    with pytest.raises(ValueError, match="TESTING") as caught:
        check({"TESTING": "no", "SECRET_KEY": ["hush"]})
    assert "SECRET_KEY is '***'" in str(caught.value)


# --- frozen: APP-10 -------------------------------------------------------------------------------


@pytest.fixture
def frozen() -> Config:
    config = Config("/", {**DEFAULTS, "MAIL_HOST": "a"})
    config.freeze()
    return config


@pytest.mark.parametrize("key", ["MAX_CONTENT_LENGTH", "SERVER_NAME", "WORKER_THREADS"])
def test_app10_key_that_was_read_for_good_cannot_be_changed(frozen: Config, key: str) -> None:
    for change in (
        lambda: frozen.__setitem__(key, 7),
        lambda: frozen.update({key: 7}),
        lambda: frozen.update(**{key: 7}),
        lambda: frozen.from_mapping({key: 7}),
    ):
        with pytest.raises(FrozenError, match=rf"config\['{key}'\] = \.\.\.' was called after"):
            change()
    assert frozen[key] == DEFAULTS[key]


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.pop("BODY_TIMEOUT"),
        lambda config: config.__delitem__("BODY_TIMEOUT"),
        lambda config: config.__ior__({"BODY_TIMEOUT": 1}),
    ],
    ids=["pop", "del", "ior"],
)
def test_app10_key_that_was_read_cannot_be_removed(
    frozen: Config, change: Callable[[Config], Any]
) -> None:
    with pytest.raises(FrozenError, match="BODY_TIMEOUT"):
        change(frozen)


def test_keys_of_ones_own_may_be_removed_and_merged(frozen: Config) -> None:
    frozen |= {"OWN": 1, "OTHER": 2}
    del frozen["OWN"]
    assert (frozen.pop("OTHER"), frozen.pop("NONE", 3)) == (2, 3)


def test_app10_same_value_may_be_set_again(frozen: Config) -> None:
    frozen["MAX_CONTENT_LENGTH"] = DEFAULTS["MAX_CONTENT_LENGTH"]
    frozen.update(DEFAULTS)
    assert dict(frozen) == {**DEFAULTS, "MAIL_HOST": "a"}


@pytest.mark.parametrize(
    "key",
    [
        "DEBUG", "TESTING", "PROPAGATE_EXCEPTIONS", "TRAP_HTTP_EXCEPTIONS",
        "TRAP_BAD_REQUEST_ERRORS", "SECRET_KEY", "MAIL_HOST", "MAIL_PORT",
    ],
)  # fmt: skip
def test_app10_key_that_is_read_when_it_is_needed_may_change(frozen: Config, key: str) -> None:
    frozen[key] = "first"
    frozen.update({key: "second"})
    assert frozen[key] == "second"


def test_update_takes_what_a_dicts_update_takes(config: Config) -> None:
    config.update()
    config.update({"A": 1})
    config.update([("B", 2)], C=3)
    assert dict(config) == {"A": 1, "B": 2, "C": 3}


# --- B-338 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SECRET_KEY", "hush"),
        ("SECRET_KEY", b"hush"),
        ("SECRET_KEY_FALLBACKS", ["hush"]),
        ("DB_PASSWORD", "hush"),
        ("API_TOKEN", "hush"),
        ("OAUTH_SECRET", "hush"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("STRIPE_API_KEY", "hush"),
        ("MAIL", {"password": "hush"}),
        ("MAILS", [{"password": "hush"}]),
        ("DATABASE_URL", "postgres://ada:hush@db/x"),
        ("REDIS_URLS", ("redis://:hush@a", "redis://:hush@b")),
        ("BROKER", "amqp://a:hush@h1,amqp://b:hush@h2"),
        ("SLASHED", "postgres://ada:hu/sh@hush@db/x"),
    ],
)
def test_b338_repr_masks_secrets(key: str, value: object) -> None:
    shown = repr(Config("/", {key: value}))
    assert "hush" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "value", ["https://example.com:80/a", "https://ada@example.com", "a:b@c", "mailto:a@b", ""]
)
def test_b338_text_without_a_password_is_shown(value: str) -> None:
    assert repr(Config("/", {"A": value})) == f"<Config {{'A': {value!r}}}>"


def test_b338_unset_secret_is_shown_as_unset() -> None:
    assert repr(Config("/", {"SECRET_KEY": None})) == "<Config {'SECRET_KEY': None}>"


@given(st.text(st.characters(exclude_characters="/@:*"), min_size=8))
def test_b338_no_password_of_a_url_is_shown(password: str) -> None:
    assert password not in repr(Config("/", {"A": f"db://u:{password}@h"}))
