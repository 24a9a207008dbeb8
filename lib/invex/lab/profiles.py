"""The profiles: one word everywhere (papermill parameter, command-line option, field of a record).

``quick`` takes seconds to a minute a chapter on two cores, on embedded stand-in data; ``recorded`` computes
light figures live and draws heavy ones from the book's records; ``paper`` has the sources' data, sizes,
epochs and repetitions.
"""

PROFILES = ("quick", "recorded", "paper")
RECORDABLE = ("quick", "paper")
