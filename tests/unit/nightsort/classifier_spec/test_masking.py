"""Wherever a secret stands in a spec, neither its page nor a message about it shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from nightsort.classifier_spec.masking import masked_text, masked_value
from nightsort.classifier_spec.model import ClassifierSpec, SpecError, load_spec
from nightsort_local.home import SAMPLES

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "Zq7xVw9K"  # noqa: S105 - looked for on pages
SAMPLE = SAMPLES / "aws-services.yaml"
KEYS = [
    *(
        "password",
        "DB_PASSWORD",
        "passwd",
        "smtp_pass",
        "passphrase",
        "pwd",
        "secret",
        "aws_secret_access_key",
    ),
    *(
        "aws_access_key_id",
        "api_key",
        "apikey",
        "X-Api-Key",
        "ssh_key",
        "sshKey",
        "key",
        "token",
        "access_token",
    ),
    *(
        "client_secret",
        "credentials",
        "Authorization",
        "auth",
        "webhook_url",
        "dsn",
        "connection_string",
        "cookie",
    ),
]
WAYS = [
    '{key}: {secret}', '{key}:   "{secret}"', "{key}: '{secret}'", '"{key}": {secret}', "{key} : {secret}",
    "{{{key}: {secret}, a: b}}", "a: {{b: [1, {{{key}: '{secret}'}}]}}", "a: [{{x: y, {key}: {secret}}}, z]",
    "{key}: |\n  one\n  {secret}\n\n  two", "{key}: >-\n  one\n  {secret}", "{key}: |2+\n   {secret}\n\n",
    "{key}: one\n  {secret}\n  two", '{key}: "one\n\n  {secret}"', "{key}: 'one\n {secret}'",
    "{key}:\n  {secret}", "{key}:\n- {secret}\n- x", "{key}:\n  a: {secret}", "{key}: {{{secret}: 1}}",
    "- {key}: {secret}\n- a", "- {key}:\n    {secret}", "-   - {key}: |\n        {secret}\n    - x",
    "? {key}\n: {secret}", "? |-\n  {key}\n: {secret}", "? {key}\n: - {secret}",
    "a: &x {secret}\n{key}: *x", "a: &x\n  b: {secret}\n{key}: *x", "{key}: &x {secret}\nb: *x",
    "a: &k {key}\nb: {{*k : {secret}}}", "a: &m {{{key}: {secret}}}\nb: {{<<: *m, c: d}}",
    "{key}: !local {secret}", "{key}: !!str {secret}", "{key}: {secret} # why", "a: b # {key}: {secret}",
    "# {key}: {secret}\n", "# {key} =\n#   {secret}\n", "env:\n- name: {key}\n  value: {secret}",
    "env: [{{value: {secret}, name: {key}}}]", "a: host=db {key}={secret} port=1",
    'a: \'{{"{key}": "{secret}"}}\'',
    "a: |\n  [x]\n  {key} = {secret}\n", "{key}:{secret}", "{key}={secret}",
]  # fmt: skip
"""YAML with a secret under a key, in ways that people and programs write it."""

ADDRESSES = [
    "uri: postgresql://user:{secret}@host/db", "uri: 'https://{secret}@host/x'",
    "a: [s3://b/k, redis://:{secret}@h]",
    "a: >\n  postgresql://user:\n  {secret}@host", "# postgresql://user:{secret}@host",
    "a: user:{secret}@host",
    "a: postgresql://user:p@{secret}@host", "postgresql://u:{secret}@h: x",
    "a: https://hooks.slack.com/services/{secret}",
    "a: Bearer {secret}", "a: |\n  -----BEGIN PRIVATE KEY-----\n  {secret}\n  -----END PRIVATE KEY-----",
]  # fmt: skip
BREAKS = [
    "",
    "\tx",
    "b: [1, 2",
    "c: {",
    "]",
    "a: b: c",
    "x: 'open",
    'x: "open',
    "- a\n b",
    "@",
    "%x",
    "x: *nowhere",
]
"""Lines that make what stands around them no YAML."""

HEADER = "# The tickets\nname: tickets  # a comment\nmode: MULTI_CLASS\n"


def masked(text: str) -> str:
    return masked_text(text, ClassifierSpec.model_fields)


def in_a_spec(entry: str, before: str, after: str, indent: int) -> str:
    """Write an entry into a spec: at its top level, or below ``notifiers``."""
    body = "\n".join(f"{' ' * indent}{line}" if line else "" for line in entry.split("\n"))
    lines = [HEADER + before, "notifiers:" * bool(indent), body, after, "language: en"]
    return "\n".join(line for line in lines if line)


@given(
    key=st.sampled_from(KEYS), way=st.sampled_from(WAYS), before=st.sampled_from(BREAKS),
    after=st.sampled_from(BREAKS), indent=st.sampled_from([0, 2, 4]),
)  # fmt: skip
@example(key="password", way="{key}:\n  {secret}", before="", after="c: {", indent=2)
def test_a_secret_under_a_key_is_hidden_in_any_yaml_and_lines_stay(
    key: str, way: str, before: str, after: str, indent: int
) -> None:
    text = in_a_spec(way.format(key=key, secret=SECRET), before, after, indent)
    shown = masked(text)
    assert SECRET not in shown
    assert shown.count("\n") == text.count("\n")
    assert shown.startswith("# The tickets\nname: tickets  # a comment\nmode: ")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("indent", [0, 2])
def test_each_way_is_hidden_by_itself(way: str, indent: int) -> None:
    for key in KEYS:
        text = in_a_spec(way.format(key=key, secret=SECRET), "", "", indent)
        assert SECRET not in masked(text), text


@given(way=st.sampled_from(ADDRESSES), after=st.sampled_from(BREAKS), indent=st.sampled_from([0, 2]))
def test_who_logs_in_by_an_address_is_hidden(way: str, after: str, indent: int) -> None:
    assert SECRET not in masked(in_a_spec(way.format(secret=SECRET), "", after, indent))


@given(text=st.text(alphabet=st.sampled_from("ab:-{}[]&*#|>'\"!%@\\ \n\t?,"), max_size=60))
def test_of_any_text_there_are_as_many_lines_as_before(text: str) -> None:
    assert masked(text).count("\n") == text.count("\n")
    assert SECRET not in masked(f"{text}\npassword: {SECRET}")


def test_a_spec_without_secrets_is_shown_as_it_is() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    assert masked(text) == text
    broken = text.replace("mode: ", "mode ")
    assert masked(broken) == broken
    kms = "kms: {model_key_id: 1234, output_key_id: 5678}\ndescription: Which token is it?\n"
    assert masked(kms) == kms


def test_only_what_is_in_doubt_is_hidden() -> None:
    text = "name: tickets\ndb: {user: ns, password: >\n  abc\n  def, port: 1}\n"
    assert (
        masked("a: {user: ns, password: abc, port: 1} # x\n") == "a: {user: ns, password: ***, port: 1} # x\n"
    )
    assert masked("password: |\n  abc\n  def\nb: c") == "password: ***\n  ***\n  ***\nb: c"
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(text)
    assert masked(text) == "name: ***\n***\n  ***\n  ***\n"


@pytest.mark.parametrize(
    "line",
    [
        f"password: {SECRET}",
        f"labelled: {{password: {SECRET}}}",
        f"labelled: {{uri: 'postgresql://user:{SECRET}@host/x', format: csv}}",
        f"language: postgresql://user:{SECRET}@host",
        f"notifiers: [{{import_path: a.B, arguments: {{x: [1], api_key: {SECRET}}}}}]",
        f"notifiers: {{import_path: a.B, arguments: {{smtp_pass: {SECRET}}}}}",
        f"tags: {{token: [{SECRET}]}}",
        f"name: {{password: !{SECRET} x}}",
        f"budget: [{{name: password, value: {SECRET}}}]",
        f"schedule: 'password={SECRET}'",
    ],
)
def test_a_message_about_a_broken_spec_shows_no_secret(tmp_path: Path, line: str) -> None:
    file = tmp_path / "tickets.yaml"
    file.write_text(f"{HEADER}{line}\n")
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    assert SECRET not in str(caught.value)


def test_values_that_are_no_secrets_stay() -> None:
    value: dict[str, Any] = {"name": "tickets", "columns": ["id", "text"], "header": True, "share": 0.5}
    assert masked_value(value) == value
