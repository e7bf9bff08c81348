"""Who gets a value that only one may have: SIS ids and logins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Claim:
    """What a record needs a unique value for.

    `wanted` is None where PowerSchool gives none; `held` is the value that the record has in Canvas. Of two who want
    one value, the one with the lowest `rank` comes first.
    """

    source: str
    wanted: str | None
    held: str | None = None
    rank: tuple[bool, ...] = ()

    @property
    def target(self) -> str | None:
        """What the record asks for: without a new value, what it has."""
        return self.held if self.wanted is None else self.wanted


@dataclass(frozen=True, slots=True)
class Assigned:
    """The value of each record that has one, and for those that did not get what they want, who has it."""

    values: Mapping[str, str]
    lost_to: Mapping[str, str] = field(default_factory=dict)


def assign_unique(claims: Iterable[Claim], taken: Mapping[str, str] | None = None) -> Assigned:
    """Return who gets which value; a value goes to one record. `taken` are values of others, with who has them.

    By rank, then those who have the value in Canvas, then the record that sorts first. Whoever loses keeps what they
    have in Canvas, and has it before everybody of the same rank who would like it: nobody's account changes hands.
    """
    waiting = tuple(claims)
    lost_to: dict[str, str] = {}
    while True:
        values, losers = _one_round(waiting, taken or {})
        new = {source: winner for source, winner in losers.items() if source not in lost_to}
        lost_to |= new
        if not any(claim.source in new and claim.held is not None for claim in waiting):
            return Assigned(values, lost_to)
        # What they have is theirs from the start of the next round on, so that nobody else is given it.
        waiting = tuple(replace(c, wanted=None) if c.source in new else c for c in waiting)


def _one_round(claims: Iterable[Claim], taken: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    owners = dict(taken)
    values: dict[str, str] = {}
    losers: dict[str, str] = {}
    for claim in sorted(claims, key=lambda c: (*c.rank[:1], c.target != c.held, c.rank[1:], c.source)):
        if claim.target is None:
            continue
        owner = owners.setdefault(claim.target, claim.source)
        if owner == claim.source:
            values[claim.source] = claim.target
        else:
            losers[claim.source] = owner
    return values, losers
