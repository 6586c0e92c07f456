"""The layer as built: a function finds everything in it, and nothing has to be compiled."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deployment.target import session
from local.stack import REGION, ROOT, STACK
from templates import TEMPLATE

BUILD = ROOT / ".aws-sam" / "build"
FUNCTIONS = [name for name in TEMPLATE["Resources"] if name.endswith("Function")]
LAYER = BUILD / "SharedLayer" / "python"
BOOTSTRAP = ROOT / "layers" / "shared" / "namely_link" / "bootstrap.py"
SERVICES = sorted(set(re.findall(r'boto3\.client\("(\w+)"', BOOTSTRAP.read_text())))

# Without site-packages: what the emulator's interpreter has, Lambda's may not have.
BARE = [sys.executable, "-I", "-S", "-B", "-c"]
IMPORTS = """
import json, sys
code, layer, *services = sys.argv[1:]
sys.path[:0] = [code, layer]
import app, boto3
for service in services:
    boto3.client(service)
files = [getattr(one, "__file__", None) or "" for one in sys.modules.values()]
cached = [getattr(one, "__cached__", None) for one in sys.modules.values()]
print(json.dumps([one for one in zip(files, cached) if one[0].startswith(layer)]))
"""
UNCHECKED_HASH = 0b01
"""The flags of a .pyc that is not compared with its source (PEP 552)."""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_needs_nothing_but_the_layer_and_compiles_nothing(stack, name: str) -> None:
    aws = session(stack.environ)
    described = aws.client("cloudformation", endpoint_url=stack.aws_endpoint)
    resource = described.describe_stack_resource(StackName=STACK, LogicalResourceId=name)
    physical = resource["StackResourceDetail"]["PhysicalResourceId"]
    functions = aws.client("lambda", endpoint_url=stack.aws_endpoint)
    configured = functions.get_function_configuration(FunctionName=physical)
    environ = configured["Environment"]["Variables"] | {"AWS_DEFAULT_REGION": REGION}
    command = [*BARE, IMPORTS, str(BUILD / name), str(LAYER), *SERVICES]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    loaded = json.loads(ran.stdout)
    assert any("namely_link" in file for file, _ in loaded)
    for file, cached in loaded:
        flags = Path(cached).read_bytes()[4:8] if cached else b""
        assert int.from_bytes(flags, "little") == UNCHECKED_HASH, file


def test_botocore_knows_the_services_that_are_called_and_no_others(stack) -> None:
    data = LAYER / "botocore" / "data"
    assert sorted(one.name for one in data.iterdir() if one.is_dir()) == SERVICES


def test_the_sentences_are_in_it(stack) -> None:
    sources = (BOOTSTRAP.parent / "sentences").glob("*.json")
    shipped = (LAYER / "namely_link" / "sentences").glob("*.json")
    assert {one.name for one in shipped} == {one.name for one in sources}
