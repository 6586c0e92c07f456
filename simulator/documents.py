"""Namely's JSON documents, as recorded; all people in them are invented."""

import functools
import hashlib
import uuid
from types import MappingProxyType

from simulator.answers import Json, JsonObject
from simulator.catalogue import Owner, Role

FIRST_NAMES = (
    "Aldous", "Brindle", "Calliope", "Dorrit", "Evander", "Fenella", "Galahad", "Hespera",
    "Ignatia", "Jocasta", "Kestrel", "Lysander", "Marigold", "Nimrod", "Ottoline", "Peregrine",
)  # fmt: skip
LAST_NAMES = (
    "Fernwhistle", "Gobblethwaite", "Hollowbrook", "Inkpenny", "Jabberfield", "Kettleblack",
    "Lanternjaw", "Mossbottom", "Nettlesworth", "Oddfellow", "Pumblechook", "Quillfeather",
    "Ravenscroft", "Snickersby", "Thistlewood",
)  # fmt: skip
JOB_TITLES = ("Payroll Specialist", "Lamplighter", "Cartographer", "Archivist", "Clockmaker")
INTEGRATIONS_TITLE = "Integrations"

KEYS_BY_SIGHT = MappingProxyType(
    {
        "work": ("start_date", "employee_type", "reports_to", "office_phone", "desk_number"),
        "birth_date": ("dob",),
        "salary": ("salary",),
        "ssn": ("ssn",),
    }
)
KEYS_OF_2014 = ("id", "email", "first_name", "last_name", "user_status", "links")
_EPOCH = 1_400_000_000
_DAY = 86_400


def identifier(*parts: object) -> str:
    """A UUID that is always the same for the same parts."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, ".".join(map(str, parts)) + ".namely.example"))


def job_title(site: str, title: str) -> JsonObject:
    """A job title as a profile holds it."""
    return {"id": identifier(site, "job_title", title), "title": title}


@functools.lru_cache(maxsize=8192)
def employee(site: str, index: int) -> MappingProxyType[str, Json]:
    """The employee at a place of a site's list, with every key there is."""
    first = FIRST_NAMES[index % len(FIRST_NAMES)]
    last = LAST_NAMES[index % len(LAST_NAMES)]
    dice = hashlib.sha256(f"{site}:{index}".encode()).digest()
    title = job_title(site, JOB_TITLES[index % len(JOB_TITLES)])
    created = _EPOCH + index * _DAY
    return MappingProxyType(
        {
            "id": identifier(site, index),
            "email": f"{first}.{last}.{index}@{site}.example".lower(),
            "first_name": first,
            "last_name": last,
            "preferred_name": "" if index % 3 else first[:3],
            "full_name": f"{first} {last}",
            "user_status": "active" if (index + 1) % 11 else "inactive",
            "job_title": title,
            "updated_at": created + _DAY,
            "created_at": created,
            "links": {"job_title": title["id"], "groups": [], "teams": []},
            "start_date": f"20{10 + index % 10}-0{1 + index % 9}-15",
            "employee_type": {"title": "Full Time"},
            "reports_to": [{"id": identifier(site, index // 5)}] if index else [],
            "office_phone": None,
            "desk_number": "",
            "dob": f"19{60 + index % 40}-0{1 + index % 9}-{10 + dice[0] % 18}",
            "salary": {
                "currency_type": "USD",
                "date": f"20{10 + index % 10}-0{1 + index % 9}-15",
                "guid": identifier(site, index, "salary"),
                "pay_group_id": None,
                "yearly_amount": 30_000 + dice[1] * 100,
            },
            # No area 000 was ever issued.
            "ssn": f"000-{dice[2] % 90 + 10}-{dice[3] % 90 + 1000}",
        }
    )


def profile(site: str, index: int, owner: Owner | None) -> JsonObject:
    """The person at a place of a site's list, who may be the owner of a token."""
    profile: JsonObject = dict(employee(site, index))
    if owner is None:
        return profile
    profile["user_status"] = owner.status
    if owner.kind == "integrations":
        title = job_title(site, INTEGRATIONS_TITLE)
        last = f"Service {index + 1}" if index else "Service"
        profile |= {
            "email": f"integrations{index or ''}@{site}.example",
            "first_name": "Integrations",
            "last_name": last,
            "preferred_name": "",
            "full_name": f"Integrations {last}",
            "job_title": title,
            "links": {"job_title": title["id"], "groups": [], "teams": []},
        }
    if owner.access_role is not None:
        profile["access_role"] = owner.access_role
    return profile


def seen(profile: JsonObject, role: Role, *, own: bool, shape: str) -> JsonObject:
    """A profile without the keys that a role does not see; one's own pay and birth one sees."""
    if shape == "2014":
        return {key: profile[key] for key in KEYS_OF_2014}
    sights = {
        "work": role.sees_work or own,
        "birth_date": role.sees_birth_date or own,
        "salary": role.sees_salary or own,
        "ssn": role.sees_ssn,
    }
    hidden = {key for sight, seen_ in sights.items() if not seen_ for key in KEYS_BY_SIGHT[sight]}
    return {key: value for key, value in profile.items() if key not in hidden}


def profiles_envelope(
    site: str, profiles: list[JsonObject], *, total: int, shape: str
) -> JsonObject:
    """The document that `/profiles` and `/profiles/me` answer with."""
    if shape == "2014":
        return {"profiles": profiles, "meta": {"count": len(profiles), "status": 200}}
    titles = {str(profile["job_title"]): profile["job_title"] for profile in profiles}
    return {
        "profiles": profiles,
        "meta": {"count": len(profiles), "total_count": total, "status": 200},
        "links": {
            "profiles.job_title": {"type": "job_titles"},
            "profiles.image": {"type": "files"},
            "profiles.groups": {"type": "groups"},
            "profiles.teams": {"type": "teams"},
        },
        "linked": {
            "job_titles": list(titles.values()),
            "files": [],
            "groups": [{"id": identifier(site, "group"), "title": "Everyone"}],
            "teams": [],
        },
    }


def company_info(name: str, permalink: str) -> JsonObject:
    """What `companies/info` tells anybody."""
    return {
        "name": name,
        "permalink": permalink,
        "background_url": "",
        "logo_url": f"https://assets.{permalink}.example/logo.png",
        "authentications": [
            {"type": "email_password"},
            {
                "type": "google_oauth2",
                "init_url": f"https://{permalink}.namely.com/users/auth/google_oauth2",
            },
        ],
    }


def resources(*, super_admin: bool) -> JsonObject:
    """What `/resources` answers: the hint of an administrator is in its meta."""
    names = ("profiles", "job_titles", "groups", "teams", "events")
    return {
        "resources": [{"name": name, "url": f"/api/v1/{name}"} for name in names],
        "meta": {
            "count": len(names),
            "total_count": len(names),
            "status": 200,
            "is_super_admin": super_admin,
        },
    }


def job_titles(site: str) -> JsonObject:
    """What `/job_titles` answers."""
    titles = [
        {**job_title(site, title), "parent": identifier(site, "tier"), "active": True}
        for title in (*JOB_TITLES, INTEGRATIONS_TITLE)
    ]
    return {
        "job_titles": titles,
        "meta": {"count": len(titles), "total_count": len(titles), "status": 200},
    }
