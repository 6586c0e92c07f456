"""What API Gateway is told: who waits for whom, limits, its own answers, a domain, addresses."""

from __future__ import annotations

import importlib
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from namely_link import sentences
from namely_link.domain.problems import Problem, Reason
from namely_link.http.problem_details import document
from namely_link.settings import ApiSettings
from templates import ROOT, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator

PARAMETERS = TEMPLATE["Parameters"]
RESOURCES = TEMPLATE["Resources"]
API = RESOURCES["Api"]["Properties"]
PAGES = RESOURCES["PagesFunction"]["Properties"]["Events"]
NO_VALUE = {"Ref": "AWS::NoValue"}

with pytest.MonkeyPatch.context() as patched:
    patched.syspath_prepend(ROOT / "functions" / "pages")  # where Lambda finds a function's modules
    pages, theme = (importlib.import_module(one) for one in ("pages", "theme"))


class _NoPolicies:
    """The roles are our own: SAM looks no managed policy up."""

    def load(self) -> dict[str, str]:
        return {}


@cache
def translated() -> dict[str, Any]:
    """The resources that SAM makes of the template."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    for one in template["Resources"].values():
        for name in {"CodeUri", "ContentUri"} & one.get("Properties", {}).keys():
            one["Properties"][name] = "s3://bucket/key"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        resources: dict[str, Any] = transform(template, {}, _NoPolicies())["Resources"]
    return resources


def named(node: Any) -> Iterator[str]:
    """What a part of a resource refers to, whatever its conditions."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                yield value
            elif key == "Fn::GetAtt":
                yield value[0]
            elif key == "Fn::Sub":
                text = value if isinstance(value, str) else value[0]
                yield from re.findall(r"\$\{([\w:]+)", text)
            yield from named(value)
    elif isinstance(node, list):
        for one in node:
            yield from named(one)


def waits_for(name: str) -> set[str]:
    """The resources that stand before one is made."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = translated()[waiting.pop()]
        after = one.get("DependsOn", [])
        asked = {*named(one), *([after] if isinstance(after, str) else after)}
        new = (asked & translated().keys()) - found
        found |= new
        waiting += new
    return found


def only(kind: str) -> str:
    (name,) = [name for name, one in translated().items() if one["Type"] == kind]
    return name


# ------------------------------------------------------------------ access logs


def test_the_stage_waits_for_the_accounts_role() -> None:
    stage = only("AWS::ApiGateway::Stage")
    assert {"AccessLogs", "GatewayAccount", "GatewayRole"} <= waits_for(stage)


def test_the_accounts_role_waits_for_an_api_as_a_bare_account_needs() -> None:
    assert "Api" in waits_for("GatewayAccount")


@pytest.mark.parametrize("name", translated())
def test_no_resource_waits_for_itself(name: str) -> None:
    assert name not in waits_for(name)


@pytest.mark.parametrize("name", translated())
def test_no_resource_depends_on_one_that_may_not_exist(name: str) -> None:
    one = translated()[name]
    after = one.get("DependsOn", [])
    for other in [after] if isinstance(after, str) else after:
        assert translated()[other].get("Condition") in {None, one.get("Condition")}


def test_access_logs_are_written_only_where_somebody_has_chosen_so() -> None:
    assert PARAMETERS["GatewayLogRole"]["Default"] == "none"
    condition, logged, otherwise = API["AccessLogSetting"]["If"]
    assert (condition, otherwise) == ("AccessLogged", NO_VALUE)
    assert logged["DestinationArn"] == {"GetAtt": "AccessLogs.Arn"}
    assert RESOURCES["AccessLogs"]["Condition"] == "AccessLogged"
    chosen = {"Ref": "GatewayLogRole"}
    conditions = TEMPLATE["Conditions"]
    assert conditions["AccessLogged"] == {"Not": [{"Equals": [chosen, "none"]}]}
    assert conditions["MakesLogRole"] == {"Equals": [chosen, "create"]}


@pytest.mark.parametrize("name", ["GatewayAccount", "GatewayRole"])
def test_what_other_stacks_use_too_is_made_on_demand_and_stays(name: str) -> None:
    one = RESOURCES[name]
    assert one["Condition"] == "MakesLogRole"
    assert (one["DeletionPolicy"], one["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


# ------------------------------------------------------------------ limits


def limits() -> dict[tuple[str, str], dict[str, Any]]:
    """The settings of methods by method and path, its slashes as they are."""
    return {
        (one["HttpMethod"], one["ResourcePath"].removeprefix("/").replace("~1", "/")): one
        for one in API["MethodSettings"]
    }


def test_pages_have_limits_of_their_own_and_nothing_else_has() -> None:
    routes = {(one["Properties"]["Method"], one["Properties"]["Path"]) for one in PAGES.values()}
    asked_for = {route for route in routes if route[0] != "ANY"}
    assert limits().keys() == asked_for | {("*", "*")}
    for route, one in limits().items():
        name = "RequestsPerSecond" if route == ("*", "*") else "PageRequestsPerSecond"
        assert one["ThrottlingRateLimit"] == one["ThrottlingBurstLimit"] == {"Ref": name}


def cold(page: str) -> set[str]:
    """The files that a browser asks for at its first visit, for one language."""
    site = pages.Pages(theme.Theme("A", "#123456"))
    html = site.page(page)[2]
    others = tuple(f"{page}-{one}." for one in sentences.languages() if one != "en")
    waiting = [
        name for name in re.findall(r'="assets/([^"]+)"', html) if not name.startswith(others)
    ]
    files: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in files:
            files.add(name)
            waiting += re.findall(r'from "\./([^"]+)"', site.asset(name)[2])
    return files


@pytest.mark.parametrize("page", ["hub", "accounts"])
def test_two_people_may_open_a_cold_page_in_the_same_second(page: str) -> None:
    requests = 2 * (1 + len(cold(page)))
    assert requests > PARAMETERS["RequestsPerSecond"]["Default"]
    assert requests <= PARAMETERS["PageRequestsPerSecond"]["MinValue"]


def test_what_runs_on_this_machine_has_the_limits_of_production() -> None:
    code = "".join(path.read_text() for path in (ROOT / "local").glob("*.py"))
    assert "RequestsPerSecond" not in code


# ------------------------------------------------------------------ answers of its own

SERVICE = botocore.session.Session().get_service_model("apigateway")
TYPES = SERVICE.shape_for("GatewayResponseType").enum
ANSWERS = {
    "BAD_REQUEST_PARAMETERS": Reason.INVALID_REQUEST,
    "BAD_REQUEST_BODY": Reason.INVALID_REQUEST,
    "ACCESS_DENIED": Reason.FORBIDDEN,
    "WAF_FILTERED": Reason.FORBIDDEN,
    "REQUEST_TOO_LARGE": Reason.PAYLOAD_TOO_LARGE,
    "UNSUPPORTED_MEDIA_TYPE": Reason.UNSUPPORTED_MEDIA_TYPE,
    "THROTTLED": Reason.TOO_MANY_REQUESTS,
    "QUOTA_EXCEEDED": Reason.TOO_MANY_REQUESTS,
}
OURS = {
    *("INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "DEFAULT_5XX", "API_CONFIGURATION_ERROR"),
    *("AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR"),
}
PASSING = {"THROTTLED", "QUOTA_EXCEEDED", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT"}


@pytest.mark.parametrize("kind", TYPES)
def test_every_answer_of_the_gateway_is_a_problem_as_the_code_tells_it(kind: str) -> None:
    fallback = "DEFAULT_5XX" if kind in OURS else "DEFAULT_4XX"
    answer = API["GatewayResponses"].get(kind) or API["GatewayResponses"][fallback]
    reason = Reason.INTERNAL_ERROR if kind in OURS else ANSWERS.get(kind, Reason.NOT_FOUND)
    (body,) = answer["ResponseTemplates"].values()
    problem = Problem(reason, retry_after=5 if kind in PASSING else None)
    told = document(problem, instance="$context.requestId")
    assert json.loads(body) == told
    assert answer["StatusCode"] == told["status"]
    headers = answer["ResponseParameters"]["Headers"]
    assert headers.get("Retry-After") == ("'5'" if kind in PASSING else None)


@pytest.mark.parametrize("kind", API["GatewayResponses"])
def test_an_answer_of_the_gateway_says_what_it_is_and_any_origin_may_read_it(kind: str) -> None:
    # The template that API Gateway takes, whatever is asked for; the header says what it is.
    assert API["GatewayResponses"][kind]["ResponseTemplates"].keys() == {"application/json"}
    sent = only("AWS::ApiGateway::RestApi")
    made = translated()[sent]["Properties"]["Body"]["x-amazon-apigateway-gateway-responses"][kind]
    headers = {
        name.removeprefix("gatewayresponse.header."): value
        for name, value in made["responseParameters"].items()
    }
    assert headers["Content-Type"] == "'application/problem+json'"
    assert headers["Access-Control-Allow-Origin"] == "'*'"
    assert headers["Cache-Control"] == "'no-store'"


def test_what_the_gateway_says_of_an_error_is_told_to_nobody() -> None:
    # Of an unknown route it quotes the Authorization header.
    texts = [json.dumps(API["GatewayResponses"]), json.dumps(API["AccessLogSetting"])]
    assert all("$context.error.message" not in text for text in texts)


def test_what_has_no_route_reaches_what_may_do_nothing() -> None:
    api = translated()[only("AWS::ApiGateway::RestApi")]["Properties"]["Body"]
    for path in ("/", "/{proxy+}"):
        integration = api["paths"][path]["x-amazon-apigateway-any-method"]
        assert "PagesFunction" in json.dumps(integration)


# ------------------------------------------------------------------ a domain, and addresses


def value(node: Any, chosen: dict[str, str]) -> Any:
    """What a part of the template becomes with these parameters and the others' defaults."""
    known = {name: one.get("Default", "") for name, one in PARAMETERS.items()} | chosen
    fixed = {"Api": "abc", "AWS::Region": "eu-central-1", "AWS::URLSuffix": "amazonaws.com"}
    match node:
        case {"Ref": str(name)}:
            return known.get(name, name)
        case {"Equals": [one, other]}:
            return value(one, chosen) == value(other, chosen)
        case {"Not": [one]}:
            return not value(one, chosen)
        case {"And": ones}:
            return all(value(one, chosen) for one in ones)
        case {"Or": ones}:
            return any(value(one, chosen) for one in ones)
        case {"If": [condition, yes, no]}:
            return value(yes if value(TEMPLATE["Conditions"][condition], chosen) else no, chosen)
        case {"Sub": [text, names]}:
            own = {name: value(one, chosen) for name, one in names.items()}
            return re.sub(r"\$\{(\w+)\}", lambda found: own[found[1]], text)
        case {"Sub": text}:
            return re.sub(r"\$\{([\w:]+)\}", lambda found: str((known | fixed)[found[1]]), text)
        case _:
            return node


DOMAIN = {"DomainName": "links.example.com", "CertificateArn": "arn:aws:acm:x:1:certificate/y"}


@pytest.mark.parametrize(
    ("chosen", "base", "links"),
    [
        ({}, "https://abc.execute-api.eu-central-1.amazonaws.com/production", ""),
        (DOMAIN, "https://links.example.com", "https://links.example.com"),
        (
            DOMAIN | {"BasePath": "base"},
            "https://links.example.com/base",
            "https://links.example.com/base",
        ),
        ({"PublicUrl": "https://a.example/b"}, "https://a.example/b", "https://a.example/b"),
        (DOMAIN | {"PublicUrl": "https://a.example"}, "https://a.example", "https://a.example"),
    ],
)
def test_addresses_are_those_of_the_domain_where_there_is_one(
    chosen: dict[str, str], base: str, links: str
) -> None:
    outputs = TEMPLATE["Outputs"]
    assert value(outputs["ApiUrl"]["Value"], chosen) == base
    assert value(outputs["HubUrl"]["Value"], chosen) == f"{base}/hub"
    assert value(outputs["AccountsUrl"]["Value"], chosen) == f"{base}/accounts"
    settings = RESOURCES["ApiFunction"]["Properties"]["Environment"]["Variables"]
    environ = {"TABLE_NAME": "t", "STACK_NAME": "s", "STAGE": "p", "SECRET_PREFIX": "s/"}
    environ |= {"CHECK_QUEUE_URL": "q", "PUBLIC_URL": value(settings["PUBLIC_URL"], chosen)}
    assert ApiSettings.read(environ).public_url == links


def refused(chosen: dict[str, str]) -> list[str]:
    """What the rules say against parameters."""
    return [
        assertion["AssertDescription"]
        for rule in TEMPLATE["Rules"].values()
        if value(rule.get("RuleCondition", True), chosen)
        for assertion in rule["Assertions"]
        if not value(assertion["Assert"], chosen)
    ]


@pytest.mark.parametrize("chosen", [{}, DOMAIN, DOMAIN | {"BasePath": "base"}])
def test_a_domain_with_its_certificate_passes_the_rules(chosen: dict[str, str]) -> None:
    assert refused(chosen) == []


@pytest.mark.parametrize("lacking", DOMAIN)
def test_a_domain_and_its_certificate_come_together(lacking: str) -> None:
    chosen = {name: one for name, one in DOMAIN.items() if name != lacking}
    assert refused(chosen) == ["DomainName and CertificateArn come together"]


def test_a_base_path_needs_a_domain() -> None:
    assert refused({"BasePath": "base"}) == ["BasePath stands behind a DomainName"]


def test_the_domain_is_regional_and_leads_to_the_stage() -> None:
    domain, mapping = translated()["Domain"], translated()["DomainMapping"]
    assert domain["Condition"] == mapping["Condition"] == "OnDomain"
    assert domain["Properties"]["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert domain["Properties"]["RegionalCertificateArn"] == {"Ref": "CertificateArn"}
    assert mapping["Properties"]["Stage"] == {"Ref": only("AWS::ApiGateway::Stage")}
    for name in ("DomainTarget", "DomainHostedZoneId"):
        assert TEMPLATE["Outputs"][name]["Condition"] == "OnDomain"


def test_no_tls_before_1_2_is_spoken_and_newer_policies_have_their_access_mode() -> None:
    allowed = PARAMETERS["TlsPolicy"]["AllowedValues"]
    assert PARAMETERS["TlsPolicy"]["Default"] == allowed[0] == "TLS_1_2"
    assert all(re.match("TLS_1_2$|SecurityPolicy_TLS13_1_[23]_", one) for one in allowed)
    # Behind a domain, too, API Gateway speaks TLS by the API's own policy.
    for speaks in (translated()["Domain"], translated()[only("AWS::ApiGateway::RestApi")]):
        assert speaks["Properties"]["SecurityPolicy"] == {"Ref": "TlsPolicy"}
    for mode in (RESOURCES["Domain"]["Properties"], API):
        for one in allowed:
            asked = value(mode["EndpointAccessMode"], {"TlsPolicy": one})
            assert asked == ("BASIC" if one.startswith("SecurityPolicy_") else "AWS::NoValue")


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("https://a.example", True),
        ("https://a.example/b", True),
        ("http://127.0.0.1:4566/_aws/execute-api/x/local", True),
        ("https://a.example/", False),
        ("https://a.example/?x", False),
        ("a.example", False),
    ],
)
def test_a_public_address_has_no_slash_at_its_end(name: str, fits: bool) -> None:
    assert bool(re.fullmatch(PARAMETERS["PublicUrl"]["AllowedPattern"], name)) == fits
