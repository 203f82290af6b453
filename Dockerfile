# The site as it is served: no compiler, no secrets, not root.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /srv/devices

COPY requirements.txt ./
RUN pip install --require-hashes -r requirements.txt

COPY . ./
# Neither looks at the keys, which are given to the container when it runs.
RUN export SECRET_KEY=of-no-use-elsewhere-and-long-enough JWT_SECRET_KEY=of-no-use-either-and-long-enough \
    && python manage.py compile_translations \
    && python manage.py collectstatic --noinput --verbosity 0 \
    && useradd --system --no-create-home devices

USER devices
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz')"]
CMD ["gunicorn", "project.wsgi", "--bind", "0.0.0.0:8000", "--workers", "4"]
