"""`make deploy`: builds and deploys to AWS, having asked for no more than must be chosen.

In a terminal Enter alone gets through. With PARAMS, and where there is no terminal, nothing is
asked. What was chosen is kept in `.deploy/`, which git ignores; secret parameters are not kept.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from deployment.preflight import Preflight, Question, clients
from deployment.report import failed, table
from deployment.sam import SAM, building
from deployment.target import ROOT, CommandError, find_region, in_region, session
from deployment.template import Template, check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SAVED: Final = ROOT / ".deploy"
"""Where is kept what was chosen; DEPLOY_STATE names another place."""
_LOG_ROLE: Final = "GatewayLogRole"
QUESTIONS: Final = ("ThemeName", "AlarmTopicArn", _LOG_ROLE)
"""Parameters that are asked for though they have a default: nobody else can know them."""
FIRST_REGION: Final = "us-east-1"
"""What Enter chooses where no region is configured."""
_GIVEN: Final = "PARAM_"
_SHOWN: Final = ("ApiUrl", "HubUrl", "AccountsUrl", "EventBusName", "TokenReaderPolicyArn")
_STACK_NAME: Final = r"[A-Za-z][A-Za-z0-9-]{0,127}"


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What was asked for on the command line and in the environment."""

    stack: str
    region: str
    params: Path | None
    environ: Mapping[str, str]
    ask: Callable[[str], str] | None
    """Puts a question and returns what was typed; None where nothing may be asked."""
    saved: Path
    root: Path = ROOT


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which stack, and where."""

    stack: str
    region: str
    region_from: str

    @property
    def build(self) -> str:
        """Return the folder to build in; several places may be deployed to at once."""
        return f".aws-sam/deploy/{self.stack}.{self.region}"

    def file(self, saved: Path) -> Path:
        """Return the file that remembers what was chosen."""
        return saved / f"{self.stack}.{self.region}.toml"


def deploy(wishes: Wishes) -> None:
    """Ask, look, show, and deploy.

    Raises:
        CommandError: something is missing, wrong or in the way, or SAM failed.
    """
    template = Template.read(wishes.root / "template.yaml")
    settings = _settings(wishes.root)
    given = _given(wishes, template)
    if wishes.ask:
        print(
            "Deploys namely-link to AWS. Enter takes what stands in brackets; nothing is changed "
            "before\nyou have said yes to all of it.\n"
        )
    place = _place(wishes, settings)
    account, remembered = _remembered(place.file(wishes.saved), template)
    chosen = _overrides(settings, template) | remembered | given
    check(template, chosen)
    environ = in_region(_with_profile(wishes.environ, settings), place.region)
    print(f"Looking at {place.stack} in {place.region} ...", flush=True)
    found = _look(place, template, environ)
    print(table(found.rows) + "\n")
    if failed(found.rows):
        msg = "Nothing was changed. Mend what says FAIL, then again: make deploy"
        raise CommandError(msg)
    if remembered and account != found.account:
        print(f"What was chosen for the AWS account {account} is not taken for another one.\n")
        remembered = {}
        chosen = _overrides(settings, template) | given
    before = found.existing.values if found.existing else {}
    if not found.existing:
        again = bool(remembered)  # who has answered before a deployment that failed
        chosen = _choose(wishes.ask, template, chosen, found.log_role, again=again)
    _complete(template, chosen, before)
    _show(place, template, chosen, found)
    if wishes.ask and wishes.ask("Deploy it? [Y/n]: ").strip().lower() not in {"", "y", "yes"}:
        msg = "Nothing was changed."
        raise CommandError(msg)
    kept = dict(chosen)
    if not found.existing and kept.get(_LOG_ROLE) == found.log_role:
        del kept[_LOG_ROLE]  # where there is no stack any more, what is there decides anew
    _remember(place.file(wishes.saved), template, kept, found.account)
    _build(wishes, environ, place)
    _deploy(wishes, environ, place, settings, chosen)
    _tell(place, environ)


def _settings(root: Path) -> dict[str, Any]:
    """Return what samconfig.toml says for a deployment."""
    path = root / "samconfig.toml"
    said = tomllib.loads(path.read_text()) if path.exists() else {}
    environment = said.get("default", {})
    found: dict[str, Any] = {}
    for command in ("global", "deploy"):
        found |= environment.get(command, {}).get("parameters", {})
    return found


def _overrides(settings: Mapping[str, Any], template: Template) -> dict[str, str]:
    """Return the parameters of samconfig.toml, in the ways in which SAM can have them written."""
    said = settings.get("parameter_overrides", [])
    if isinstance(said, str):
        said = shlex.split(said)
    if isinstance(said, list):
        said = dict(one.partition("=")[::2] for one in said)
    found = {name: str(value) for name, value in said.items()}
    _refuse_unknown(template, found, "samconfig.toml")
    return found


def _given(wishes: Wishes, template: Template) -> dict[str, str]:
    """Return the parameters of the PARAMS file and of the environment, which wins."""
    found: dict[str, str] = {}
    if wishes.params:
        found = _parameters(_read(wishes.params), wishes.params)
        _refuse_unknown(template, found, str(wishes.params))
    for name in template.parameters:
        if (value := wishes.environ.get(_GIVEN + name)) is not None:
            found[name] = value
    return found


def _refuse_unknown(template: Template, found: Mapping[str, str], where: str) -> None:
    if unknown := template.unknown(found):
        msg = f"{where} names what is no parameter of the template: {', '.join(unknown)}."
        raise CommandError(msg)


def _read(path: Path) -> dict[str, Any]:
    """Read a file: TOML, or JSON where it is called so."""
    try:
        text = path.read_text()
        said = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        msg = f"{path} can't be read as parameters: {error}"
        raise CommandError(msg) from error
    return said if isinstance(said, dict) else {"": said}


def _parameters(said: Mapping[str, Any], path: Path) -> dict[str, str]:
    """Return parameters and their values as CloudFormation takes them."""
    if any(isinstance(one, bool) or not isinstance(one, str | int) for one in said.values()):
        msg = f'{path} must name parameters and their values: ThemeName = "Example HR"'
        raise CommandError(msg)
    return {name: str(value) for name, value in said.items()}


def _place(wishes: Wishes, settings: Mapping[str, Any]) -> Place:
    """Return where to deploy: as asked for, else as remembered, else as asked now."""
    region, source = find_region(_with_profile(wishes.environ, settings), wishes.region)
    if not region and settings.get("region"):
        region, source = settings["region"], "samconfig.toml"
    known = [
        Place(stack=stack, region=there, region_from="the last deployment")
        for stack, _, there in (
            file.stem.partition(".") for file in sorted(wishes.saved.glob("*.toml"))
        )
        if wishes.stack in {"", stack} and region in {"", there}
    ]
    if len(known) > 1 and not wishes.ask:
        names = ", ".join(f"STACK={one.stack} REGION={one.region}" for one in known)
        msg = f"Which one? Say one of: {names}."
        raise CommandError(msg)
    first = known[0] if len(known) == 1 else None
    stack = wishes.stack or (first.stack if first else "")
    if not stack:
        default = settings.get("stack_name", "namely-link")
        stack = _ask(wishes.ask, "Name of the stack", default, _stack_fault)
    if fault := _stack_fault(stack):
        raise CommandError(f"STACK={stack} {fault}.")
    if not region and first:
        region, source = first.region, first.region_from
    if not region:
        if not wishes.ask:
            msg = "There is no region: say REGION=eu-central-1, or set AWS_REGION."
            raise CommandError(msg)
        region, source = _ask(wishes.ask, "Region of AWS", FIRST_REGION, lambda _: ""), "you"
    return Place(stack=stack, region=region, region_from=source)


def _stack_fault(name: str) -> str:
    right = re.fullmatch(_STACK_NAME, name)
    return "" if right else "has to be letters, digits and hyphens, a letter first"


def _with_profile(environ: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment with the profile of samconfig.toml, which SAM takes first."""
    if not settings.get("profile"):
        return dict(environ)
    keys = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    kept = {key: value for key, value in environ.items() if key not in keys}
    return kept | {"AWS_PROFILE": settings["profile"]}


def _look(place: Place, template: Template, environ: Mapping[str, str]) -> Preflight:
    try:
        return Question(
            stack=place.stack,
            region=place.region,
            region_from=place.region_from,
            accounts=1000,
            template=template,
            client=clients(environ),
            regions=frozenset(session(environ).get_available_regions("lambda")),
        ).answer()
    except BotoCoreError as error:  # of a profile that is not there
        raise CommandError(str(error)) from error


def _choose(
    ask: Callable[[str], str] | None,
    template: Template,
    chosen: Mapping[str, str],
    log_role: str,
    *,
    again: bool,
) -> dict[str, str]:
    """Return what is chosen for a new stack: as told already, else asked, else the default.

    Who is asked `again` is asked only for what has no default.
    """
    found = dict(chosen)
    quiet = again or not ask
    if quiet and _LOG_ROLE in template.parameters:
        found.setdefault(_LOG_ROLE, log_role)
    for name in dict.fromkeys((*QUESTIONS, *template.parameters)):
        one = template.parameters.get(name)
        if one is None or name in found or not ask:
            continue
        if one.default is None or (name in QUESTIONS and not quiet):
            default = log_role if name == _LOG_ROLE else one.default
            found[name] = _ask(ask, f"{one.description} ({name})", default, one.fault)
    if ask:
        print()
    return found


def _ask(
    ask: Callable[[str], str] | None,
    question: str,
    default: str | None,
    fault: Callable[[str], str],
) -> str:
    """Ask until the answer can be right; without anybody to ask, the default."""
    if ask is None:
        return default or ""
    while True:
        typed = ask(f"{question} [{default or ''}]: ").strip() or (default or "")
        wrong = fault(typed)
        if not wrong:
            return typed
        print(f"  It {wrong}.")


def _complete(template: Template, chosen: Mapping[str, str], before: Mapping[str, str]) -> None:
    """Refuse what CloudFormation would, also of the values that the stack keeps."""
    values = {
        name: one.default for name, one in template.parameters.items() if one.default is not None
    }
    values |= {name: value for name, value in before.items() if name in template.parameters}
    values |= chosen
    missing = [name for name in template.parameters if name not in values]
    if missing:
        msg = f"PARAMS has to give: {', '.join(missing)}."
        raise CommandError(msg)
    check(template, values)


def _show(place: Place, template: Template, chosen: Mapping[str, str], found: Preflight) -> None:
    before = found.existing.values if found.existing else {}
    print(f"{'Updates' if found.existing else 'Makes'} the stack {place.stack}")
    print(f"  in AWS account {found.account}, {place.region}, as {found.caller}")
    lines = {}
    for name, value in chosen.items():
        shown = template.parameters[name].shown
        if name not in before:
            lines[name] = shown(value)
        elif before[name] != value:
            lines[name] = f"{shown(before[name])} → {shown(value)}"
    for name, line in lines.items():
        print(f"  {name:<{max(map(len, lines))}}  {line}")
    rest = "as they are" if found.existing else "as the template has them (docs/operations.md)"
    print(f"  {'all other' if lines else 'all'} parameters {rest}\n")


def _remembered(path: Path, template: Template) -> tuple[str, dict[str, str]]:
    """Return for which account what was chosen; what the template no longer knows is left out."""
    if not path.exists():
        return "", {}
    said = _read(path)
    found = _parameters(said.get("parameters", {}), path)
    for name in template.unknown(found):
        print(f"{path.name}: {name} is no parameter any more, and left out.")
        del found[name]
    return str(said.get("account", "")), found


def _remember(path: Path, template: Template, chosen: Mapping[str, str], account: str) -> None:
    """Write down what was chosen, but for what must not be read."""
    path.parent.mkdir(exist_ok=True)
    lines = [
        f"# What `make deploy` deploys {path.stem.replace('.', ' in ')} with. Change it here, then",
        "# deploy again. What does not stand here stays as the stack has it. Secrets do not stand",
        "# here: the stack keeps them.",
        f'account = "{account}"',
        "[parameters]",
    ]
    lines += [
        f"{name} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in chosen.items()
        if not template.parameters[name].secret
    ]
    path.write_text("\n".join(lines) + "\n")


def _build(wishes: Wishes, environ: Mapping[str, str], place: Place) -> None:
    # In a folder of its own: `make run` knows its own folder by what it has built there.
    options = ["--template-file", "template.yaml", "--build-dir", place.build]
    with building(wishes.root):
        _sam(["build", *options], wishes, environ, place)


def _deploy(
    wishes: Wishes,
    environ: Mapping[str, str],
    place: Place,
    settings: Mapping[str, Any],
    chosen: Mapping[str, str],
) -> None:
    options = ["--template-file", f"{place.build}/template.yaml"]
    options += ["--stack-name", place.stack, "--region", place.region]
    options += ["--no-confirm-changeset", "--no-fail-on-empty-changeset"]
    options += ["--no-progressbar", *([] if settings.get("s3_bucket") else ["--resolve-s3"])]
    # By a file that only we can read: a command line can be read by everybody on the machine.
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        # SAM unquotes what it reads, and unquotes it once more.
        told = {name: _quoted(_quoted(value)) for name, value in chosen.items()}
        json.dump(told, file, ensure_ascii=False)
        file.flush()
        overrides = ["--parameter-overrides", f"file://{file.name}"] if chosen else []
        try:
            _sam(["deploy", *options, *overrides], wishes, environ, place)
        except CommandError as error:
            here = f"make preflight STACK={place.stack} REGION={place.region}"
            msg = f"{error} The reason stands above; how the stack is now, and what to do: {here}"
            raise CommandError(msg) from error


def _quoted(value: str) -> str:
    """Return a value that is itself again when SAM has removed its quotes and backslashes."""
    inner = value.replace(" ", "\\ ").replace('"', '\\"').replace("'", "\\'")
    return f'"{inner}"'


def _sam(arguments: list[str], wishes: Wishes, environ: Mapping[str, str], place: Place) -> None:
    """Run SAM: in a terminal with a line that counts, and all it says in a file; else as it is."""
    config = ["--config-file", str(wishes.root / "samconfig.toml"), "--config-env", "default"]
    command = f"sam {arguments[0]}"
    log = place.file(wishes.saved).with_suffix(f".{arguments[0]}.log")
    quiet = sys.stdout.isatty()
    print(f"{command} ..." + (f" (all it says: {os.path.relpath(log)})" if quiet else ""))
    sys.stdout.flush()
    with subprocess.Popen(  # noqa: S603 - our own command
        [str(SAM), *arguments, *config],
        cwd=wishes.root,
        env={**environ, "SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
    ) as process:
        said = _follow(process.stdout, log) if process.stdout else []
    if process.returncode:
        print("".join(said[-40:]))
        msg = f"`{command}` failed."
        raise CommandError(msg)


def _follow(lines: Iterable[str], log: Path) -> list[str]:
    """Write lines into a file as they come, and count what CloudFormation has done."""
    said, done = [], 0
    with log.open("w") as file:
        for line in lines:
            said.append(line)
            file.write(line)
            file.flush()
            if re.match(r"(CREATE|UPDATE|DELETE)_COMPLETE ", line):
                done += 1
                print(f"\r  {done} resources are done", end="", flush=True)
    if done:
        print()
    return said


def _tell(place: Place, environ: Mapping[str, str]) -> None:
    """Print the outputs that people need first, and what to do next."""
    try:
        client = clients(environ)("cloudformation")
        (said,) = client.describe_stacks(StackName=place.stack)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        msg = f"It is deployed, but the stack can't be read: {error}"
        raise CommandError(msg) from error
    outputs = {one["OutputKey"]: one["OutputValue"] for one in said.get("Outputs", [])}
    print(f"\n{place.stack} is deployed in {place.region}.\n")
    for name in _SHOWN:
        if name in outputs:
            print(f"  {name:<21} {outputs[name]}")
    here = f"STACK={place.stack} REGION={place.region}"
    print("\nNext, see whether all of it works, and make a key for the API, which is shown once:\n")
    print(f"  make smoke {here}")
    print(f"  make api-key NAME=backend {here}")


def main() -> int:
    """Deploy; 1 where that could not be done."""
    parser = argparse.ArgumentParser(prog="make deploy", description=__doc__)
    parser.add_argument("--stack", default="", help="default: the one deployed before")
    parser.add_argument("--region", default="", help="default: that of the environment or profile")
    parser.add_argument("--params", type=Path, help="a file of parameters; then nothing is asked")
    asked = parser.parse_args()
    ask = input if sys.stdin.isatty() and not asked.params else None
    wishes = Wishes(
        stack=asked.stack,
        region=asked.region,
        params=asked.params,
        environ=os.environ,
        ask=ask,
        saved=Path(os.environ.get("DEPLOY_STATE", SAVED)),
    )
    try:
        deploy(wishes)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        print("\nStopped. What CloudFormation has begun it goes on with.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
