"""The rules of claims, from policy.toml: an order keeps the version that it was sold under."""

import tomllib
from importlib import resources
from typing import Annotated

import msgspec
from msgspec import Meta


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of the rules. `tolerance_bps`: how far short of the priced liquidation price a trigger
    price may stay, in basis points of that price. `claim_window_sec`: how long after a cover's end a claim
    can be opened and evidence can come. `settle_after_end_sec`: how long after the end, by the exchange's
    clock, a reading has to be made to show that nothing happened before it; OKX refuses whose clock is off
    by more."""

    version: Annotated[str, Meta(min_length=1, max_length=64)]
    tolerance_bps: Annotated[int, Meta(ge=0, le=10_000)]
    claim_window_sec: Annotated[int, Meta(gt=0, le=366 * 86_400)]
    settle_after_end_sec: Annotated[int, Meta(ge=30, le=3_600)]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    policy: Annotated[list[Policy], Meta(min_length=1)]


def _load() -> tuple[Policy, ...]:
    text = (resources.files("liqpass.claims") / "policy.toml").read_text(encoding="utf-8")
    return tuple(msgspec.convert(tomllib.loads(text), _File).policy)


POLICIES = {policy.version: policy for policy in _load()}
CURRENT = next(reversed(POLICIES.values()))
"""What new orders are sold under."""


def policy_of(version: str) -> Policy:
    """The rules of a version. Raises LookupError: this version of LiqPass does not know it."""
    if version not in POLICIES:
        raise LookupError(f"no rules of claims have the version {version!r}: update LiqPass")
    return POLICIES[version]
