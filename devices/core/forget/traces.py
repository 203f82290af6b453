"""What in the data of a log tells of an address or an agent, and the same without. Pure."""

import re
from typing import Any, Final

from devices.lookups import shortened

# Never kept when a line has aged: what a client called itself, and names that people gave.
DROPPED: Final = frozenset({"user_agent"})
DROPPED_OF_KIND: Final = {"session.renamed": frozenset({"from", "to"})}

# What may be an address, wherever in a text; whether it is one is up to the parser.
_IPV4 = r"\d{1,3}(?:\.\d{1,3}){3}"
_IPV6 = rf"(?=[^:]*:[^:]*:)[0-9A-Fa-f:]{{2,39}}(?:{_IPV4})?"
_ADDRESS = re.compile(
    rf"(?<![\w:.]){_IPV6}(?!\w|:[\w:]|\.\d)|(?<![\w.]){_IPV4}(?!\w|\.\d)", re.ASCII
)


def aged(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """The data of a line as it is kept: addresses shortened, wherever they stand; agents and names gone."""
    dropped = DROPPED | DROPPED_OF_KIND.get(kind, frozenset())
    return {key: _aged(value) for key, value in data.items() if key not in dropped}


def _aged(value: Any) -> Any:
    match value:
        case str():
            return _ADDRESS.sub(_shortened, value)
        case dict():
            return aged("", value)
        case list() | tuple():
            return [_aged(item) for item in value]
    return value


def _shortened(found: re.Match[str]) -> str:
    text = found[0]
    # A colon may end the address ("2001:db8::") or what is said of it.
    for address in (text, text.rstrip(":")):
        try:
            return f"{shortened(address)}{text[len(address) :]}"
        except ValueError:
            continue
    return text
