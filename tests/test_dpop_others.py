"""Proofs that nobody here made: those of the standard, and of libraries from their registry."""

import json
import subprocess

import jwt
import pytest
import time_machine

from devices.core.binding import dpop
from devices.core.binding.dpop import Presentation
from devices.exceptions import InvalidDPoPProof
from devices.models import DeviceSession
from tests import npm
from tests.client import PASSWORD, Device

# RFC 9449: figures 2 (a token request) and 13 (a resource), and the thumbprint of their key, figure 8.
TOKEN_REQUEST = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXp"
    "Da0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydi"
    "I6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1w"
    "bGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0"
    "x7NVY-FNyJK70nfbV37xRZT3Lg"
)
RESOURCE = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXp"
    "Da0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydi"
    "I6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFt"
    "cGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9"
    "hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYo"
    "MxhAJpLjA"
)
THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
ACCESS_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"

# Made by the npm package dpop 2.1.2 with keys that cannot be extracted: algorithm, proof, thumbprint.
OF_DPOP_FOR_JAVASCRIPT = [
    (
        "ES256",
        "eyJhbGciOiJFUzI1NiIsInR5cCI6ImRwb3Arand0IiwiandrIjp7Imt0eSI6IkVDIiwiY3J2IjoiUC0yNTYiLCJ4IjoiWWtaekpt"
        "TmYtRmJCWWFCSGlmNE5EcEhHbjZZR0tzbVFNcVg2V2E3ZVVBQSIsInkiOiI1elRPMUt2ckJVbnE5RWktTWpJWFdGMGVuWFd2c05l"
        "M0FHa2RpZldOQzBjIn19.eyJpYXQiOjE3OTU4NzMxMTAsImp0aSI6IjdlZjI5YTU0LTQ4YzUtNGYwMS05MDAwLTU4MTU1NGYzMjc"
        "yMSIsImh0bSI6IlBPU1QiLCJodHUiOiJodHRwczovL2RldmljZXMudGVzdC9hcGkvbG9naW4ifQ.Ivbe3MThBcYWxjKIZmlt_fXC"
        "jgkYaBqWTf0p4JVGRyxBh_O5xFkZtNzcnSAHfg_1GQEVCx97KBBG8oAqK_1hGQ",
        "LZdKsAvCWdVaSvA_ADb3flpAEASQ20aiCqZh15_SzRM",
    ),
    (
        "RS256",
        "eyJhbGciOiJSUzI1NiIsInR5cCI6ImRwb3Arand0IiwiandrIjp7Imt0eSI6IlJTQSIsImUiOiJBUUFCIiwibiI6InQzZEJHQk12"
        "RGllNmRKY0s3ZUh3TV91cjBQR1hFZGRZOFpkWS1LbXhKYi1MSzhvMFNJVkJqTVVwMnlac2xVZGlSbVZBOEtBcFpIR21yaXpvUFRt"
        "b0VkRUxYQVZCWm1aRWlHc2c0TXNqTHAwR1Z6dHF1YU1lbVU2RHlIdDhZTDBXcmYyc3Z2X2MtT2ZjSllFa2MzRHgxT0ItTFA3OFFB"
        "cTR4RXhmNW1CY01zVEFyX1FiUXdtdTB6VkRHVVNTR1M3UHBJMy1wdzk2ZkxfREllMEVCNWxpREpvTWpTVER4ODUwTHhHT2dvVGJI"
        "WENVZzJCYjJUWkgtQm92VGpZVEwtcWRmbFJVa2JqWHdHaXl5Q3dGZkNTcDdVeEo1VTBZdE9JcVFRUVNIU0VwRlpWRGpIRWRPU1Bs"
        "Vk1wUTNDR3UtNGxuVWRMbzlNWFA2MkRMMGVMMkg2cUROdyJ9fQ.eyJpYXQiOjE3OTU4NzMxMTAsImp0aSI6IjZiNzE1ZmNjLWU1N"
        "GItNGNmYS1iNGQ3LWU4NTNkMzg5Y2YyMSIsImh0bSI6IlBPU1QiLCJodHUiOiJodHRwczovL2RldmljZXMudGVzdC9hcGkvbG9na"
        "W4ifQ.D5bunoWeBNrrIMoCjZPWh_WRyxml4wnw9ar0kf6MbGnOaSRm93MxQKUdOkamewa3VMgp90bzhjFvICppYXfLVBHjl8-nEe"
        "ga8YFIaeor7IDCHZ3WOs0AVpuynsNzPA5df-SDe5QOYjTHo-MAeZEHq-pslK-dGKGn3eaPUNEF3HVLdS44dR4UybQ33mD5s8jirW"
        "cSAwrKa2_z3-Ld99lJ-0M2LorPCVSUaPTf2Ua90Vp03WOrHNZV8m17st5Yly0V4Jy85j9XneIXeE7xsdjJkxRFzIS2fswbLv46Me"
        "5aYNwubN_xeIgQCPUWtBThWuuTQoTUABG7B54-RVJOz1m9fQ",
        "q8vT5qbnkpI0KudqTxSQR8g0SPyJ3Uf0ramJFuvNx58",
    ),
    (
        "Ed25519",
        "eyJhbGciOiJFZDI1NTE5IiwidHlwIjoiZHBvcCtqd3QiLCJqd2siOnsia3R5IjoiT0tQIiwiY3J2IjoiRWQyNTUxOSIsIngiOiJq"
        "Y3BaYTdRTWJmdWpicGRuZzRMWjFaN09CcmRSbUtUZmFNNmc1eWJUbXc4In19.eyJpYXQiOjE3OTU4NzMxMTAsImp0aSI6ImEyYmR"
        "hODQ4LTZhYzItNGVlMS04OGQxLWUzMzMxYWE0NWRmYiIsImh0bSI6IlBPU1QiLCJodHUiOiJodHRwczovL2RldmljZXMudGVzdC9"
        "hcGkvbG9naW4ifQ.5BmbFvK5DeINnCgrdDo22KnBBJZSl2_WmdrhdemBkqu5evx0aPUdmpJcFhc73WjqgZxROyDW8m-GDv9i82VJ"
        "Ag",
        "NI--m4i2T6V9mlLjQlPcEj8kr0gyMTSdPuBImxLAvqY",
    ),
]

NPM = ("dpop@2.1.2", "oauth4webapi@3.8.8")


@pytest.mark.django_db
@time_machine.travel(1562262616)
def test_S_RFC9449_the_token_request_of_the_standard_is_taken_once():
    def begin():
        there = Presentation("", TOKEN_REQUEST, "POST", ("https://server.example.com/token",))
        return dpop.begin(there, None, None)

    assert begin() == THUMBPRINT
    with pytest.raises(InvalidDPoPProof) as refused:
        begin()
    assert refused.value.reason == "jti_used"


@pytest.mark.django_db
@time_machine.travel(1562262618)
def test_S_RFC9449_the_resource_request_of_the_standard_is_taken():
    url = "https://resource.example.org/protectedresource"
    there = Presentation("dpop", RESOURCE, "GET", (url,))
    dpop.prove(there, THUMBPRINT, ACCESS_TOKEN)
    assert there.proved.claims["jti"] == "e1j3V_bKic8-LAEB"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("algorithm", "proof", "thumbprint"), OF_DPOP_FOR_JAVASCRIPT, ids=lambda each: each[:9]
)
def test_a_proof_of_another_library_binds_its_key(alice, algorithm, proof, thumbprint):
    claims = jwt.decode(proof, options={"verify_signature": False})
    with time_machine.travel(claims["iat"], tick=False):
        body = {"email": alice.email, "password": PASSWORD}
        answer = Device().post("/api/login", body, HTTP_DPOP=proof)
    assert answer.json()["token_type"] == "DPoP"
    assert DeviceSession.objects.get().binding_key == thumbprint


@pytest.fixture
def node(tmp_path, live_server):
    """node(story): run a story with these packages against the site; what it prints as JSON."""
    (tmp_path / "package.json").write_text('{"type": "module"}')
    npm.install(tmp_path, NPM, "the DPoP of other libraries is not played live")

    def node(story):
        (tmp_path / "story.js").write_text(story.replace("SITE", live_server.url))
        done = subprocess.run(
            ["node", "story.js"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return node


LOGIN = f"""
const credentials = {{ email: "alice@example.org", password: "{PASSWORD}" }};
const post = (path, body, headers) => fetch("SITE/api" + path, {{
  method: "POST",
  headers: {{ "Content-Type": "application/json", ...headers }},
  body: JSON.stringify(body),
}});
"""


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "Ed25519"])
@pytest.mark.parametrize("nonces", [False, True])
def test_the_package_dpop_signs_in_calls_and_refreshes(node, alice, settings, algorithm, nonces):
    settings.DEVICES = {**settings.DEVICES, "DPOP_NONCE": nonces}
    story = """
    import * as DPoP from "dpop";
    const key = await DPoP.generateKeyPair("ALGORITHM");
    let nonce;
    async function proved(method, path, token, send) {
      for (const attempt of [1, 2]) {
        const proof = await DPoP.generateProof(key, "SITE/api" + path, method, nonce, token);
        const answer = await send({ DPoP: proof });
        const given = answer.headers.get("DPoP-Nonce");
        nonce = given ?? nonce;
        if (!given || (await answer.clone().json()).code !== "use_dpop_nonce") return answer;
      }
    }
    const answers = [];
    const login = await proved("POST", "/login", undefined, (h) => post("/login", credentials, h));
    let { access_token: access, refresh_token: refresh, token_type } = await login.json();
    for (let i = 0; i < 2; i++) {
      const me = await proved("GET", "/me", access, (h) =>
        fetch("SITE/api/me", { headers: { ...h, Authorization: `${token_type} ${access}` } }));
      answers.push(me.status);
      const next = await proved("POST", "/token/refresh", undefined, (h) =>
        post("/token/refresh", { refresh }, h));
      answers.push(next.status);
      ({ access, refresh } = await next.json());
    }
    console.log(JSON.stringify({ token_type, answers, name: await DPoP.calculateThumbprint(key.publicKey) }));
    """
    told = node("import 'dpop';" + LOGIN + story.replace("ALGORITHM", algorithm))
    assert (told["token_type"], told["answers"]) == ("DPoP", [200] * 4)
    assert DeviceSession.objects.get().binding_key == told["name"]


@pytest.mark.parametrize("nonces", [False, True])
def test_oauth4webapi_calls_the_api_and_follows_its_nonces(node, alice, settings, nonces):
    story = """
    import * as oauth from "oauth4webapi";
    import * as DPoP from "dpop";
    const key = await oauth.generateKeyPair("ES256");
    const prove = async (nonce) => ({
      DPoP: await DPoP.generateProof(key, "SITE/api/login", "POST", nonce),
    });
    let login = await post("/login", credentials, await prove());
    const nonce = login.headers.get("DPoP-Nonce");
    if (nonce) login = await post("/login", credentials, await prove(nonce));
    const { access_token } = await login.json();
    const handle = oauth.DPoP({ client_id: "app" }, key);
    const answers = [];
    for (let i = 0; i < 3; i++) {
      const call = () => oauth.protectedResourceRequest(
        access_token, "GET", new URL("SITE/api/sessions?x=1"), undefined, null,
        { DPoP: handle, [oauth.allowInsecureRequests]: true });
      const answer = await call().catch((error) => {
        if (!oauth.isDPoPNonceError(error)) throw error;
        answers.push("nonce");
        return call();
      });
      answers.push(answer.status);
    }
    console.log(JSON.stringify(answers));
    """
    settings.DEVICES = {**settings.DEVICES, "DPOP_NONCE": nonces}
    # It keeps the nonce of the last answer by itself.
    assert node(LOGIN + story) == [*(["nonce"] if nonces else []), 200, 200, 200]
    assert DeviceSession.objects.get().binding == "dpop"
