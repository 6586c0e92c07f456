"""`make deploy` as a newcomer and as CI meet it, on an emulated AWS with nothing in it."""

import os
import pty
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from deployment.target import ROOT, session
from local.stack import REGION, STACK, emulated, running


class Account:
    """An emulated account, and the command run for it."""

    def __init__(self, environ: dict[str, str], saved: Path) -> None:
        paths = f"{ROOT / 'layers' / 'shared'}:{ROOT}"
        # The emulator has no archives.
        self.environ = environ | {"PYTHONPATH": paths, "PARAM_ArchiveDays": "0"}
        self.environ |= {"DEPLOY_STATE": str(saved)}
        self.saved = saved

    def typing(self, keys: str, *arguments: str, **environ: str) -> tuple[int, str]:
        """Run it in a terminal in which somebody types these keys."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "deployment.deploy", *arguments],
            cwd=ROOT,
            env=self.environ | environ,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        os.write(ours, keys.encode())
        said = bytearray()

        def read() -> None:
            try:
                while part := os.read(ours, 4096):
                    said.extend(part)
            except OSError:  # how Linux says that the other end is closed
                pass

        reader = threading.Thread(target=read)
        reader.start()
        try:
            code = process.wait(120)
        finally:
            process.kill()  # it may be waiting for a key that nobody types
            reader.join()
            os.close(ours)
        return code, said.decode().replace("\r\n", "\n")

    def unattended(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deployment.deploy", *arguments],
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def stack(self, name: str) -> dict:
        endpoint = self.environ["AWS_ENDPOINT_URL"]
        client = session(self.environ).client("cloudformation", endpoint_url=endpoint)
        return client.describe_stacks(StackName=name)["Stacks"][0]

    def value(self, stack: str, parameter: str) -> str:
        said = {
            one["ParameterKey"]: one["ParameterValue"] for one in self.stack(stack)["Parameters"]
        }
        return said[parameter]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory):
    state = tmp_path_factory.mktemp("deploy")
    with emulated(log=state / "emulator.log") as environ:
        yield Account(environ, state / "saved")


def test_enter_alone_deploys_and_a_second_time_asks_for_the_confirmation_only(
    account: Account,
) -> None:
    before = (ROOT / "samconfig.toml").read_bytes()
    code, said = account.typing("\n" * 20)
    assert code == 0, said
    questions = re.findall(r"(?m)\[[^\]\n]*\]: ", said)
    assert 3 <= len(questions) <= 6, said
    assert "namely-link is deployed in eu-central-1." in said
    assert "make smoke STACK=namely-link REGION=eu-central-1" in said
    assert account.stack("namely-link")["StackStatus"] == "CREATE_COMPLETE"
    assert account.value("namely-link", "GatewayLogRole") == "create"

    code, said = account.typing("\n")
    assert code == 0, said
    assert re.findall(r"(?m)\[[^\]\n]*\]: ", said) == ["[Y/n]: "]
    assert "Updates the stack namely-link" in said
    assert (ROOT / "samconfig.toml").read_bytes() == before


def test_a_no_changes_nothing(account: Account) -> None:
    code, said = account.typing("n\n", "--stack", "namely-link", PARAM_ThemeName="Other")
    assert (code, "ThemeName  namely-link → Other" in said) == (1, True), said
    assert account.value("namely-link", "ThemeName") == "namely-link"


def test_unattended_it_asks_nothing_and_does_it_twice(account: Account, tmp_path: Path) -> None:
    params = tmp_path / "params.toml"
    awkward = """Ann "the" O'Neil \\ Söhne = 1"""
    params.write_text(f"ThemeName = '''{awkward}'''\nFrameAncestors = \"'none'\"\n")
    asked = ("--stack", "ci-link", "--params", str(params))
    done = account.unattended(*asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert account.value("ci-link", "ThemeName") == awkward
    assert account.value("ci-link", "FrameAncestors") == "'none'"
    assert account.value("ci-link", "GatewayLogRole") == "existing"  # of the stack before
    kept = tomllib.loads((account.saved / "ci-link.eu-central-1.toml").read_text())
    assert kept["parameters"] == {
        "ThemeName": awkward,
        "FrameAncestors": "'none'",
        "ArchiveDays": "0",
    }

    params.write_text("")
    (account.saved / "ci-link.eu-central-1.toml").unlink()
    done = account.unattended(*asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert account.value("ci-link", "ThemeName") == awkward  # the stack keeps it


def test_two_stacks_of_which_either_may_be_meant_are_named(account: Account) -> None:
    done = account.unattended()
    assert done.returncode == 1
    assert "STACK=ci-link REGION=eu-central-1" in done.stderr


def test_make_run_is_unmoved_by_what_is_saved_for_aws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    for name in ("functions", "layers", "entry"):
        shutil.copytree(ROOT / name, tree / name)
    for name in ("template.yaml", ".python-version"):
        shutil.copy(ROOT / name, tree)
    (tree / "samconfig.toml").write_text("""version = 0.1
[default.global.parameters]
region = "ap-south-1"
profile = "nobody"
[default.deploy.parameters]
stack_name = "mine"
parameter_overrides = "ThemeName=Mine"
resolve_s3 = true
tags = "mine=yes"
[other.deploy.parameters]
stack_name = "other"
""")
    (tree / ".deploy").mkdir()
    (tree / ".deploy" / "mine.ap-south-1.toml").write_text('[parameters]\nThemeName = "Mine"\n')
    monkeypatch.chdir(tree)
    monkeypatch.setenv("SAM_CONFIG_FILE", str(tree / "samconfig.toml"))
    monkeypatch.setenv("SAM_CONFIG_ENV", "other")
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "nobody")
    monkeypatch.setenv("PARAM_ThemeName", "Mine")
    with running(state=tmp_path / "state", source=tree) as stack:
        client = session(stack.environ).client("cloudformation", endpoint_url=stack.aws_endpoint)
        (said,) = client.describe_stacks()["Stacks"]
        values = {one["ParameterKey"]: one["ParameterValue"] for one in said["Parameters"]}
        assert (said["StackName"], values["ThemeName"]) == (STACK, "Example HR")
        assert f":{REGION}:" in said["StackId"]
        assert [one["Key"] for one in said["Tags"]] == ["ms-custom-id"]
        assert stack.call("GET", "/v1/accounts")[0] == 200
