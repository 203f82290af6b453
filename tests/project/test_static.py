"""What browsers load: compressed, not too much, and kept for ever under a name of its contents."""

import gzip
import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client as Browser
from django.test import override_settings
from whitenoise.middleware import WhiteNoiseMiddleware

from project.static_files import HashedFiles

DOCS_BYTES = 520_000  # ten seconds at 400 kbit/s


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """The folder that `collectstatic` makes, with the settings of the site."""
    root = tmp_path_factory.mktemp("static")
    with override_settings(STATIC_ROOT=str(root)):
        call_command("collectstatic", interactive=False, verbosity=0)
        yield root


@pytest.fixture
def files(collected, settings):
    settings.STATIC_ROOT = str(collected)
    settings.WHITENOISE_AUTOREFRESH = False
    # A storage of this test, which has read what was collected.
    settings.STORAGES = {**settings.STORAGES}
    served = WhiteNoiseMiddleware(lambda request: None)

    def transferred(url):
        """The answer to a browser that takes gzip, and its length."""
        file = served.files[url]
        answer = file.get_response("GET", {"HTTP_ACCEPT_ENCODING": "gzip"})
        with answer.file:
            return dict(answer.headers), len(answer.file.read())

    return transferred


def urls(page):
    return re.findall(r'(?:src|href)="(/static/[^"#]+)', page.content.decode())


@pytest.mark.django_db
def test_files_are_compressed_and_kept_for_ever(files):
    for url in urls(Browser().get("/accounts/login/")):
        headers, _length = files(url)
        assert re.search(r"\.[0-9a-f]{12}\.\w+$", url), url
        assert "immutable" in headers["Cache-Control"]
        if url.endswith((".css", ".js")):
            assert headers["Content-Encoding"] == "gzip", url


@pytest.mark.django_db
def test_the_page_of_the_api_takes_ten_seconds_at_400_kbit(files):
    page = Browser().get("/docs")
    lengths = {url: files(url)[1] for url in urls(page)}
    schema = Browser().get("/api/schema", HTTP_ACCEPT_ENCODING="gzip")
    assert schema["Content-Encoding"] == "gzip"
    total = sum(lengths.values()) + len(schema.content) + len(gzip.compress(page.content))
    assert total < DOCS_BYTES, lengths
    # Until then, and without JavaScript, there is something to be read.
    assert "/api/schema" in page.content.decode().split('id="swagger-ui"')[1].split("</main>")[0]


@pytest.mark.django_db
def test_icons_are_where_browsers_look_by_themselves(files):
    for path, kind in (("/favicon.ico", "image/svg+xml"), ("/apple-touch-icon.png", "image/png")):
        headers, length = files(Browser().get(path)["Location"])
        assert headers["Content-Type"] == kind
        assert 0 < length < 8000


def test_without_collectstatic_names_are_as_they_are(settings, tmp_path):
    assert HashedFiles(location=tmp_path).url("site.css") == "/static/site.css"
    assert Path(tmp_path).is_dir()
