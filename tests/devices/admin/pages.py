"""The pages of the admin, as the tests address and read them."""

from typing import Any

from devices.models import DeviceSession

LIST = "/admin/devices/devicesession/"


def page_of(session: DeviceSession) -> str:
    return f"{LIST}{session.pk}/change/"


def listed(staff: Any, /, **query: str) -> list[Any]:
    """The ids of the sessions that the list shows for a query, in its order."""
    answer = staff.get(LIST, query)
    assert answer.status_code == 200, (answer.status_code, answer.get("Location"))
    return [session.pk for session in answer.context["cl"].result_list]


def revoke(browser: Any, *sessions: DeviceSession, query: str = "", **fields: str) -> Any:
    """POST the action for these sessions; with a `note` it is confirmed."""
    data = {"action": "revoke", "_selected_action": [str(each.pk) for each in sessions], **fields}
    return browser.post(LIST + query, data)


def told(answer: Any) -> list[str]:
    """What the messages say after an answer."""
    return [str(message) for message in answer.wsgi_request._messages]
