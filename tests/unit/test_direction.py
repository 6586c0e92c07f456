"""The direction of dependencies: functions → bootstrap → adapters → commands → domain."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "layers" / "shared" / "namely_link"
KNOWN_TO = {
    "urllib3": {"namely.api"},
    "boto3": {"bootstrap", "aws.table"},  # the table takes the serialiser of types only
    "mypy_boto3_dynamodb": {"aws.table"},
    "mypy_boto3_secretsmanager": {"aws.vault"},
    "mypy_boto3_events": {"aws.bus"},
    "mypy_boto3_sqs": {"aws.queue"},
    "mypy_boto3_kms": {"aws.seal"},
}
"""Each vendor's package is imported by one module; botocore's errors by whatever adapts AWS."""

OUTGOING = {
    "socket": {"outgoing.sockets", "namely.api"},  # the latter for the resolver's errors
    "ssl": {"outgoing.sockets", "outgoing.webhook", "namely.api"},
    "http": {"outgoing.webhook"},
}
"""What of the standard library opens connections: where something may go out."""

INNER = {"sentences": 0, "domain": 1, "commands": 2, "outgoing": 2}
INNER |= {"aws": 3, "namely": 3, "http": 3}
"""A room imports from rooms further in, and from itself."""

MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.stem != "__init__"
)
IN_ROOMS = [one for one in MODULES if "." in one]


def imports(module: str) -> set[str]:
    tree = ast.parse((PACKAGE / f"{module.replace('.', '/')}.py").read_text())
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("module", MODULES)
def test_each_vendor_is_known_only_where_it_is_adapted(module: str) -> None:
    vendors = {one.partition(".")[0] for one in imports(module)}
    vendors -= {*sys.stdlib_module_names, "namely_link"}
    if module.startswith("aws.") or module == "bootstrap":
        vendors.discard("botocore")
    assert all(module in KNOWN_TO.get(vendor, ()) for vendor in vendors)


@pytest.mark.parametrize("library", OUTGOING)
def test_connections_are_opened_in_few_places(library: str) -> None:
    known = {one for one in MODULES if library in {x.partition(".")[0] for x in imports(one)}}
    assert known == OUTGOING[library]


@pytest.mark.parametrize("module", IN_ROOMS)
def test_a_room_knows_only_what_is_further_in(module: str) -> None:
    room = module.partition(".")[0]
    known = {
        one.split(".")[1]
        for one in imports(module)
        if one.startswith("namely_link.") and len(one.split(".")) > 1
    }
    assert all(one == room or INNER.get(one, 9) < INNER[room] for one in known)


@pytest.mark.parametrize("module", [one for one in MODULES if one != "settings"])
def test_only_the_settings_read_the_environment(module: str) -> None:
    assert "os" not in imports(module)


@pytest.mark.parametrize(
    "path", sorted((PACKAGE.parents[2] / "deployment").glob("*.py")), ids=lambda path: path.stem
)
def test_what_works_with_aws_knows_nothing_of_this_machine(path: Path) -> None:
    tree = ast.parse(path.read_text())
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {one for one in modules if one.partition(".")[0] in {"local", "simulator"}}
