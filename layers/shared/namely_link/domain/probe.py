"""The questions put to Namely and what their answers mean.

Everything known of Namely's wire format stands here: Namely's API reference and recorded traffic.
What is not explicitly an acceptance or a refusal is undetermined; `docs/verdicts.md` has the rules.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import TYPE_CHECKING, Any, Final, Protocol

from namely_link.domain.account import AccountWarning, Receipt
from namely_link.domain.problems import Reason
from namely_link.domain.values import Identity, Site, Subdomain, Token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor, Future

    from namely_link.domain.values import Capability, Credential

SITE: Final = "/api/v1/companies/info"
ME: Final = "/api/v1/profiles/me"
PEOPLE: Final = "/api/v1/profiles?page=1&per_page=2"
RESOURCES: Final = "/api/v1/resources"

ASKED: Final = {"me": ME, "people": PEOPLE, "resources": RESOURCES}
"""What is asked with the token, by the field of `Replies` that takes the answer."""

MAX_RETRY_AFTER: Final = 120
"""Seconds: our own cap on Namely's Retry-After."""

type Json = Any
"""Foreign JSON: the patterns below are what checks it."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. `body` is the parsed JSON; `is_json` tells null from no JSON."""

    status: int
    is_json: bool
    body: Json = None
    is_html: bool = False
    retry_after: int | None = None


class Failure(StrEnum):
    """Why there is no usable answer."""

    NO_DNS = auto()
    UNREACHABLE = auto()
    TIMEOUT = auto()
    UNUSABLE = auto()


type Reply = Answer | Failure


class Namely(Protocol):
    """Asks one site one question; the adapter over urllib3, or a fake."""

    def get(self, subdomain: Subdomain, path: str, token: Token | None, deadline: float) -> Reply:
        """Return what the site answers by `deadline`, a `time.monotonic` moment. Never raises."""


@dataclass(frozen=True)
class Proven:
    """The site says that it is the one that was asked for."""

    site: Site


@dataclass(frozen=True)
class Rejected:
    """Namely explicitly refused."""

    reason: Reason


@dataclass(frozen=True)
class Undetermined:
    """No verdict; says nothing about the credential."""

    reason: Reason
    retry_after: int | None = None


@dataclass(frozen=True)
class Guarded(Undetermined):
    """The site says who it is only to who has a token: it is unproved, but answers normally."""

    reason: Reason = Reason.UNEXPECTED_ANSWER


@dataclass(frozen=True)
class Accepted:
    """The credential works."""

    receipt: Receipt

    @property
    def recheck_soon(self) -> bool:
        """Whether a check is due in minutes: what the token sees is not known yet."""
        return self.receipt.unseen


type SiteFinding = Proven | Rejected | Undetermined
type Verdict = Accepted | Rejected | Undetermined

_FAILED: Final[Mapping[Failure, Reason]] = {
    Failure.NO_DNS: Reason.UNREACHABLE,
    Failure.UNREACHABLE: Reason.UNREACHABLE,
    Failure.TIMEOUT: Reason.TIMEOUT,
    Failure.UNUSABLE: Reason.UNEXPECTED_ANSWER,
}


def made_up_token() -> Token:
    """Return a token in the shape of Namely's that nobody was ever given."""
    alphabet = string.ascii_letters + string.digits
    return Token("".join(secrets.choice(alphabet) for _ in range(64)))


def judge_site(reply: Reply, subdomain: Subdomain) -> SiteFinding:
    """Judge `/companies/info`, asked without a token."""
    match reply:
        case Failure.NO_DNS:
            return Rejected(Reason.SITE_NO_DNS)
        case Answer(status=200, body={"permalink": str(permalink)} as body):
            if permalink.lower() != subdomain.label:
                return Rejected(Reason.SITE_OTHER_PERMALINK)
            return Proven(Site(_text(body.get("name")), permalink))
    if _refuses(reply):
        return Guarded()
    return _refutes(reply) or _no_verdict(reply)


def barred(site: SiteFinding) -> Rejected | Undetermined | None:
    """Return the verdict where the token may not go out; None where it may."""
    match site:
        case Rejected() | Undetermined(reason=Reason.UNREACHABLE):
            return site
        case _:
            return None


def _refuses(reply: Reply | None) -> bool:
    """Whether it refuses who asks: 401, or 403 that is no HTML page (those are proxies')."""
    return isinstance(reply, Answer) and (
        reply.status == 401 or (reply.status == 403 and not reply.is_html)
    )


def _refutes(reply: Reply) -> Rejected | None:
    """Return how an answer shows that there is no Namely behind an address."""
    match reply:
        case Answer(status=status) if 300 <= status < 400:
            return Rejected(Reason.SITE_REDIRECTS)
        case Answer(status=200, is_json=False):
            return Rejected(Reason.SITE_ANSWERS_HTML)
        case Answer(status=404):
            return Rejected(Reason.SITE_UNKNOWN)
        case _:
            return None


def _no_verdict(reply: Reply) -> Undetermined:
    """Explain a reply that neither accepts nor refuses.

    406 is how Namely throttles `/profiles` (100 a minute); 429 is undocumented, but honoured.
    """
    if isinstance(reply, Failure):
        return Undetermined(_FAILED[reply])
    if _throttles(reply):
        wait = 60 if reply.retry_after is None else min(reply.retry_after, MAX_RETRY_AFTER)
        return Undetermined(Reason.THROTTLED, max(wait, 1))
    if reply.status >= 500:
        return Undetermined(Reason.OUTAGE)
    return Undetermined(Reason.UNEXPECTED_ANSWER)


def _throttles(reply: Reply) -> bool:
    return isinstance(reply, Answer) and reply.status in {406, 429}


def _identity(reply: Reply) -> Identity | None:
    """Return whose the token is, where `/profiles/me` names exactly one profile."""
    match reply:
        case Answer(
            status=200,
            body={"profiles": [{"id": str(profile_id), "email": str(email)} as profile]},
        ) if profile_id and profile_id == _text(profile_id) and email:
            return Identity(
                profile_id=profile_id,
                name=_name(profile),
                user_status=_text(profile.get("user_status")),
                role=_text(profile.get("access_role")),
            )
        case _:
            return None


@dataclass(frozen=True)
class _Sight:
    """What the token sees of other people: key names only, never values."""

    people: int | None
    capabilities: dict[str, Capability]
    warnings: tuple[AccountWarning, ...]


_SALARY_FIELDS: Final = frozenset({"salary", "salaries"})
_SSN_FIELDS: Final = frozenset({"ssn"})
_SENSITIVE: Final = _SALARY_FIELDS | _SSN_FIELDS
_FIELDS: Final = {
    "work_fields": frozenset({"start_date", "departure_date", "reports_to", "employee_type"}),
    "personal_fields": frozenset({"dob", "home", "personal_email", "mobile_phone", "home_phone"}),
    "salary": _SALARY_FIELDS,
    "ssn": _SSN_FIELDS,
}
CAPABILITIES: Final = ("own_profile", "profiles", "other_profiles", *_FIELDS)
"""What a receipt tells of a token, each yes, no or unknown."""

_SEES_ITSELF: Final[dict[str, Capability]] = {
    **dict.fromkeys(CAPABILITIES, "unknown"),
    "own_profile": "yes",
}
_SEES_NOBODY: Final[dict[str, Capability]] = {
    **_SEES_ITSELF,
    "profiles": "no",
    "other_profiles": "no",
}
_MOST_PEOPLE: Final = 10**9
"""A total above it is no number of people, and may be too long to be stored."""


def _sight(reply: Reply, me: Identity) -> _Sight | None:
    """Return what `/profiles` shows; None where it neither lists people nor refuses to."""
    if _refuses(reply):
        return _Sight(None, _SEES_NOBODY, (AccountWarning.NARROW_ROLE,))
    profiles = _listed(reply)
    if profiles is None:
        return None
    people = _total(reply)
    sees: dict[str, Capability] = {**_SEES_ITSELF, "profiles": "yes"}
    other = next((one for one in profiles if one.get("id") != me.profile_id), None)
    if other is None:
        return _Sight(people, {**sees, "other_profiles": "no"}, (AccountWarning.ONLY_SELF_VISIBLE,))
    keys = frozenset(other)
    for name, fields in _FIELDS.items():
        sees[name] = "yes" if fields & keys else "no"
    return _Sight(
        people,
        {**sees, "other_profiles": "yes"},
        (AccountWarning.OVER_PRIVILEGED,) if _SENSITIVE & keys else (),
    )


_UNSEEN: Final = _Sight(None, _SEES_ITSELF, (AccountWarning.VISIBILITY_UNKNOWN,))


def _listed(reply: Reply) -> list[dict[str, Json]] | None:
    match reply:
        case Answer(status=200, body={"profiles": list(profiles)}) if all(
            isinstance(profile, dict) for profile in profiles
        ):
            return profiles
        case _:
            return None


def _total(reply: Reply) -> int | None:
    match reply:
        case Answer(body={"meta": {"total_count": int(total)}}) if (
            not isinstance(total, bool) and 0 <= total <= _MOST_PEOPLE
        ):
            return total
        case _:
            return None


def _hinted(resources: Reply) -> tuple[AccountWarning, ...]:
    match resources:
        case Answer(status=200, body={"meta": {"is_super_admin": True}}):
            return (AccountWarning.OVER_PRIVILEGED,)
        case _:
            return ()


def _exposed(control: Reply | None) -> Rejected | None:
    """Return the verdict on a site that shows a profile to a made-up token."""
    match control:
        case Answer(status=200, body={"profiles": [{"id": str()}, *_]}):
            return Rejected(Reason.SITE_ACCEPTS_ANY_TOKEN)
        case _:
            return None


_ADMIN_ROLES: Final = frozenset({"administrator", "admin", "super admin"})
_PERSONAL_ROLES: Final = frozenset({"employee", "manager", "executive"})


@dataclass(frozen=True, kw_only=True)
class Replies:
    """What came back to the questions about a token; `control` is None where it is not asked."""

    me: Reply
    people: Reply
    resources: Reply
    control: Reply | None = None


def judge(site: SiteFinding, replies: Replies) -> Verdict:
    """Return the verdict on a credential; the rules are those of `docs/verdicts.md`."""
    untrue = barred(site) or _exposed(replies.control)
    if untrue:
        return untrue
    identity = _identity(replies.me)
    if identity:
        return _judge_identity(identity, site, replies)
    if _refuses(replies.me):
        return _doubt(site, replies) or _refusal(site, replies.me)
    refuted = _refutes(replies.me) if isinstance(site, Guarded) else None
    return refuted or _no_verdict(replies.me)


def _judge_identity(identity: Identity, site: SiteFinding, replies: Replies) -> Verdict:
    """Judge a token that `/profiles/me` has answered."""
    if identity.user_status == "inactive":
        return Rejected(Reason.OWNER_INACTIVE)
    controlled = replies.control is None or _refuses(replies.control)
    sight = _sight(replies.people, identity)
    if sight is None:
        if not controlled:
            return _no_verdict(replies.people)
        sight = _UNSEEN
    role = identity.role.lower()
    warnings = {*sight.warnings, *_hinted(replies.resources)}
    if not controlled:
        warnings.add(AccountWarning.CONTROL_INCONCLUSIVE)
    if role in _ADMIN_ROLES:
        warnings.add(AccountWarning.OVER_PRIVILEGED)
    if role in _PERSONAL_ROLES:
        warnings.add(AccountWarning.PERSONAL_TOKEN)
    if identity.user_status != "active":
        warnings.add(AccountWarning.OWNER_NOT_ACTIVE)
    if not isinstance(site, Proven):
        warnings.add(AccountWarning.SITE_UNPROVEN)
    return Accepted(
        Receipt(
            site=site.site if isinstance(site, Proven) else Site("", ""),
            identity=identity,
            visible_people=sight.people,
            capabilities=dict(sight.capabilities),
            warnings=tuple(warning for warning in AccountWarning if warning in warnings),
        )
    )


def _doubt(site: SiteFinding, replies: Replies) -> Undetermined | None:
    """Return why a refusal does not count: Namely does not answer normally otherwise.

    `/profiles` may be throttled: that is Namely's own limit, and may hold all day. `/resources` is
    but a hint, and says nothing here.
    """
    if isinstance(site, Undetermined) and not isinstance(site, Guarded):
        return site
    if replies.control is not None and not _refuses(replies.control):
        return _no_verdict(replies.control)
    people = replies.people
    if _refuses(people) or _throttles(people) or _listed(people) is not None:
        return None
    return _no_verdict(people)


def _refusal(site: SiteFinding, me: Reply) -> Rejected:
    """Return what a refusal means that counts."""
    match site, me:
        case Proven(), Answer(status=401):
            return Rejected(Reason.TOKEN_UNAUTHORIZED)
        case Proven(), _:
            return Rejected(Reason.TOKEN_FORBIDDEN)
        case _:
            return Rejected(Reason.CREDENTIAL_UNCLEAR)


@dataclass(frozen=True, kw_only=True)
class Pending:
    """Questions about a token that are on their way."""

    replies: Mapping[str, Future[Reply]]

    def verdict(self, site: SiteFinding) -> Verdict:
        """Wait for the answers, in whatever order they come, and judge them."""
        return judge(site, Replies(**{name: one.result() for name, one in self.replies.items()}))


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Puts the questions of a probe; the same ones for a link and for a check."""

    namely: Namely
    negative_control: bool

    def site(self, subdomain: Subdomain, *, now: float, deadline: float) -> SiteFinding:
        """Ask who the site is, without a token, for at most a third of the time that is left.

        So the rest is left for the token, even where this question hangs. Both moments are
        `time.monotonic` ones.
        """
        until = now + (deadline - now) / 3
        return judge_site(self.namely.get(subdomain, SITE, None, until), subdomain)

    def ask(self, credential: Credential, *, deadline: float, pool: Executor) -> Pending:
        """Start every question about a token at once; the site must be one that may see it."""

        def start(path: str, token: Token) -> Future[Reply]:
            return pool.submit(self.namely.get, credential.subdomain, path, token, deadline)

        replies = {name: start(path, credential.token) for name, path in ASKED.items()}
        if self.negative_control:
            replies["control"] = start(ME, made_up_token())
        return Pending(replies=replies)


def _text(value: Json | None) -> str:
    """Return a text that may be stored: short, and without halves of characters."""
    return value[:200].encode(errors="replace").decode() if isinstance(value, str) else ""


def _name(profile: Mapping[str, Json]) -> str:
    full = _text(profile.get("full_name"))
    return full or " ".join(
        part for part in (_text(profile.get("first_name")), _text(profile.get("last_name"))) if part
    )
