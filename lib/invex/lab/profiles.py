"""The profiles: one word everywhere (papermill parameter, command-line option, field of a record).

``quick`` takes seconds to a minute a chapter on two cores, on embedded stand-in data; ``recorded`` computes
light figures live and draws heavy ones from the book's records; ``paper`` has the sources' data, sizes,
epochs and repetitions. Records, not chapters, have one more: ``reduced``, real data with fewer epochs, seeds
or blocks or a narrower network, which the experiment says in words.
"""

from enum import StrEnum


class Profile(StrEnum):
    """A profile by name."""

    quick = "quick"
    recorded = "recorded"
    paper = "paper"


PROFILES = tuple(profile.value for profile in Profile)
RECORDABLE = ("quick", "reduced", "paper")
SCALES = ("paper", "reduced")  # what a page draws: the largest that is recorded
