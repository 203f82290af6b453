"""Programs without a screen, that talk HTTP for somebody: HTTP libraries, package managers, command lines.

An entry stands here in the spellings that the program sends; the tests have one whole string of each. A
program that states its language's runtime, or its platform as compilers name it, is one of them, too.
"""

import re
from typing import Final

from .tables import fold, folded, table

TOOL_NAMES: Final = table("""
aiohttp: Python aiohttp
Ansible: ansible-httpget
ApacheBench
Apache HTTP Client: Apache-HttpClient, Apache-HttpAsyncClient, Jakarta Commons-HttpClient
APT: Debian APT-HTTP, Debian APT-CURL, Ubuntu APT-HTTP
aria2
Artifactory
AWS CLI: aws-cli
AWS SDK: aws-sdk-java, aws-sdk-js, aws-sdk-go, aws-sdk-go-v2, aws-sdk-ruby3, aws-sdk-php, \
aws-sdk-dotnet-coreclr, aws-sdk-rust, aws-sdk-cpp
axios
Axel
Azure CLI: azure-cli, AZURECLI
Boto3: Boto, Botocore
Bruno: bruno-runtime
Buildah
BuildKit
Bun
Bundler
Cargo
Composer
conda
containerd
CPAN: CPANPLUS, cpanminus
curl: libcurl, PycURL, libcurl-agent
Cypress
Deno
DNF: libdnf
Docker: docker, Docker-Client
Excon
Faraday
Git: git, JGit, go-git, git-lfs
GitHub CLI
GitLab Runner
Go-http-client: Go HTTP Client, Go package http
Google Cloud CLI: google-cloud-sdk, google-cloud-sdk gcloud, gcloud, gsutil
got
Gradle
gRPC-Java: grpc-java-netty, grpc-java, grpc-java-okhttp
gRPC: grpc-go, grpc-python, grpc-c++, grpc-node-js, grpc-dotnet
Guzzle: GuzzleHttp
Helm
Hoppscotch
Homebrew
HTTP.rb
HTTPie
httplib2: Python-httplib2
httpx: python-httpx
hyper
Insomnia
Java: Java-http-client
JMeter: ApacheJMeter
k6
kubectl
Ktor: ktor-client
libfetch
Maven: Apache-Maven, maven-artifact, Aether
Mechanize
Microsoft BITS
Needle
niquests: python-niquests
Node.js: node, Node
Node Fetch: node-fetch
npm
nscurl
NuGet: NuGet Command Line, NuGet xplat, NuGet .NET Core MSBuild Task, NuGet Client V3
OpenTofu
Perl LWP: libwww-perl, LWP::Simple, lwp-request, HTTP-Tiny, Mojolicious
PHP
pip
pipenv
pipx
Playwright
pnpm
Podman
Poetry
Postman: PostmanRuntime
PowerShell: WindowsPowerShell
Pulumi
Python
Python Requests: python-requests
Python urllib: Python-urllib, Python-urllib3, Python-urllib2
rclone
Reactor Netty: ReactorNetty
request
reqwest
REST Client for Ruby: rest-client
RestSharp
Resty: go-resty
restic
Ruby
RubyGems
rustup
s3cmd
Scrapy
Selenium
Skopeo
superagent: node-superagent
Symfony HttpClient
Terraform: HashiCorp Terraform
Thunder Client
Tornado
twine
Typhoeus
undici
Unirest: unirest-java
ureq
urlgrabber
uv
Vegeta
Wget: GNU Wget, Wget2
Windows HTTP: WinHTTP, WinHttp.WinHttpRequest
xh
XML-RPC: Python-xmlrpc
Yarn
""")

TOOLS: Final = frozenset(fold(name) for name in TOOL_NAMES.values())

# What runs a tool, and says so in front of it.
RUNTIMES: Final = folded("Java, Node.js, PHP, Python, Ruby")

# What a runtime adds to a tool's name, and how compilers and runtimes write a platform.
_RUNTIME = re.compile(
    r"(?:^|[\s(;/])(?:c?python|node(?:\.js)?|ruby|perl|php|go|rustc|powershell|deno|bun)[/ ]v?\d"
    r"|\b(?:linux|darwin|windows|freebsd)[/_](?:amd64|x64|x86_64|arm64|aarch64|386)\b"
    r"|\b(?:x86_64|aarch64|arm64)-(?:pc-|apple-|unknown-)?(?:linux|darwin|windows)"
    r"|[a-z]-cli\b",
    re.IGNORECASE,
)


def is_tool(name: str, user_agent: str) -> bool:
    """Return whether a program is one of these, by its name or by what is beside it."""
    if fold(name) in TOOLS:
        return True
    is_browser = user_agent.startswith(("Mozilla", "Opera", "Dalvik"))
    return not is_browser and bool(_RUNTIME.search(user_agent))
