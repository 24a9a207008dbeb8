"""The three profiles: one word everywhere (papermill parameter, command-line option, field of a record)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """A scale at which the book can be run.

    Attributes:
        purpose: one sentence for a reader.
        comparable: whether its results may be compared with the sources' numbers.
    """

    name: str
    purpose: str
    comparable: bool


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("quick", "Seconds to a minute a chapter on two cores, on embedded stand-in data.", False),
        Profile("recorded", "Light figures computed live, heavy ones drawn from book/records.", True),
        Profile("paper", "The sources' data, sizes, epochs and repetitions; made for one GPU.", True),
    )
}
RECORDABLE = ("quick", "paper")


def profile(name: str) -> Profile:
    """Profile of that name.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    if name not in PROFILES:
        raise ValueError(f"no profile {name!r}; there are {', '.join(PROFILES)}")
    return PROFILES[name]
