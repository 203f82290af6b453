import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
# Gunicorn's own workers have as many threads as they begin with, so each may keep its connection. A greenlet
# lives for one request, and would leave its connection behind.
if not {"gevent", "eventlet"} & sys.modules.keys():
    os.environ.setdefault("DB_CONN_MAX_AGE", "600")

application = get_wsgi_application()
