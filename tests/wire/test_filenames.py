"""Names of files: what leads elsewhere is refused without a look at the disk."""

import ntpath
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.security import safe_join as werkzeug_join
from werkzeug.utils import secure_filename as werkzeug_secure

from erlen.wire import filenames
from erlen.wire.filenames import is_device_name, safe_join, secure_filename

ROOT = "/srv/static"


def ordinary_names() -> st.SearchStrategy[str]:
    """Names that are nothing special anywhere."""
    letters = st.text("abcdefghijklmqrstvwxyzABC019_-é", min_size=1, max_size=8)
    return st.lists(letters, min_size=1, max_size=4).map(".".join)


@pytest.mark.parametrize(
    "name", ["a.txt", "sub/a.txt", ".well-known/x", "a b", "…", "~", "a~", "-"]
)
def test_sf11_an_ordinary_name_is_joined(name: str) -> None:
    assert safe_join(ROOT, name) == f"{ROOT}/{name}"


def test_sf11_several_names_are_joined_and_the_directory_is_kept() -> None:
    assert safe_join(Path(ROOT), "a/b", "c") == f"{ROOT}/a/b/c"
    assert safe_join("..", "a") == "../a"
    assert safe_join("", "a") == "a"
    assert safe_join(ROOT) == ROOT


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../secret.txt", id="b201"),
        pytest.param("..", id="b201-alone"),
        pytest.param("a/../../secret.txt", id="b201-inside"),
        pytest.param("a/../b", id="b201-that-stays-inside"),
        pytest.param("..\0/", id="b202-nul"),
        pytest.param("..\\secret.txt", id="b203-backslash"),
        pytest.param("../static_evil/e.txt", id="b205"),
        pytest.param("/etc/passwd", id="b207-absolute"),
        pytest.param("//etc/passwd", id="b207-two-slashes"),
        pytest.param("a//b", id="b207-empty-segment"),
        pytest.param("./a.txt", id="b207-dot"),
        pytest.param("a.txt/", id="b207-slash-at-the-end"),
        pytest.param("", id="b207-empty"),
        pytest.param("c:\\windows\\win.ini", id="b208-drive"),
        pytest.param("C:/x", id="b208-drive-slash"),
        pytest.param("c:x", id="b208-drive-relative"),
        pytest.param("a.txt:stream", id="b208-stream"),
        pytest.param("a.txt::$DATA", id="b208-data"),
        pytest.param("a.txt::", id="b208-colons"),
        pytest.param("\\\\host\\share", id="b209-unc"),
        pytest.param("//host/share", id="b209-unc-slashes"),
        pytest.param("\\\\?\\C:\\", id="b209-verbatim"),
        pytest.param("\\\\.\\pipe\\x", id="b209-pipe"),
        pytest.param("a\0b", id="b211-nul"),
        pytest.param("a\x01", id="b211-01"),
        pytest.param("a\x1f", id="b211-1f"),
        pytest.param("a\x7f", id="b211-7f"),
        pytest.param("a\x85", id="b211-c1"),
        pytest.param("a\udcff", id="b211-invalid-utf-8"),
        pytest.param("\ud800", id="b211-surrogate"),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_a_name_that_leads_elsewhere_is_refused_everywhere(name: str, strict: bool) -> None:
    assert safe_join(ROOT, name, strict=strict) is None
    assert safe_join(ROOT, "a", name, strict=strict) is None


DEVICES = [
    "CON", "con", "Con.txt", "CON ", "CON.", "CON .txt", "NUL.tar.gz", "nul", "prn  .txt", "AUX",
    "aux.js", "CLOCK$", "CONIN$", "conout$.txt", "COM¹", "com².x", "LPT³", "lpt³ .a.b",
    *(f"COM{n}" for n in range(10)), *(f"lpt{n}.log" for n in range(10)), "CON. .", "NUL ...",
]  # fmt: skip


@pytest.mark.parametrize("name", DEVICES)
def test_b210_a_device_is_refused_unless_the_disk_has_no_devices(name: str) -> None:
    assert is_device_name(name)
    assert safe_join(ROOT, name) is None
    assert safe_join(ROOT, "sub", f"{name}/x") is None
    assert safe_join(ROOT, name, strict=False) == f"{ROOT}/{name}"


@pytest.mark.parametrize("name", ["con:", "con::", "CON:.txt", "NUL:x", "com1:9600"])
def test_b210_a_device_with_a_colon_is_always_refused(name: str) -> None:
    assert is_device_name(name)
    assert safe_join(ROOT, name, strict=False) is None


@pytest.mark.parametrize("name", ["console", "com", "COM10", "lpt", "nulls.txt", "a.con", ".con"])
def test_b210_a_name_that_only_looks_like_a_device_is_served(name: str) -> None:
    assert not is_device_name(name)
    assert safe_join(ROOT, name) == f"{ROOT}/{name}"


@pytest.mark.parametrize("name", ["a.txt.", "a.txt ", "a. .", "...", "sub./a"])
def test_b216_a_dot_or_blank_at_the_end_is_refused_unless_the_disk_keeps_it(name: str) -> None:
    assert safe_join(ROOT, name) is None
    assert safe_join(ROOT, name, strict=False) == f"{ROOT}/{name}"


@pytest.mark.parametrize("name", ["CON", "a.txt."])
def test_b210_windows_has_no_choice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filenames, "_IS_WINDOWS", True)
    assert safe_join(ROOT, name, strict=False) is None


def test_b209_no_name_reaches_the_file_system() -> None:
    """Every event of the interpreter is heard while names are joined: no file, no system call."""
    script = (
        "import sys\n"
        "from erlen.wire.filenames import safe_join, secure_filename\n"
        "heard = []\n"
        "sys.addaudithook(lambda event, args: heard.append(event))\n"
        "for name in ['a/b', r'\\\\host\\share', '//host/share', 'CON', '../x', '/etc/passwd']:\n"
        "    safe_join('/srv/static', name), secure_filename(name)\n"
        "assert not [e for e in heard if e.startswith(('os.', 'open', 'socket'))], heard\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@given(st.lists(st.text(max_size=12), max_size=3))
def test_what_is_joined_stays_below_the_directory_on_both_systems(names: list[str]) -> None:
    joined = safe_join(ROOT, *names)
    if joined is not None:
        assert os.path.normpath(joined) == joined
        assert ntpath.normpath(joined) == joined.replace("/", "\\")
        assert joined == ROOT or joined.startswith(f"{ROOT}/")


@given(st.lists(ordinary_names(), min_size=1, max_size=3))
def test_sf11_werkzeug_joins_ordinary_names_alike(names: list[str]) -> None:
    assert safe_join(ROOT, *names) == werkzeug_join(ROOT, *names)


@given(st.text(max_size=20))
def test_sf11_what_werkzeug_refuses_is_refused(name: str) -> None:
    if werkzeug_join(ROOT, name) is None:
        assert safe_join(ROOT, name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a//b", "a second name for a/b"),
        ("./a", "a second name for a"),
        ("a/", "a file is no directory"),
        ("a/../b", "the meaning depends on links"),
        ("", "the directory itself is no file"),
        ("c:x", "a drive or a stream"),
        ("a\0b", "no file can have it"),
        ("CON", "a device, were it served from Windows"),
        ("a.", "the file a, were it served from Windows"),
    ],
)
def test_sf11_werkzeug_joins_more(name: str, reason: str) -> None:
    assert reason
    assert werkzeug_join(ROOT, name) is not None
    assert safe_join(ROOT, name) is None


@pytest.mark.skipif(sys.version_info < (3, 13), reason="ntpath.isreserved is of CPython 3.13")
@given(st.sampled_from(DEVICES) | st.text("conautl12¹ .$x", max_size=8))
def test_b210_the_interpreter_knows_no_other_device(name: str) -> None:
    if name not in {".", ".."} and getattr(ntpath, "isreserved")(name):  # noqa: B009  # not in 3.11
        assert name[-1] in ". " or is_device_name(name)


# --- secure_filename ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "secure"),
    [
        ("My cool movie.mov", "My_cool_movie.mov"),
        ("../../../etc/passwd", "etc_passwd"),
        ("C:\\Users\\me\\a.txt", "C_Users_me_a.txt"),
        ("cool ümläuts.txt", "cool_umlauts.txt"),
        ("\uff0fetc\uff0fpasswd", "etc_passwd"),
        (".htaccess", "htaccess"),
        ("__a__", "a"),
        ("a\r\nb\0.txt", "a_b.txt"),
        ("北京", ""),
        ("..", ""),
        ("", ""),
    ],
)
def test_sf11_a_secure_name_is_plain_ascii(name: str, secure: str) -> None:
    assert secure_filename(name) == secure


@pytest.mark.parametrize("name", ["CON", "con.txt", "nul.tar.gz", "COM1"])
def test_sf11_a_secure_name_is_no_device_on_any_platform(name: str) -> None:
    assert secure_filename(name) == f"_{name}"


@given(st.text())
def test_sf11_a_secure_name_can_be_joined(name: str) -> None:
    secure = secure_filename(name)
    assert secure == "" or safe_join(ROOT, secure) == f"{ROOT}/{secure}"


@given(st.text())
def test_sf11_werkzeug_makes_the_same_name(name: str) -> None:
    """But for backslashes, which separate here as slashes do, and devices, which it leaves."""
    expected = werkzeug_secure(name.replace("\\", "/"))
    assert secure_filename(name).removeprefix("_") == expected
