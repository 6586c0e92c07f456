"""What the README tells people to type."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import urllib3

from deployment.target import session

ROOT = Path(__file__).parents[2]
ROW = r"(?m)^  (ok|warn|n/a|FAIL) +(\S.*?)  "


def environ(state: Path) -> dict[str, str]:
    paths = f"{ROOT / 'layers' / 'shared'}:{ROOT}"
    return dict(os.environ) | {"LOCAL_STATE": str(state), "PYTHONPATH": paths}


def python(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environ(state),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    """What `make run` starts, ended as by Ctrl-C."""
    state = tmp_path_factory.mktemp("run")
    with (state / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local"], cwd=ROOT, env=environ(state), stdout=output
        )
    end = time.monotonic() + 120
    while not (state / "run.json").exists() and time.monotonic() < end:
        assert process.poll() is None
        time.sleep(0.2)
    time.sleep(0.5)
    yield process, state
    process.send_signal(signal.SIGINT)  # a kill would leave the emulator behind
    process.wait(30)


def test_run_says_how_to_link_an_account(run) -> None:
    _, state = run
    described = json.loads((state / "run.json").read_text())
    said = (state / "output").read_text()
    assert f"curl -s {described['api']}/v1/accounts" in said
    command = said.partition("Link an account:")[2].partition("List the linked")[0]
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["status"] == "active"


def test_run_tells_programs_all_they_need(run) -> None:
    described = json.loads((run[1] / "run.json").read_text())
    assert set(described) >= {"api", "api_key", "aws_endpoint", "region", "stack", "simulator"}
    assert set(described["simulator"][0]) == {"name", "subdomain", "token", "expect"}


def test_a_key_is_minted_and_taken_back(run) -> None:
    state = run[1]
    api = json.loads((state / "run.json").read_text())["api"]
    minted = python(state, "deployment.api_key", "--name", "x", "--scopes", "read", "--local")
    key = minted.stdout.strip()

    def listed() -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return urllib3.request("GET", f"{api}/v1/accounts", headers=headers).status

    assert listed() == 200
    assert python(state, "deployment.api_key", "--revoke", key, "--local").returncode == 0
    assert listed() == 401
    assert python(state, "deployment.api_key", "--revoke", "nonsense", "--local").returncode == 1


def test_a_key_has_known_scopes_only(run) -> None:
    refused = python(run[1], "deployment.api_key", "--name", "x", "--scopes", "all", "--local")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "link, sessions, read, manage, portal" in refused.stderr


def test_an_event_file_can_be_given_to_its_function(run) -> None:
    done = python(run[1], "deployment.invoke", "link", "events/link/health.json", "--local")
    assert json.loads(done.stdout)["body"] == {"status": "ok", "stack": "namely-link"}


def test_an_event_that_links_is_filled_in_with_what_runs(run) -> None:
    done = python(run[1], "deployment.invoke", "link", "events/link/link-dry-run.json", "--local")
    assert json.loads(done.stdout)["body"]["receipt"]["visible_people"] == 412


def test_an_event_that_needs_more_says_what(run) -> None:
    done = python(run[1], "deployment.invoke", "api", "events/api/read.json", "--local")
    assert (done.returncode, "ACCOUNT_ID=" in done.stderr) == (1, True)


def test_the_smoke_test_finds_what_runs_sound_and_says_what_the_emulator_lacks(run) -> None:
    done = python(run[1], "deployment.smoke", "--local")
    assert done.returncode == 0, done.stdout + done.stderr
    named = {name: state for state, name in re.findall(ROW, done.stdout)}
    for name in ("health", "page hub", "dry run", "connect session", "events", "dead letters"):
        assert named[name] == "ok", done.stdout
    assert named["body over 10 MB"] == named["table's recovery"] == "n/a"


def test_the_smoke_test_leaves_neither_queue_nor_rule_nor_key(run) -> None:
    described = json.loads((run[1] / "run.json").read_text())
    aws = session({"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"})

    def client(service: str):
        where = {"endpoint_url": described["aws_endpoint"], "region_name": described["region"]}
        return aws.client(service, **where)

    def made() -> tuple[set[str], set[str]]:
        rules = client("events").list_rules(EventBusName=described["stack"])["Rules"]
        queues = client("sqs").list_queues()["QueueUrls"]
        return {one["Name"] for one in rules}, set(queues)

    before = made()
    assert python(run[1], "deployment.smoke", "--local", "--site", "acme").returncode == 0
    assert made() == before
    table = client("dynamodb").list_tables()["TableNames"][0]
    rows = client("dynamodb").scan(TableName=table)["Items"]
    keys = [row for row in rows if row.get("name", {}).get("S", "").startswith("smoke-")]
    assert keys
    assert all("revoked" in json.dumps(row) for row in keys)


def test_commands_say_when_nothing_runs(tmp_path: Path) -> None:
    for command in (
        ["deployment.api_key", "--name", "x"],
        ["deployment.invoke", "link", "x"],
        ["deployment.smoke"],
        ["deployment.seal", "--owner", "x", "--subdomain", "x", "--request-id", "x"],
    ):
        done = python(tmp_path, *command, "--local")
        assert (done.returncode, done.stderr) == (1, "Nothing runs here: start `make run` first.\n")


def test_a_token_is_sealed_from_standard_input(run) -> None:
    command = [sys.executable, "-m", "deployment.seal", "--owner", "o1", "--subdomain", "acme"]
    command += ["--request-id", "q1"]
    done = subprocess.run(
        [*command, "--local"],
        cwd=ROOT,
        env=environ(run[1]),
        input="t" * 64 + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    sealed = json.loads(done.stdout)
    assert list(sealed) == ["request_id", "owner_id", "subdomain", "expires_at", "sealed_token"]
    assert len(sealed["sealed_token"]) > 64
    assert "t" * 64 not in done.stdout


def test_run_says_when_its_port_is_taken(run, tmp_path: Path) -> None:
    taken = json.loads((run[1] / "run.json").read_text())["aws_endpoint"].rpartition(":")[2]
    done = python(tmp_path, "local", "--port", taken)
    assert done.returncode == 1
    assert f"Port {taken} is taken" in done.stderr


def test_an_interrupt_ends_everything_that_was_started(run) -> None:
    process, state = run
    described = json.loads((state / "run.json").read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert "has ended" in (state / "output").read_text()
    assert not (state / "run.json").exists()
    for address in (described["aws_endpoint"], f"http://{described['simulator_control']}"):
        with pytest.raises(urllib3.exceptions.HTTPError):
            urllib3.request("GET", address, retries=False, timeout=2)
