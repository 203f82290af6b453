"""docs/recipes/rabbitmq.md, played with RabbitMQ and a client over MQTT."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.bus import wait_for
from tests.ports import free_port
from tests.proxies.servers import running
from tests.test_guides import ROOT

from .shop import blocks, play

pytestmark = pytest.mark.own_database

# Debian's program of the name wants to change its user.
PROGRAMS = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
RECIPE = "recipes/rabbitmq"


@pytest.fixture
def folder():
    # The name of a socket of Erlang has little room.
    with tempfile.TemporaryDirectory(prefix="rabbit") as name:
        yield Path(name)


@pytest.fixture
def rabbitmq(folder):
    """A RabbitMQ that is set up as the page has it: the ports of the site, of MQTT and of its management."""
    program = PROGRAMS[-1] if PROGRAMS else shutil.which("rabbitmq-server")
    epmd = shutil.which("epmd")
    if program is None or epmd is None:
        pytest.skip("NO BROKER: rabbitmq-server is not installed")
    site, mqtt, management, amqp, names = (free_port() for _ in range(5))
    text = (ROOT / f"docs/{RECIPE}.md").read_text()
    [(plugins, shown)] = re.findall(r"```ini\n#.* enable (.*)\n([^`]*)```", text)
    (folder / "rabbitmq.conf").write_text(
        shown.replace("127.0.0.1:8000", f"127.0.0.1:{site}")
        + f"listeners.tcp.1 = 127.0.0.1:{amqp}\nmqtt.listeners.tcp.1 = 127.0.0.1:{mqtt}\n"
        f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n"
    )
    (folder / "plugins").write_text(f"[{','.join(plugins.split())}].")
    env = {
        **os.environ,
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(names),
        "RABBITMQ_NODENAME": "rabbit@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
    }
    with running([epmd, "-port", str(names)], folder / "epmd.log", names, env):
        process = subprocess.Popen(
            [str(program)], env=env, stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            wait_for(lambda: listens(mqtt) and listens(management), seconds=60)
            yield site, mqtt, management
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_connection_lasts_as_long_as_its_session(tmp_path, rabbitmq):
    kind = ",".join(map(str, rabbitmq))
    assert play("rabbitmq_story", tmp_path, *blocks(RECIPE), kind=kind) == {}
