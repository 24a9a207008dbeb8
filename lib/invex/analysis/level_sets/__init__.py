"""Level sets of convex functions, in any dimension (Nesterov et al. 2022, Sec. 3.2-3.3): the front door.

Read `level_set` first: `LevelSet` holds a centre, found by `minimum`, and the `radius` in every direction,
and gives points, uniform samples, paths and walks. `level_before` carries a level through a monotone head,
and `pullback` carries curves back through a bijection. `rays` has the errors, each of which names the ray or
the point at fault; `search` has the searches along rays, `sampling`, `whitened`, `paths` and `strings` what
`LevelSet` offers, `problem` and `descent` how the minimum is found.
"""

from invex.analysis.level_sets.level_set import LevelSet, level_before
from invex.analysis.level_sets.minimum import Minimum, MinimumNotAttained, MinimumNotFound, minimum
from invex.analysis.level_sets.paths import PathNotResolved
from invex.analysis.level_sets.radius import Radii, radius
from invex.analysis.level_sets.rays import (
    LevelNotReached,
    LevelSetError,
    NotConvexAlongRay,
    NotOnLevel,
    UnboundedLevelSet,
)
from invex.analysis.level_sets.spherical import from_angles, to_angles
from invex.analysis.level_sets.whitened import NotSpread

__all__ = [
    "LevelNotReached",
    "LevelSet",
    "LevelSetError",
    "Minimum",
    "MinimumNotAttained",
    "MinimumNotFound",
    "NotConvexAlongRay",
    "NotOnLevel",
    "NotSpread",
    "PathNotResolved",
    "Radii",
    "UnboundedLevelSet",
    "from_angles",
    "level_before",
    "minimum",
    "radius",
    "to_angles",
]
