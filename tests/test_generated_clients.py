"""Clients that others generate from our OpenAPI description: they compile, and sign in against the site."""

import json
import re
import shutil
import subprocess
import venv
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from devices.models import DeviceSession
from tests import npm, processes
from tests.client import PASSWORD
from tests.test_python_recipe import FILES
from tests.test_recipes import blocks

API_PAGE = Path(settings.BASE_DIR) / "docs/api.md"
# Pinned, since neither has a lock here.
NPM = ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3")
PYPI = "openapi-python-client==0.29.1"
OTHERS = ("@hey-api/openapi-ts@0.99.0", "orval@8.38.0", "typescript@5.9.3", "esbuild@0.25.12")

TYPESCRIPT = f"""
import createClient from "openapi-fetch";
import type {{ components, paths }} from "./schema.js";

const api = createClient<paths>({{ baseUrl: "SITE" }});
const credentials = {{ email: "alice@example.org", password: "{PASSWORD}" }};
const wrong = await api.POST("/api/login", {{ body: {{ ...credentials, password: "no" }} }});
const signedIn = await api.POST("/api/login", {{ body: credentials }});
if (!signedIn.data) throw new Error(JSON.stringify(signedIn.error));
const headers = {{ Authorization: `Bearer ${{signedIn.data.access_token}}` }};
const listed = await api.GET("/api/sessions", {{ headers }});
const sessions: components["schemas"]["DevicesSession"][] = listed.data ?? [];
const denied = await api.POST("/api/admin/sessions/revoke", {{
  headers, body: {{ user: 3, dry_run: true }},
}});
if (denied.response.status !== 403) throw new Error(JSON.stringify(denied.data));
console.log(JSON.stringify({{
  refused: wrong.response.status,
  current: sessions.map((session) => session.is_current),
}}));
"""

# With the fetch of docs/recipes/javascript.md, and an access token that has expired.
HEY = f"""
import {{ client }} from "./hey/client.gen";
import {{ listSessions, login as signIn, type DevicesSession }} from "./hey";
import {{ api, login, tokens }} from "./auth.js";

const kept = new Map();
Object.assign(globalThis, {{ localStorage: {{
  getItem: (key: string) => kept.get(key) ?? null,
  setItem: (key: string, value: string) => kept.set(key, value),
}} }});
client.setConfig({{ baseUrl: "SITE", fetch: api }});
const credentials = {{ email: "alice@example.org", password: "{PASSWORD}" }};
const wrong = await signIn({{ body: {{ ...credentials, password: "no" }} }});
await login(credentials.email, credentials.password);
tokens.set({{ ...tokens.get(), access: "expired" }});
const sessions: DevicesSession[] = (await listSessions()).data ?? [];
console.log(JSON.stringify({{
  refused: wrong.response?.status, current: sessions.map((session) => session.is_current),
}}));
"""

ORVAL = f"""
import {{ listSessions, login }} from "./orval";

const credentials = {{ email: "alice@example.org", password: "{PASSWORD}" }};
const wrong = await login({{ ...credentials, password: "no" }});
const signedIn = await login(credentials);
if (signedIn.status !== 200) throw new Error(JSON.stringify(signedIn.data));
const Authorization = `Bearer ${{signedIn.data.access_token}}`;
const listed = await listSessions({{ headers: {{ Authorization }} }});
if (listed.status !== 200) throw new Error(JSON.stringify(listed.data));
console.log(JSON.stringify({{
  refused: wrong.status, current: listed.data.map((session) => session.is_current),
}}));
"""
CONFIG = """
const output = { target: "orval.ts", client: "fetch", baseUrl: "SITE" };
export default { api: { input: "schema.yaml", output } };
"""

PYTHON = f"""
import json
from client import AuthenticatedClient, Client
from client.api.account import login
from client.api.sessions import list_sessions
from client.models import DevicesSessionStartRequest

api = Client(base_url="SITE")
def sign_in(password):
    body = DevicesSessionStartRequest(email="alice@example.org", password=password)
    return login.sync_detailed(client=api, body=body)
refused, signed_in = sign_in("no"), sign_in("{PASSWORD}")
mine = AuthenticatedClient(base_url="SITE", token=signed_in.parsed.access_token)
sessions = list_sessions.sync(client=mine)
# With the auth of docs/recipes/python.md, and an access token that has expired.
from api_httpx import TokenAuth
from api_tokens import File, Tokens
tokens = Tokens("SITE/api", File("tokens"), "Backup/1.2")
tokens.log_in(email="alice@example.org", password="{PASSWORD}")
tokens._pair["access"] += "x"
with tokens._file.locked() as stored:
    stored["pair"] = tokens._pair
mine = Client(base_url="SITE", httpx_args={{"auth": TokenAuth(tokens)}})
again = list_sessions.sync(client=mine)
assert sorted(session.is_current for session in again) == [False, True]
# With the description that docs/api.md makes: a later version of the site may have more values and keys.
from opened.models import DevicesSession
later = again[0].to_dict() | {{"device_type": "watch", "more": 1}}
assert DevicesSession.from_dict(later).device_type == "watch"
print(json.dumps({{
    "refused": refused.status_code, "current": [session.is_current for session in sessions],
}}))
"""

SEEN = {"refused": 401, "current": [True]}


def run(command: list[str], where: Path) -> str:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def description(tmp_path):
    path = tmp_path / "schema.yaml"
    call_command("spectacular", file=str(path))
    return path


def test_the_client_of_openapi_typescript_compiles_and_signs_in(
    tmp_path, description, live_server, alice
):
    (tmp_path / "package.json").write_text('{"type": "module"}')
    npm.install(tmp_path, NPM, "no client is generated in TypeScript")
    (tmp_path / "story.ts").write_text(TYPESCRIPT.replace("SITE", live_server.url))
    run(["npx", "openapi-typescript", "schema.yaml", "-o", "schema.ts"], tmp_path)
    strict = ["--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom"]
    run(["npx", "tsc", *strict, "story.ts"], tmp_path)
    assert json.loads(run(["node", "story.js"], tmp_path)) == SEEN


def test_the_clients_of_hey_api_and_orval_compile_and_sign_in(
    tmp_path, description, live_server, alice
):
    (tmp_path / "package.json").write_text('{"type": "module"}')
    npm.install(tmp_path, OTHERS, "no client is generated by @hey-api/openapi-ts and orval")
    code = blocks("javascript")["auth.js"]
    (tmp_path / "auth.js").write_text(code.replace("https://api.example.org", live_server.url))
    for name, text in {
        "by_hey.ts": HEY,
        "by_orval.ts": ORVAL,
        "orval.config.js": CONFIG,
    }.items():
        (tmp_path / name).write_text(text.replace("SITE", live_server.url))
    run(["npx", "openapi-ts", "-i", "schema.yaml", "-o", "hey"], tmp_path)
    run(["npx", "orval"], tmp_path)
    strict = ["--strict", "--noEmit", "--module", "esnext", "--moduleResolution", "bundler"]
    library = ["--target", "es2022", "--lib", "es2022,dom,dom.iterable"]
    stories = ["by_hey.ts", "by_orval.ts"]
    run(["npx", "tsc", *strict, *library, "--allowJs", *stories], tmp_path)
    bundle = ["--bundle", "--format=esm", "--platform=node", "--outdir=built"]
    run(["npx", "esbuild", *bundle, *stories], tmp_path)
    for story in stories:
        told = run(["node", f"built/{story[:-3]}.js"], tmp_path)
        assert json.loads(told) == SEEN
        DeviceSession.objects.all().delete()


def test_the_client_of_openapi_python_client_compiles_and_signs_in(
    tmp_path, description, live_server, alice
):
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv/bin/python")
    install = [python, "-m", "pip", "install", "-q", PYPI]
    if processes.run(install, tmp_path, timeout=120) is None:
        pytest.skip("NO PYPI: no client is generated in Python")
    if not shutil.which("jq"):
        pytest.skip("NO jq: no client is generated in Python")
    call_command("spectacular", file=str(tmp_path / "api.json"), format="openapi-json")
    [line] = re.findall(r"^\$ (jq .*)$", API_PAGE.read_text(), re.MULTILINE)
    run(["sh", "-c", line], tmp_path)
    for given, made in (("schema.yaml", "client"), ("open.json", "opened")):
        generate = ["generate", "--path", given, "--output-path", made, "--meta", "none"]
        run([str(tmp_path / "venv/bin/openapi-python-client"), *generate], tmp_path)
    run([python, "-m", "compileall", "-q", "client"], tmp_path)
    for name, code in FILES.items():
        (tmp_path / f"{name}.py").write_text(code)
    (tmp_path / "story.py").write_text(PYTHON.replace("SITE", live_server.url))
    assert json.loads(run([python, "story.py"], tmp_path)) == SEEN
