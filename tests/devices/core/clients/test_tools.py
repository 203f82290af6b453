"""Each tool of the table by a whole string as it sends it, and the unknown ones by their runtime."""

import pytest

from devices.core.clients.client import Client, describe_device
from devices.core.clients.user_agents.tools import TOOL_NAMES

SENT = {
    "aiohttp": "Python/3.12 aiohttp/3.9.5",
    "Ansible": "ansible-httpget",
    "ApacheBench": "ApacheBench/2.3",
    "Apache HTTP Client": "Apache-HttpClient/5.3.1 (Java/21.0.2)",
    "APT": "Debian APT-HTTP/1.3 (2.6.1)",
    "aria2": "aria2/1.37.0",
    "Artifactory": "Artifactory/7.77.5 77705900",
    "AWS CLI": "aws-cli/2.15.0 Python/3.11.6 Linux/6.5.0 exe/x86_64.ubuntu.22 prompt/off",
    "AWS SDK": "aws-sdk-go-v2/1.24.0 os/linux lang/go#1.21.5 md/GOOS#linux md/GOARCH#amd64",
    "axios": "axios/1.6.8",
    "Axel": "Axel/2.17.11 (linux-gnu)",
    "Azure CLI": "AZURECLI/2.57.0 (DEB) Python/3.11.7 (Linux-6.5.0-x86_64-with-glibc2.35)",
    "Boto3": "Boto3/1.34.0 md/Botocore#1.34.0 ua/2.0 os/linux#6.5.0 lang/python#3.11.6",
    "Bruno": "bruno-runtime/1.5.0",
    "Buildah": "Buildah/1.33.2",
    "BuildKit": "buildkit/v0.12.4",
    "Bun": "Bun/1.1.8",
    "Bundler": "bundler/2.5.3 rubygems/3.5.3 ruby/3.3.0 (x86_64-pc-linux-gnu) command/install",
    "Cargo": "cargo/1.75.0 (1d8b05cdd 2023-11-20)",
    "Composer": "Composer/2.6.5 (Linux; 6.5.0; PHP 8.2.13; cURL 8.4.0)",
    "conda": "conda/23.11.0 requests/2.31.0 CPython/3.11.5 Linux/6.5.0 ubuntu/22.04 glibc/2.35",
    "containerd": "containerd/1.7.11",
    "CPAN": "cpanminus/1.7047 perl/5.036001",
    "curl": "curl/8.6.0",
    "Cypress": "Cypress/13.6.2",
    "Deno": "Deno/1.40.0",
    "DNF": "libdnf (Fedora Linux 39; workstation; Linux.x86_64)",
    "Docker": r"docker/24.0.7 go/go1.20.10 os/linux UpstreamClient(Docker-Client/24.0.7 \(linux\))",
    "Excon": "excon/0.109.0",
    "Faraday": "Faraday v2.9.0",
    "Git": "git/2.39.5 (Apple Git-154)",
    "GitHub CLI": "GitHub CLI 2.40.1",
    "GitLab Runner": "gitlab-runner 16.7.0 (16-7-stable; go1.20.10; linux/amd64)",
    "Go-http-client": "Go-http-client/2.0",
    "Google Cloud CLI": "google-cloud-sdk gcloud/458.0.1 command/gcloud.auth.login (Linux 6.5.0)",
    "got": "got (https://github.com/sindresorhus/got)",
    "Gradle": "Gradle/8.5 (Linux;6.5.0;amd64) (Eclipse Adoptium;17.0.9;17.0.9+9)",
    "gRPC-Java": "grpc-java-netty/1.60.0 grpc-java/1.60.0",
    "gRPC": "grpc-go/1.60.1",
    "Guzzle": "GuzzleHttp/7",
    "Helm": "Helm/3.13.3",
    "Hoppscotch": "Hoppscotch/2023.12.6",
    "Homebrew": "Homebrew/4.2.0 (Macintosh; arm64 Mac OS X 14.2) curl/8.4.0",
    "HTTP.rb": "http.rb/5.1.1",
    "HTTPie": "HTTPie/3.2.2",
    "httplib2": "Python-httplib2/0.22.0 (gzip)",
    "httpx": "python-httpx/0.26.0",
    "hyper": "hyper/0.14",
    "Insomnia": "insomnia/8.5.1",
    "Java": "Java/17.0.9",
    "JMeter": "ApacheJMeter/5.6.3",
    "k6": "k6/0.48.0 (https://k6.io/)",
    "kubectl": "kubectl/v1.29.0 (linux/amd64) kubernetes/3f7a50f",
    "Ktor": "ktor-client",
    "libfetch": "libfetch/2.0",
    "Maven": "Apache-Maven/3.9.6 (Java 17.0.9; Linux 6.5.0)",
    "Mechanize": "Mechanize/2.9.1 Ruby/3.3.0p0 (http://github.com/sparklemotion/mechanize/)",
    "Microsoft BITS": "Microsoft BITS/7.8",
    "Needle": "Needle/3.3.1 (Node.js v20.10.0; linux x64)",
    "niquests": "niquests/3.4.2",
    "Node.js": "node",
    "Node Fetch": "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
    "npm": "npm/10.2.3 node/v20.10.0 linux x64 workspaces/false",
    "nscurl": "nscurl/3870.100.1 CFNetwork/3870.100.1 Darwin/26.0.0",
    "NuGet": "NuGet Command Line/6.8.0 (Microsoft Windows NT 10.0.22631.0)",
    "OpenTofu": "OpenTofu/1.6.0 (+https://www.opentofu.org)",
    "Perl LWP": "libwww-perl/6.72",
    "PHP": "PHP/8.2.13",
    "pip": 'pip/23.3.2 {"ci":null,"cpu":"x86_64","distro":{"name":"Ubuntu"},"system":{"name":"Linux"}}',
    "pipenv": "pipenv/2023.11.17",
    "pipx": "pipx/1.4.1",
    "Playwright": "Playwright/1.40.1 (x64; ubuntu 22.04) node/20.10",
    "pnpm": "pnpm/8.12.1 npm/? node/v20.10.0 darwin arm64",
    "Podman": "Podman/4.8.2",
    "Poetry": "poetry/1.7.1 CPython/3.11.6 Linux/6.5.0",
    "Postman": "PostmanRuntime/7.36.0",
    "PowerShell": "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621.2506",
    "Pulumi": "Pulumi/3.97.0 (v3.97.0; linux)",
    "Python": "Python/3.12",
    "Python Requests": "python-requests/2.31.0",
    "Python urllib": "Python-urllib/3.12",
    "rclone": "rclone/v1.65.0",
    "Reactor Netty": "ReactorNetty/1.1.14",
    "request": "request/2.88.2",
    "reqwest": "reqwest/0.11.23",
    "REST Client for Ruby": "rest-client/2.1.0 (linux x86_64) ruby/3.3.0p0",
    "RestSharp": "RestSharp/110.2.0.0",
    "Resty": "go-resty/2.10.0 (https://github.com/go-resty/resty)",
    "restic": "restic/0.16.2",
    "Ruby": "Ruby",
    "RubyGems": "RubyGems/3.5.3 x86_64-linux Ruby/3.3.0 (2023-12-25 patchlevel 0)",
    "rustup": "rustup/1.26.0",
    "s3cmd": "s3cmd/2.4.0",
    "Scrapy": "Scrapy/2.11.0",
    "Selenium": "selenium/4.16.0 (python linux)",
    "Skopeo": "skopeo/1.14.0",
    "superagent": "node-superagent/8.1.2",
    "Symfony HttpClient": "Symfony HttpClient/Curl",
    "Terraform": "HashiCorp Terraform/1.6.6 (+https://www.terraform.io)",
    "Thunder Client": "Thunder Client (https://www.thunderclient.com)",
    "Tornado": "Tornado/6.4",
    "twine": "twine/4.0.2 pkginfo/1.9.6 requests/2.31.0 CPython/3.11.6",
    "Typhoeus": "Typhoeus - https://github.com/typhoeus/typhoeus",
    "undici": "undici",
    "Unirest": "unirest-java/3.1.00",
    "ureq": "ureq/2.9.1",
    "urlgrabber": "urlgrabber/4.1.0 yum/3.4.3",
    "uv": 'uv/0.4.0 {"installer":{"name":"uv","version":"0.4.0"},"system":{"name":"Linux"}}',
    "Vegeta": "vegeta 12.11.1",
    "Wget": "Wget/1.21.4",
    "Windows HTTP": "WinHTTP/1.0",
    "xh": "xh/0.20.1",
    "XML-RPC": "Python-xmlrpc/3.12",
    "Yarn": "yarn/1.22.21 npm/? node/v20.10.0 linux x64",
}


def test_each_tool_of_the_table_has_a_string():
    assert set(SENT) == set(TOOL_NAMES.values())


@pytest.mark.parametrize(("name", "sent"), SENT.items())
def test_a_tool_is_named_and_is_one(name, sent):
    named = describe_device(Client(user_agent=sent))
    assert (named.browser, named.device_type) == (name, "cli")


@pytest.mark.parametrize(
    ("sent", "name", "os"),
    [
        ("AcmeSync/1.4 node/v22.1.0 linux x64", "AcmeSync", "Linux"),
        ("acmectl/v2.0.1 (darwin/arm64) 3f7a50f", "acmectl", "macOS"),
        ("acme-cli/0.9 (Windows NT 10.0)", "acme-cli", "Windows"),
        ("acme-deploy/3.1 CPython/3.13.0 Linux/6.8", "acme-deploy", "Linux"),
        ("acme/1.0 ruby/3.3.0", "acme", ""),
    ],
)
def test_an_unknown_tool_shows_by_its_runtime_or_platform(sent, name, os):
    named = describe_device(Client(user_agent=sent))
    assert (named.browser, named.os, named.device_type) == (name, os, "cli")


@pytest.mark.parametrize(
    "sent", ["Acme/2.0 (X11; Linux x86_64)", "Acme/1.42 (win32 x64)", "Acme/3 (Linux; Android 14)"]
)
def test_an_app_on_a_screen_is_no_tool(sent):
    assert describe_device(Client(user_agent=sent)).device_type in ("desktop", "mobile")
