"""`make deploy`: what is asked, chosen, shown and kept, without SAM and AWS."""

import re
import stat
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from deployment import deploy as module
from deployment.deploy import Wishes, deploy
from deployment.preflight import Existing, Preflight
from deployment.report import Row, State
from deployment.target import CommandError
from deployment.template import HIDDEN

TEMPLATE = """
Parameters:
  ThemeName: {Type: String, Description: Whose pages, AllowedPattern: ".{1,9}", Default: ours}
  AlarmTopicArn: {Type: String, Description: Topic, Default: ""}
  GatewayLogRole:
    {Type: String, Description: Role, AllowedValues: [create, existing, none], Default: none}
  Days: {Type: Number, MinValue: 1, Default: 30}
  Secret: {Type: String, NoEcho: true, Default: unset}
Rules:
  Long:
    RuleCondition: !Equals [!Ref Days, 99]
    Assertions: [{Assert: !Equals [!Ref ThemeName, old], AssertDescription: 99 is for old}]
"""
NEW = Preflight(
    rows=(Row("stack", State.OK, "new"),), account="123", caller="ada", log_role="create"
)


def wishes(root: Path) -> Wishes:
    return Wishes(
        stack="",
        region="eu-central-1",
        params=None,
        environ={"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"},
        ask=None,
        saved=root / ".deploy",
        root=root,
    )


class House:
    """What is deployed with, and what SAM is told."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.found = root, NEW
        (root / "template.yaml").write_text(TEMPLATE)
        self.typed: list[str] = []
        self.asked: list[str] = []
        self.looked: list[str] = []
        self.sam: list[list[str]] = []
        self.overrides: dict[str, str] = {}
        self.environ: dict[str, str] = {}
        self.wishes = wishes(root)
        monkeypatch.setattr(module, "_look", self._look)
        monkeypatch.setattr(module, "_sam", self._sam)
        monkeypatch.setattr(module, "_tell", lambda *_: None)

    def _look(self, place, _template, environ):
        self.looked.append(f"{place.stack} {place.region}")
        self.environ = dict(environ)
        return self.found

    def _sam(self, arguments, _wishes, _environ, _place) -> None:
        self.sam.append(arguments)
        if "--parameter-overrides" in arguments:
            file = Path(arguments[-1].removeprefix("file://"))
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert "\n" not in file.read_text()
            self.overrides = dict(re.findall(r'"(\w+)": "((?:[^"\\]|\\.)*)"', file.read_text()))

    def ask(self, question: str) -> str:
        self.asked.append(question)
        return self.typed.pop(0) if self.typed else ""

    def deploy(self, **changes: object) -> None:
        deploy(replace(self.wishes, **changes))

    def params(self, text: str, name: str = "p.toml") -> Path:
        path = self.root / name
        path.write_text(text)
        return path

    def exists(self, **values: str) -> None:
        before = {"ThemeName": "old", "AlarmTopicArn": "", "Days": "30", "Secret": HIDDEN}
        before |= {"GatewayLogRole": "create"} | values
        existing = Existing(status="CREATE_COMPLETE", values=before)
        self.found = replace(NEW, existing=existing, log_role="existing")

    def saved(self, name: str = "namely-link.eu-central-1") -> dict[str, str]:
        said = tomllib.loads((self.root / ".deploy" / f"{name}.toml").read_text())
        assert said["account"] == self.found.account
        return said["parameters"]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    return House(tmp_path, monkeypatch)


def test_enter_alone_chooses_what_stands_in_brackets(house: House) -> None:
    house.deploy(ask=house.ask)
    assert house.asked == [
        "Name of the stack [namely-link]: ",
        "Whose pages (ThemeName) [ours]: ",
        "Topic (AlarmTopicArn) []: ",
        "Role (GatewayLogRole) [create]: ",
        "Deploy it? [Y/n]: ",
    ]
    assert [one[0] for one in house.sam] == ["build", "deploy"]
    assert "create" in house.overrides["GatewayLogRole"]
    assert house.saved() == {"ThemeName": "ours", "AlarmTopicArn": ""}


def test_sam_asks_nothing_and_an_empty_change_is_no_fault(house: House) -> None:
    house.deploy()
    told = house.sam[1]
    assert {"--no-confirm-changeset", "--no-fail-on-empty-changeset", "--resolve-s3"} <= {*told}
    assert "--guided" not in told
    assert told[told.index("--region") + 1] == "eu-central-1"
    assert told[told.index("--stack-name") + 1] == "namely-link"


def test_the_region_is_asked_for_where_none_is_configured(house: House) -> None:
    house.deploy(ask=house.ask, region="")
    assert house.asked[1] == "Region of AWS [us-east-1]: "
    assert house.looked == ["namely-link us-east-1"]


def test_without_a_terminal_a_missing_region_is_told(house: House) -> None:
    with pytest.raises(CommandError, match="REGION=eu-central-1"):
        house.deploy(region="")
    assert not house.looked


def test_a_second_time_only_the_confirmation_is_asked_for(house: House) -> None:
    house.typed = ["acme", "Acme"]
    house.deploy(ask=house.ask)
    house.exists(ThemeName="Acme")
    house.asked.clear()
    house.deploy(ask=house.ask, region="")
    assert house.asked == ["Deploy it? [Y/n]: "]
    assert house.looked == ["acme eu-central-1", "acme eu-central-1"]


def test_a_first_deployment_that_failed_does_not_ask_again(house: House) -> None:
    house.deploy(ask=house.ask)
    house.asked.clear()
    house.deploy(ask=house.ask)
    assert house.asked == ["Deploy it? [Y/n]: "]


def test_nothing_is_asked_for_a_stack_that_another_machine_has_made(house: House) -> None:
    house.exists()
    house.deploy(ask=house.ask, stack="namely-link")
    assert house.asked == ["Deploy it? [Y/n]: "]
    assert house.overrides == {}


def test_a_no_changes_nothing(house: House) -> None:
    house.typed = ["", "", "", "", "n"]
    with pytest.raises(CommandError, match=r"Nothing was changed\."):
        house.deploy(ask=house.ask)
    assert not house.sam
    assert not (house.root / ".deploy").exists()


def test_an_answer_that_cant_be_right_is_asked_for_again(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.typed = ["1st", "first", "much too long", "short", "", "maybe", "none"]
    house.deploy(ask=house.ask)
    assert house.saved("first.eu-central-1")["ThemeName"] == "short"
    assert house.saved("first.eu-central-1")["GatewayLogRole"] == "none"
    said = capsys.readouterr().out
    assert "It has to be letters, digits and hyphens" in said
    assert "It must be one of: create, existing, none." in said


def test_unattended_the_role_for_logs_is_decided_by_what_is_there(house: House) -> None:
    house.deploy()
    assert "create" in house.overrides["GatewayLogRole"]
    # The stack was deleted, and what it has made is there.
    house.found = replace(NEW, log_role="existing")
    house.deploy()
    assert "existing" in house.overrides["GatewayLogRole"]


def test_a_role_for_logs_that_is_other_than_proposed_is_kept(house: House) -> None:
    house.deploy(params=house.params('GatewayLogRole = "none"'))
    house.deploy()
    assert house.saved() == {"GatewayLogRole": "none"}
    assert "none" in house.overrides["GatewayLogRole"]


def test_a_role_that_the_stack_has_made_stays(house: House) -> None:
    house.exists()
    house.deploy()
    assert "GatewayLogRole" not in house.overrides


def test_a_template_without_the_role_gets_none(house: House) -> None:
    text = re.sub(r"  GatewayLogRole:\n.*\n", "", TEMPLATE)
    (house.root / "template.yaml").write_text(text)
    house.deploy(ask=house.ask)
    assert not [one for one in house.asked if "GatewayLogRole" in one]


def test_the_environment_comes_before_the_file_and_that_before_what_was_kept(house: House) -> None:
    (house.root / "samconfig.toml").write_text(
        "[default.deploy.parameters]\nparameter_overrides = 'ThemeName=sam Days=\"1\"'\n"
    )
    house.deploy()
    assert house.saved() == {"ThemeName": "sam", "Days": "1"}
    house.deploy(params=house.params('ThemeName = "file"\nDays = 2'))
    assert house.saved() == {"ThemeName": "file", "Days": "2"}
    house.deploy(
        params=house.params('{"ThemeName": "json"}', "p.json"),
        environ=house.wishes.environ | {"PARAM_Days": "3"},
    )
    assert (house.saved()["ThemeName"], house.saved()["Days"]) == ("json", "3")


@pytest.mark.parametrize("written", ['["Days=5"]', "{Days = 5}", "'Days=5'"])
def test_samconfig_may_say_parameters_in_each_way_of_sam(house: House, written: str) -> None:
    (house.root / "samconfig.toml").write_text(
        f"[default.deploy.parameters]\nparameter_overrides = {written}\n"
    )
    house.deploy()
    assert house.saved()["Days"] == "5"


def test_a_secret_is_told_to_sam_and_neither_kept_nor_shown(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.deploy(params=house.params('Secret = "s3cr3t"'))
    assert "s3cr3t" in house.overrides["Secret"]
    assert "Secret" not in house.saved()
    assert "s3cr3t" not in (house.root / ".deploy" / "namely-link.eu-central-1.toml").read_text()
    said = capsys.readouterr().out
    assert "s3cr3t" not in said
    assert re.search(r"Secret +\*{4}", said)
    assert not [one for told in house.sam for one in told if "s3cr3t" in one]


def test_neither_the_old_nor_the_new_secret_is_shown(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.exists(Secret="told")
    house.deploy(params=house.params('Secret = "new"'))
    said = capsys.readouterr().out
    assert "**** → ****" in said
    assert "told" not in said


def test_what_changes_is_shown(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.exists()
    house.deploy(params=house.params('ThemeName = "new"\nDays = 30'))
    said = capsys.readouterr().out
    assert "Updates the stack namely-link\n  in AWS account 123, eu-central-1, as ada\n" in said
    assert "ThemeName  old → new" in said
    assert "Days" not in said


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Days = 0", "Days must be at least 1"),
        ("Dyas = 1", "no parameter of the template: Dyas"),
        ("Days = true", "must name parameters and their values"),
        ("Days = [1]", "must name parameters and their values"),
        ("Days", "can't be read as parameters"),
        ("[parameters]\nDays = 1", "must name parameters and their values"),
        ("Days = 99\nThemeName = 'x'", "99 is for old"),
    ],
)
def test_a_file_of_parameters_that_cant_be_right_is_told_before_any_call(
    house: House, text: str, fault: str
) -> None:
    with pytest.raises(CommandError, match=fault):
        house.deploy(params=house.params(text))
    assert not house.looked


def test_a_file_that_is_not_there_is_told(house: House) -> None:
    with pytest.raises(CommandError, match="can't be read"):
        house.deploy(params=house.root / "none.toml")


def test_a_rule_that_hangs_on_what_the_stack_has_is_held_before_sam_is_run(house: House) -> None:
    house.exists(ThemeName="newer")
    with pytest.raises(CommandError, match="99 is for old"):
        house.deploy(params=house.params("Days = 99"))
    house.exists(ThemeName="old")
    assert not house.sam
    house.deploy(params=house.params("Days = 99"))


def test_a_parameter_that_nobody_gives_is_told(house: House) -> None:
    (house.root / "template.yaml").write_text(
        TEMPLATE.replace("Rules:", "  Needed: {Type: String, Description: That}\nRules:")
    )
    with pytest.raises(CommandError, match="PARAMS has to give: Needed"):
        house.deploy()
    house.typed = ["", "", "", "", "given"]
    house.deploy(ask=house.ask)
    assert house.saved()["Needed"] == "given"


def test_what_a_new_release_needs_is_asked_for_again(house: House) -> None:
    house.deploy(ask=house.ask)
    (house.root / "template.yaml").write_text(
        TEMPLATE.replace("Rules:", "  Needed: {Type: String, Description: That}\nRules:")
    )
    house.asked.clear()
    house.deploy(ask=house.ask)
    assert house.asked == ["That (Needed) []: ", "Deploy it? [Y/n]: "]


def test_what_the_template_no_longer_knows_is_left_out(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    (house.root / ".deploy").mkdir()
    (house.root / ".deploy" / "namely-link.eu-central-1.toml").write_text(
        "account = '123'\n[parameters]\nGone = 1\nDays = 2\n"
    )
    house.deploy()
    assert "Gone is no parameter any more" in capsys.readouterr().out
    assert house.saved() == {"Days": "2"}


def test_what_was_chosen_for_one_account_is_not_taken_for_another(house: House) -> None:
    house.deploy(params=house.params('ThemeName = "one"'))
    house.found = replace(NEW, account="456")
    house.deploy(ask=house.ask, stack="namely-link")
    assert "Whose pages (ThemeName) [ours]: " in house.asked
    assert house.saved()["ThemeName"] == "ours"


@pytest.mark.parametrize("text", ["[parameters]\nDays = []\n", "Days =\n"])
def test_a_kept_file_that_somebody_has_spoilt_is_told(house: House, text: str) -> None:
    (house.root / ".deploy").mkdir()
    (house.root / ".deploy" / "namely-link.eu-central-1.toml").write_text(text)
    with pytest.raises(CommandError, match=r"namely-link\.eu-central-1\.toml"):
        house.deploy()
    assert not house.looked


def test_what_is_in_the_way_stops_it(house: House) -> None:
    house.found = Preflight(rows=(Row("stack", State.FAIL, "ROLLBACK_COMPLETE", "Delete it."),))
    with pytest.raises(CommandError, match="Mend what says FAIL"):
        house.deploy(ask=house.ask)
    assert not house.sam


def test_the_profile_of_samconfig_is_ours_too(house: House) -> None:
    (house.root / "samconfig.toml").write_text(
        "[default.global.parameters]\nprofile = 'work'\nregion = 'eu-west-1'\n"
    )
    config = house.params("[profile work]\n", "config")
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_SESSION_TOKEN": "z"}
    environ = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    house.deploy(region="", environ=environ | keys)
    assert house.environ["AWS_PROFILE"] == "work"
    assert not {*keys} & {*house.environ}
    assert house.looked == ["namely-link eu-west-1"]


def test_a_bucket_of_ones_own_is_taken(house: House) -> None:
    (house.root / "samconfig.toml").write_text(
        "[default.deploy.parameters]\ns3_bucket = 'ours'\nstack_name = 'theirs'\n"
    )
    house.deploy()
    assert "--resolve-s3" not in house.sam[1]
    assert house.looked == ["theirs eu-central-1"]


def test_of_several_that_were_deployed_the_one_meant_is_asked_for(house: House) -> None:
    for stack, region in (("a", "eu-west-1"), ("b", "eu-west-1"), ("b", "us-east-1")):
        house.deploy(stack=stack, region=region)
    house.looked.clear()
    with pytest.raises(CommandError, match="STACK=b REGION=us-east-1"):
        house.deploy(region="")
    with pytest.raises(CommandError, match="STACK=a REGION=eu-west-1"):
        house.deploy(region="eu-west-1")
    house.deploy(region="us-east-1")
    house.deploy(stack="a", region="")
    assert house.looked == ["b us-east-1", "a eu-west-1"]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_failure_of_sam_is_told_with_what_it_says(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    terminal: bool,
) -> None:
    sam = tmp_path / "sam"
    sam.write_text("#!/bin/sh\necho 'CREATE_COMPLETE  x'\necho no access to it >&2\nexit 1\n")
    sam.chmod(0o755)
    monkeypatch.setattr(module, "SAM", sam)
    monkeypatch.setattr(module.sys.stdout, "isatty", lambda: terminal)
    wanted = wishes(tmp_path)
    wanted.saved.mkdir()
    place = module.Place(stack="link", region="eu-central-1", region_from="REGION")
    with pytest.raises(CommandError, match=r"`sam deploy` failed.*make preflight STACK=link"):
        module._deploy(wanted, wanted.environ, place, {}, {})
    said = capfd.readouterr()
    assert "no access to it" in said.out + said.err
    assert ("1 resources are done" in said.out) is terminal
    log = wanted.saved / "link.eu-central-1.deploy.log"
    assert log.exists() is terminal


def test_a_stacks_name_that_cant_be_is_told(house: House) -> None:
    with pytest.raises(CommandError, match=r"STACK=a\.b has to be"):
        house.deploy(stack="a.b")
    assert not house.looked
