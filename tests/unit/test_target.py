"""Which stack, region and credentials a command is for."""

import argparse
import json
import os
from pathlib import Path

import pytest

from deployment import target as targets
from deployment.target import CommandError, add_target, find_region, session, target

NOBODY = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@pytest.fixture
def config(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "config"
    path.write_text("[default]\nregion = eu-west-3\n[profile work]\nregion = ca-central-1\n")
    return NOBODY | {"AWS_CONFIG_FILE": str(path)}


def test_the_region_asked_for_comes_first(config: dict[str, str]) -> None:
    environ = config | {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}
    assert find_region(environ, "us-east-2") == ("us-east-2", "REGION")


def test_aws_region_is_heard_before_aws_default_region(config: dict[str, str]) -> None:
    environ = config | {"AWS_DEFAULT_REGION": "eu-west-2"}
    assert find_region(environ) == ("eu-west-2", "AWS_DEFAULT_REGION")
    environ["AWS_REGION"] = "eu-west-1"
    assert find_region(environ) == ("eu-west-1", "AWS_REGION")
    assert session(environ).region_name == "eu-west-1"


def test_the_region_of_the_profile_is_heard(config: dict[str, str]) -> None:
    assert find_region(config) == ("eu-west-3", "your AWS profile")
    assert find_region(config | {"AWS_PROFILE": "work"})[0] == "ca-central-1"
    assert find_region(config | {"AWS_DEFAULT_PROFILE": "work"})[0] == "ca-central-1"


def test_no_region_is_none() -> None:
    assert find_region(NOBODY) == ("", "")


def test_a_profile_that_is_not_there_is_told(config: dict[str, str]) -> None:
    with pytest.raises(CommandError, match="nobody"):
        find_region(config | {"AWS_PROFILE": "nobody"})


def test_a_session_hears_no_profile_but_that_of_its_environment(
    config: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert session(config).client("sts").meta.region_name == "eu-west-3"


def asked(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_target(parser)
    return parser.parse_args(arguments)


class Stacks:
    """Stands for CloudFormation: notes the region in which it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, outputs: dict[str, str]) -> None:
        self.environ: dict[str, str] = {}

        def made(environ: dict[str, str]) -> Stacks:
            self.environ = environ
            return self

        monkeypatch.setattr(targets, "session", made)
        said = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        self.said = {"Stacks": [{"Outputs": said}]}

    def client(self, _service: str, *, endpoint_url: str | None) -> "Stacks":
        self.endpoint = endpoint_url
        return self

    def describe_stacks(self, StackName: str) -> dict:  # noqa: N803 - boto3 says so
        self.name = StackName
        return self.said


def test_a_command_goes_to_the_stack_and_region_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stacks = Stacks(monkeypatch, {"TableName": "t"})
    environ, outputs = target(asked("--stack", "x", "--region", "eu-west-1"))
    assert (stacks.name, environ["AWS_REGION"], environ["AWS_DEFAULT_REGION"]) == (
        "x",
        "eu-west-1",
        "eu-west-1",
    )
    assert outputs == {"TableName": "t"}


def test_no_region_is_told_with_what_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CommandError, match="REGION=eu-central-1, or set AWS_REGION"):
        target(asked())


def test_a_stack_of_something_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Stacks(monkeypatch, {"Other": "x"})
    with pytest.raises(CommandError, match="not namely-link's"):
        target(asked("--region", "eu-west-1"))


def test_nothing_that_is_set_for_aws_moves_a_command_for_make_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = {"aws_endpoint": "http://127.0.0.1:1", "region": "eu-central-1"}
    (tmp_path / "run.json").write_text(json.dumps(run))
    monkeypatch.setenv("LOCAL_STATE", str(tmp_path))
    for name in ("PROFILE", "REGION", "SESSION_TOKEN", "ENDPOINT_URL", "ENDPOINT_URL_DYNAMODB"):
        monkeypatch.setenv(f"AWS_{name}", "elsewhere")
    stacks = Stacks(monkeypatch, {"TableName": "t"})
    environ, _ = target(asked("--local"))
    assert stacks.endpoint == "http://127.0.0.1:1"
    assert "elsewhere" not in environ.values()
    assert environ["AWS_REGION"] == "eu-central-1"
