"""See `tests.proxies.files`."""

import re
from typing import Any

from django.urls import path

from project.urls import urlpatterns as of_the_site

from .servers import PAGE

shown: dict[str, Any] = {"__name__": __name__}
exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], shown)

urlpatterns = [path("session", shown["session"]), *of_the_site]
