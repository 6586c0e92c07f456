"""`make lint-policies`: parliament over each policy, checkov and cfn-lint over the template.

All see what CloudFormation gets: SAM's shorthand expanded. What one of them finds and the template
means to be so stands here with its reason; a reason that nothing needs any more is an error, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from policies.grants import STACK
from templates import ROOT
from translated import translated

REGIONS: Final = ("us-east-1", "eu-central-1", "ap-southeast-2")

EXEMPT: Final = {
    "cfn-lint W1030": "TableStreamArn is empty where a table is made, which a condition asks for",
    "cfn-lint W3037": "sqs:SendMessageBatch is the emulator's own, and granted there only",
    "checkov CKV_AWS_27": "the queues are encrypted by SQS's own key, as the table is",
    "checkov CKV_AWS_76": "the access log is left out by choice only, by GatewayLogRole",
    "checkov CKV_AWS_115": "what is reserved is taken from the account: a new one has 10",
    "checkov CKV_AWS_116": "what fails for good has its place at the trigger: queue, stream, rule",
    "checkov CKV_AWS_117": "no function needs a network of its own; Namely is on the internet",
    "checkov CKV_AWS_119": "the table holds no token, and a key of ours is charged by the request",
    "checkov CKV_AWS_120": "no answer of the API may be kept for another caller",
    "checkov CKV_AWS_149": "what the webhook signs with is no token; AWS's own key needs no grant",
    "checkov CKV_AWS_158": "the logs hold no token, a body or an event",
    "checkov CKV_AWS_173": "the settings hold no secret",
}

_PARLIAMENT: Final = """
import json, sys
from parliament import analyze_policy_string
for name, policy in json.load(sys.stdin).items():
    for one in analyze_policy_string(json.dumps(policy), include_community_auditors=True).findings:
        print(f"parliament {one.issue}", name, one.detail, sep="\\t")
"""


def main() -> int:
    """Run the three at once; print what they find."""
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template.json"
        template.write_text(json.dumps(translated()))
        with ThreadPoolExecutor() as threads:
            asked = [threads.submit(one, template) for one in (_cfn_lint, _checkov, _parliament)]
            found = [line for one in asked for line in one.result()]
    new = [line for line in found if line.partition("\t")[0] not in EXEMPT]
    idle = set(EXEMPT) - {line.partition("\t")[0] for line in found}
    for line in new:
        print(line)
    for one in sorted(idle):
        print(f"{one}\tis exempt, and finds nothing")
    return 1 if new or idle else 0


def _cfn_lint(template: Path) -> list[str]:
    tool = ROOT / ".venv-sam" / "bin" / "cfn-lint"
    found = json.loads(_ran(tool, "--format", "json", "-t", template, "-r", *REGIONS))
    return [
        f"cfn-lint {one['Rule']['Id']}\t{'/'.join(map(str, one['Location']['Path']))}"
        f"\t{one['Message']}"
        for one in found
    ]


def _checkov(template: Path) -> list[str]:
    tool = ROOT / ".venv-checks" / "bin" / "checkov"
    options = ("--quiet", "--compact", "--skip-download", "--framework", "cloudformation")
    found = json.loads(_ran(tool, *options, "--output", "json", "--file", template))
    return [
        f"checkov {one['check_id']}\t{one['resource']}\t{one['check_name']}"
        for one in found["results"]["failed_checks"]
    ]


def _parliament(_template: Path) -> list[str]:
    python = ROOT / ".venv-checks" / "bin" / "python"
    # Its own source has escapes that Python warns of.
    said = _ran(python, "-W", "ignore", "-c", _PARLIAMENT, given=json.dumps(STACK.policies()))
    return said.splitlines()


def _ran(tool: Path, *arguments: str | Path, given: str = "") -> str:
    """Return what a tool prints; that it finds something is no failure of the tool."""
    ran = subprocess.run(
        [tool, *arguments], input=given, capture_output=True, text=True, check=False
    )
    if not ran.stdout and ran.stderr:
        msg = f"{tool.name}: {ran.stderr}"
        raise RuntimeError(msg)
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main())
