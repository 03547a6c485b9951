"""The table ``[monitoring]`` of a project's ``dce-play.toml``: who is told of what."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from dce_play.system.quantities import DURATION_PATTERN, parse_duration
from dce_play.system.toml.config import TomlConfig
from dce_play.system.toml.keys import Key, Kind

_LONGEST_S = 120.0
_NOT_SLUG = re.compile(r"[^a-z0-9_-]+")


class State(StrEnum):
    """What a monitor is told of."""

    START = "start"
    FINISH = "finish"
    FAIL = "fail"


class ServiceKind(StrEnum):
    """How a monitor is spoken to."""

    HEALTHCHECKS = "healthchecks"
    NTFY = "ntfy"
    WEBHOOK = "webhook"
    APPRISE = "apprise"


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One monitor. Addresses and tokens are references to secrets, never the secrets."""

    kind: ServiceKind
    addresses: tuple[str, ...]
    states: frozenset[State]
    token: str = ""

    @property
    def references(self) -> tuple[str, ...]:
        return (*self.addresses, self.token) if self.token else self.addresses


class Monitoring(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told, and how long all of them together may take."""

    timeout_s: float
    playbooks: frozenset[str]
    """Only runs of these are told; empty for all."""
    services: tuple[Service, ...]

    @property
    def references(self) -> tuple[str, ...]:
        return tuple(reference for service in self.services for reference in service.references)

    def wanting(self, *states: State) -> tuple[Service, ...]:
        """Return the services that want to hear of one of these states."""
        return tuple(service for service in self.services if service.states.intersection(states))

    def watches(self, playbook: str) -> bool:
        """Return whether runs of a playbook, given by path or bare name, are told."""
        return not self.playbooks or bare_name(playbook) in self.playbooks


def bare_name(playbook: str) -> str:
    """Return the name of a playbook without folder and suffix."""
    return playbook.rpartition("/")[2].removesuffix(".yml").removesuffix(".yaml")


def slug(playbook: str) -> str:
    """Return a playbook's name as addresses can hold it: ``Proof of Life.yml`` is ``proof-of-life``."""
    return _NOT_SLUG.sub("-", bare_name(playbook).lower()).strip("-")


def _duration(text: str) -> float:
    seconds = parse_duration(text)
    if not 0 < seconds <= _LONGEST_S:
        raise ValueError(f"more than 0 s and at most {_LONGEST_S:g} s, as every run waits for it")
    return seconds


def _states(lines: tuple[str, ...]) -> frozenset[State]:
    unknown = [line for line in lines if line not in set(State)]
    if unknown:
        raise ValueError(f'start, finish or fail, not "{unknown[0]}"')
    return frozenset(map(State, lines))


def _states_key(kind: ServiceKind, default: list[str]) -> Key:
    return Key(
        name=f"monitoring.{kind}.states",
        kind=Kind.LINES,
        help="What it is told of: start, finish, fail.",
        default=default,
        convert=_states,
    )


def _url_key(kind: ServiceKind, help_text: str) -> Key:
    return Key(name=f"monitoring.{kind}.url", kind=Kind.SECRET, help=help_text)


def _token_key(kind: ServiceKind) -> Key:
    return Key(name=f"monitoring.{kind}.token", kind=Kind.SECRET, help="Sent as Authorization: Bearer.")


_LOUD = ["fail"]
KEYS = (
    Key(
        name="monitoring.timeout",
        kind=Kind.TEXT,
        help="How long all monitors together may take, each time.",
        default="10s",
        pattern=DURATION_PATTERN,
        convert=_duration,
    ),
    Key(
        name="monitoring.playbooks",
        kind=Kind.LINES,
        help="Tell only of runs of these playbooks, by their bare names; default: all.",
        default=[],
        convert=frozenset,
    ),
    _url_key(ServiceKind.HEALTHCHECKS, "Reference to the ping URL of a check, without /start or /fail."),
    _states_key(ServiceKind.HEALTHCHECKS, [*State]),
    _url_key(ServiceKind.NTFY, "Reference to the address of a topic, such as https://ntfy.sh/TOPIC."),
    _token_key(ServiceKind.NTFY),
    _states_key(ServiceKind.NTFY, _LOUD),
    _url_key(ServiceKind.WEBHOOK, "Reference to the address that a JSON object is posted to."),
    _token_key(ServiceKind.WEBHOOK),
    _states_key(ServiceKind.WEBHOOK, _LOUD),
    Key(
        name="monitoring.apprise.urls",
        kind=Kind.SECRETS,
        help="References to Apprise URLs: mail, chat, SMS and more. Needs the extra dce-play[notify].",
    ),
    _states_key(ServiceKind.APPRISE, _LOUD),
)


def monitoring_from(config: TomlConfig) -> Monitoring | None:
    """Return what a file says; ``None`` when it names no monitor. A table without an address is objected to."""
    values = config.values
    services = [service for kind in ServiceKind if (service := _service(kind, config, values)) is not None]
    if not services:
        return None
    return Monitoring(
        timeout_s=values.get("monitoring.timeout", 10.0),
        playbooks=values.get("monitoring.playbooks", frozenset()),
        services=tuple(services),
    )


def _service(kind: ServiceKind, config: TomlConfig, values: Mapping[str, Any]) -> Service | None:
    base = f"monitoring.{kind}"
    name = f"{base}.urls" if kind is ServiceKind.APPRISE else f"{base}.url"
    given = values.get(name) or ()
    addresses = (given,) if isinstance(given, str) else tuple(given)
    if not addresses:
        if any(each.startswith(f"{base}.") for each in config.given):
            config.object_to(base, f"[{base}] does not say where", f'add {name.rpartition(".")[2]} = "file:PATH"')
        return None
    return Service(
        kind=kind,
        addresses=addresses,
        token=values.get(f"{base}.token", ""),
        states=values.get(f"{base}.states", frozenset()),
    )
