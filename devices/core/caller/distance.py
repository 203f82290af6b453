"""How far apart two places are at least: of places by coordinates, of countries where they are beyond doubt.

Pure. Kilometres along the surface of a ball of the Earth's mean radius, which is right to half a percent.
"""

import math
from itertools import product

from .countries import CIRCLES, RADIUS
from .geo import Location

EARTH_RADIUS = 6371.0088  # kilometres

Place = tuple[float, float]  # latitude, longitude in degrees


def kilometres(a: Place, b: Place) -> float:
    (phi, lam), (psi, mu) = (tuple(map(math.radians, place)) for place in (a, b))
    h = math.sin((psi - phi) / 2) ** 2
    h += math.cos(phi) * math.cos(psi) * math.sin((mu - lam) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(min(1.0, math.sqrt(h)))


def at_least(a: Location, b: Location) -> float | None:
    """The least that two places can be apart; None if it is not known."""
    here, there = _point(a), _point(b)
    if here and there:
        return kilometres(here, there)
    if not (a.country and b.country):
        return None
    if a.country == b.country:
        return 0.0
    circles = CIRCLES.get(a.country, ()), CIRCLES.get(b.country, ())
    between = (kilometres(one, other) - 2 * RADIUS for one, other in product(*circles))
    nearest = min(between, default=None)
    return None if nearest is None else max(nearest, 0.0)


def _point(place: Location) -> Place | None:
    if place.latitude is None or place.longitude is None:
        return None
    return place.latitude, place.longitude
