"""The functions' own code, fed with the files in `events/`, over moto and the simulator."""

import base64
import io
import json
import string
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

import contract
from containers import Context
from containers import load as load_container
from deployment.api_key import make_key
from namely_link import bootstrap
from namely_link.domain.values import timestamp
from namely_link.http.bearers import Kind, mint
from simulator import Simulator
from templates import ROOT, create_table

REGION = "eu-central-1"
ENVIRON = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "TABLE_NAME": "table",
    "STACK_NAME": "stack",
    "STAGE": "sandbox",
    "SECRET_PREFIX": "stack/namely/",
    "SECRET_KEY_ARN": "alias/aws/test",
    "CHECK_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/checks",
    "POWERTOOLS_METRICS_NAMESPACE": "namely-link",
    "EVENT_BUS": "stack",
    "DEAD_LETTERS_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/dead",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "NAMELY_DEADLINE_SECONDS": "5",
}


@dataclass
class House:
    """The functions of the API over one table, by their names."""

    functions: dict[str, ModuleType]
    simulator: Simulator
    values: dict[str, str]
    context: Context = field(default_factory=Context)

    def logged(self) -> str:
        """Everything that the functions have logged."""
        return "".join(
            one.logger.registered_handler.stream.getvalue() for one in self.functions.values()
        )

    def event(self, file: str, **values: str) -> dict[str, Any]:
        """Read a file of `events/`, its placeholders filled in."""
        text = (ROOT / "events" / f"{file}.json").read_text()
        known = {"TIME": timestamp(bootstrap.now())} | self.values | values
        return json.loads(string.Template(text).substitute(known))

    def invoke(self, file: str, *, changes: dict[str, Any] | None = None, **values: str) -> Any:
        """Give a file of `events/` to its function and return the answer, its body parsed."""
        event = self.event(file, **values) | (changes or {})
        module = self.functions[file.partition("/")[0]]
        answer = module.handler(event, self.context)
        contract.check(event, answer)
        if answer["body"].startswith("{"):
            answer["json"] = json.loads(answer["body"])
        return answer

    def link(self, name: str = "acme", **values: str) -> Any:
        known = self.simulator.credential(name)
        values = {"SUBDOMAIN": known.subdomain, "TOKEN": known.token} | values
        return self.invoke("link/link", **values)

    def portal(self, **fields: object) -> str:
        made = self.invoke("api/make-portal", changes={"body": json.dumps(fields)})["json"]
        return made["token"]

    def session(self) -> dict[str, Any]:
        made = self.invoke("api/make-session")["json"]
        self.values |= {"SESSION": made["token"], "SESSION_ID": made["id"]}
        return made


def load_function(name: str) -> ModuleType:
    module = load_container(name)
    module.logger.registered_handler.setStream(io.StringIO())
    return module


sys.path.insert(0, str(ROOT / "functions" / "pages"))  # where Lambda finds a function's modules


@pytest.fixture(scope="module")
def simulator():
    with Simulator() as running:
        yield running


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, simulator: Simulator):
    bundle = base64.b64encode(simulator.ca_pem.encode()).decode()
    names = ENVIRON | {"NAMELY_CONNECT_TO": simulator.address, "NAMELY_CA_BUNDLE": bundle}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def load():
    return load_function


@pytest.fixture
def house(environ, simulator: Simulator):
    with mock_aws():
        create_table(boto3.client("dynamodb"), "table")
        key = make_key("backend", table="table", environ={"AWS_DEFAULT_REGION": REGION})
        acme = simulator.credential("acme")
        functions = {name: load_function(name) for name in ("link", "api", "pages")}
        yield House(
            functions,
            simulator,
            {
                "API_KEY": key,
                "SESSION": mint(Kind.CONNECT_SESSION).value,
                "SESSION_ID": mint(Kind.CONNECT_SESSION).id,
                "PORTAL": mint(Kind.PORTAL_SESSION).value,
                "SUBDOMAIN": acme.subdomain,
                "TOKEN": acme.token,
                "ACCOUNT_ID": "acc_nobody",
            },
        )
        if functions["link"].ports.cache_info().currsize:
            functions["link"].ports().questions.namely.__exit__()


@pytest.fixture
def account(house):
    made = house.link()["json"]
    house.values["ACCOUNT_ID"] = made["id"]
    return made


@pytest.fixture
def queue(house, environ):
    """What waits to be checked."""
    return _made_queue(environ, "CHECK_QUEUE_URL", "checks")


@pytest.fixture
def dead(house, environ):
    """The dead letters."""
    return _made_queue(environ, "DEAD_LETTERS_URL", "dead")


def _made_queue(environ: pytest.MonkeyPatch, setting: str, name: str):
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    environ.setenv(setting, url)

    def waiting() -> list[dict[str, Any]]:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(one["Body"]) for one in got]

    return waiting


@pytest.fixture
def run(house, queue, dead, load):
    """Give a file of `events/`, changed, to its function; return its answer and its log."""

    def call(file: str, *changes: Callable[[dict[str, Any]], None], **values: str):
        event = house.event(file, **values)
        for change in changes:
            change(event)
        module = load(file.partition("/")[0])
        answer = module.handler(event, house.context)
        return answer, module.logger.registered_handler.stream.getvalue()

    return call
