"""Cache-Control and Content-Security-Policy as mappings with typed attributes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug import http as werkzeug_http

from erlen.wire.caching import (
    ContentSecurityPolicy,
    RequestCacheControl,
    ResponseCacheControl,
    parse_cache_control_header,
    parse_csp_header,
)


def test_rq7_request_directives_are_typed() -> None:
    control = parse_cache_control_header(
        "no-cache, max-age=10, max-stale, min-fresh=3, only-if-cached"
    )
    assert (control.no_cache, control.max_age, control.max_stale) == (True, 10, True)
    assert (control.min_fresh, control.only_if_cached, control.no_store) == (3, True, False)
    assert (control.no_transform, control.stale_if_error) == (False, None)
    assert parse_cache_control_header("max-stale=5").max_stale == 5


@pytest.mark.parametrize(
    ("value", "max_age"),
    [
        ("max-age=0", 0),
        ("MAX-AGE=5", 5),
        ('max-age="7"', 7),
        (f"max-age={2**40}", 2**31),
        ("max-age=" + "9" * 5000, 2**31),
        ("max-age", None),
        ("max-age=-1", None),
        ("max-age=٣", None),
        ("max-age=x", None),
        (None, None),
    ],
)
def test_delta_seconds_are_read_as_rfc_9111_says(value: str | None, max_age: int | None) -> None:
    assert parse_cache_control_header(value).max_age == max_age


def test_a_request_cannot_be_changed() -> None:
    control = parse_cache_control_header("max-age=1")
    with pytest.raises(TypeError, match="requests cannot be changed"):
        control.max_age = 5
    with pytest.raises(TypeError, match="requests cannot be changed"):
        control.max_age = None
    for max_stale in (True, 5):
        with pytest.raises(TypeError, match="requests cannot be changed"):
            control.max_stale = max_stale
    assert control.to_header() == "max-age=1"


def test_ds6_every_change_of_a_response_is_told() -> None:
    told: list[str] = []
    control = parse_cache_control_header(
        "public", lambda changed: told.append(changed.to_header()), cls=ResponseCacheControl
    )
    control.max_age = 60
    control.public = False
    control["no-store"] = None
    del control["no-store"]
    control.must_revalidate = None
    assert told == ["public, max-age=60", "max-age=60", "max-age=60, no-store", "max-age=60"]


def test_ds6_a_directive_may_be_deleted() -> None:
    control = parse_cache_control_header("max-age=60, public", cls=ResponseCacheControl)
    del control.max_age
    del control.immutable
    assert control.to_header() == "public"


def test_ds6_response_directives_are_written() -> None:
    control = ResponseCacheControl()
    control.private = True
    control.no_cache = "set-cookie"
    control.s_maxage = control.stale_while_revalidate = control.stale_if_error = 1
    control.immutable = control.must_understand = control.no_transform = (
        control.proxy_revalidate
    ) = True
    assert str(control) == (
        'private, no-cache="set-cookie", s-maxage=1, stale-while-revalidate=1, stale-if-error=1, '
        "immutable, must-understand, no-transform, proxy-revalidate"
    )
    assert (control.private, control.no_cache, control.s_maxage) == (True, "set-cookie", 1)
    assert (control.immutable, control.public) == (True, False)


@pytest.mark.parametrize("seconds", [-1, True, 1.5, "60"])
def test_seconds_that_are_none_are_a_value_error(seconds: int) -> None:
    with pytest.raises(ValueError, match=r"max-age is .*\. Give a whole number of seconds"):
        ResponseCacheControl().max_age = seconds


@pytest.mark.parametrize(
    ("name", "value"), [("a b", None), ("", None), ("a", "x\r\ny"), ("é", "1"), ("a", "é")]
)
def test_a_directive_that_no_header_can_carry_is_a_value_error(
    name: str, value: str | None
) -> None:
    with pytest.raises(ValueError, match="is not a directive of this header"):
        ResponseCacheControl()[name] = value
    with pytest.raises(ValueError, match="is not a directive of this header"):
        RequestCacheControl({name: value})


def test_unknown_directives_are_kept_and_malformed_ones_left_out() -> None:
    control = parse_cache_control_header('X-New="a b", =1, é, a b, y=\xff, no-store')
    assert dict(control) == {"x-new": "a b", "no-store": None}
    assert ("X-NEW" in control, control["X-New"], len(control)) == (True, "a b", 2)
    assert repr(control) == "<RequestCacheControl 'x-new=\"a b\", no-store'>"


@given(st.dictionaries(st.text("abz-", min_size=1), st.none() | st.text('ab, ="\\', min_size=1)))
def test_cache_control_round_trips(values: dict[str, str | None]) -> None:
    control = ResponseCacheControl(values)
    assert parse_cache_control_header(str(control), cls=ResponseCacheControl) == control


@given(st.text())
def test_parsing_never_raises(value: str) -> None:
    parse_cache_control_header(value).to_header()
    parse_csp_header(value).to_header()


@pytest.mark.parametrize(
    "value", ["max-age=5, public", 'no-cache="a, b", private', "immutable", ""]
)
def test_cache_control_is_read_as_werkzeug_does(value: str) -> None:
    theirs = werkzeug_http.parse_cache_control_header(value)
    assert dict(parse_cache_control_header(value)) == dict(theirs)


def test_attributes_of_the_class_tell_their_directive() -> None:
    assert ResponseCacheControl.max_age.name == "max-age"
    assert ContentSecurityPolicy.script_src.name == "script-src"


def test_ds6_policy_has_an_attribute_per_directive() -> None:
    told: list[str] = []
    policy = parse_csp_header("default-src 'self'", lambda changed: told.append(str(changed)))
    policy.script_src = "'self' https://cdn.example"
    policy.sandbox = ""
    policy.upgrade_insecure_requests = True
    policy.default_src = None
    assert told[-1] == "script-src 'self' https://cdn.example; sandbox; upgrade-insecure-requests"
    assert (policy.sandbox, policy.default_src, policy.img_src) == ("", None, None)


def test_ds6_policy_attributes_are_named_after_their_directives() -> None:
    for name in ("base_uri", "worker_src", "frame_ancestors", "report_to", "style_src_elem"):
        policy = ContentSecurityPolicy()
        setattr(policy, name, "x")
        assert str(policy) == f"{name.replace('_', '-')} x"


def test_first_of_two_equal_policy_directives_counts() -> None:
    policy = parse_csp_header(
        " ;Script-Src\t a  b ;; script-src c; sandbox; img-src é; style-src x,y"
    )
    assert dict(policy) == {"script-src": "a  b", "sandbox": None}
    assert parse_csp_header(None).to_header() == ""


@pytest.mark.parametrize("sources", ["'self'; script-src *", "a, script-src *", "a\r\nb", "é"])
def test_a_source_list_cannot_smuggle_in_another_directive(sources: str) -> None:
    with pytest.raises(ValueError, match="is not a directive of this header"):
        ContentSecurityPolicy().img_src = sources
