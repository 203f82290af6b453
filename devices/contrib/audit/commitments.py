"""What a link says of a line of the activity log, so that personal details can go and the chain still holds.

Each part is hashed with a salt of its own. When a part is erased its salt goes, too: of an address alone
somebody could try all there are. Pure.
"""

import secrets
from datetime import UTC, datetime
from typing import Any, Final

from devices.core.log import activity
from devices.lookups import shortened
from devices.models import Activity

from .checkpoints import digest

# What never changes.
FIXED: Final = "fixed"
# Address and data as they were written, and as they are once they have aged.
WHOLE: Final = "whole"
AGED: Final = "aged"
# Who did it.
ACTOR: Final = "actor"


def parts(line: Activity) -> dict[str, Any]:
    """The parts of a line as it is now."""
    data = {key: value for key, value in line.data.items() if key != "by"}
    return {
        FIXED: [line.pk, line.kind, moment(line.at), str(line.session_id), str(line.user_id)],
        ACTOR: [_text(line.actor_id), line.data.get("by")],
        WHOLE: [line.ip_address, data],
        AGED: [shortened(line.ip_address), activity.redacted(line.kind, data)],
    }


def commit(line: Activity) -> tuple[dict[str, str], dict[str, str]]:
    """The commitments to a line, and their salts."""
    salts = {name: secrets.token_hex(16) for name in (FIXED, AGED, ACTOR, WHOLE)}
    return {name: of(salts[name], part) for name, part in parts(line).items()}, salts


def of(salt: str, part: Any) -> str:
    """Return the commitment to `part`: a hash with the salt."""
    return digest([salt, part])


def moment(time: datetime) -> str:
    """Return a time as ISO 8601 in UTC, as it is hashed."""
    return time.astimezone(UTC).isoformat()


def _text(key: Any) -> str | None:
    return None if key is None else str(key)
