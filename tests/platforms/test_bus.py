"""The mode "cached" in a host project: what ends in a process is over there at once."""

from tests.bus import redis_server
from tests.ports import free_port
from tests.proxies.servers import running


def test_people_who_are_deleted_are_out_in_the_process_that_deletes_them(make_project):
    project = make_project()
    project.write("customers/__init__.py", "")
    project.write(
        "customers/models.py",
        """
        from django.contrib.auth.models import User

        class Customer(User):
            class Meta:
                proxy = True
        """,
    )
    with redis_server() as redis:
        project.configure(
            f"""
            BUS = "redis://127.0.0.1:{redis.port}/0"
            DEVICES = {{"LIVENESS": "cached", "BUS": BUS, "NOTICE_QUEUE": "worker"}}
            INSTALLED_APPS += ["customers"]
            """
        )
        project.play("""
        from time import monotonic, sleep
        from customers.models import Customer
        from devices.core.liveness.cache import session_cache
        call_command("makemigrations", "customers", verbosity=0)
        call_command("migrate", verbosity=0)

        def remembered():
            User.objects.create_user("alice", password=PASSWORD)
            token, before = sign_in()["access"], session_cache.hits
            until = monotonic() + 10
            while session_cache.hits < before + 3:
                assert ask("GET", "/api/sessions", token).status_code == 200
                assert monotonic() < until, "never remembered"
                sleep(0.05)
            return token

        for everybody in (User.objects, Customer.objects):
            token = remembered()
            everybody.get().delete()
            assert ask("GET", "/api/sessions", token).status_code == 401
            token = remembered()
            everybody.all().delete()
            assert ask("GET", "/api/sessions", token).status_code == 401
        """)


def test_a_sentinel_is_a_bus_by_its_own_url_alone(make_project, tmp_path):
    """By the URL of a server it answers, and delivers no messages."""
    config, at = tmp_path / "sentinel.conf", free_port()
    project = make_project()
    with redis_server() as redis:
        config.write_text(f"port {at}\nsentinel monitor main 127.0.0.1 {redis.port} 1\n")
        command = ["redis-server", str(config), "--sentinel"]
        with running(command, tmp_path / "sentinel.log", at):
            for bus, is_trusted in (
                (f"redis://127.0.0.1:{at}/0", False),
                (f"redis+sentinel://127.0.0.1:{at}/main/0", True),
            ):
                project.configure(f"""
                DEVICES = {{"LIVENESS": "cached", "BUS": {bus!r}, "NOTICE_QUEUE": "worker"}}
                """)
                project.play(f"""
                from time import monotonic, sleep
                from django.core.management import CommandError
                from devices.core.liveness import invalidation
                from devices.core.liveness.cache import session_cache
                call_command("migrate", verbosity=0)
                User.objects.all().delete()
                User.objects.create_user("alice", password=PASSWORD)
                token = sign_in()["access"]

                # Until the bus has been heard, or what it sent instead is known.
                until = monotonic() + 20
                while not (session_cache.hits or invalidation.error()):
                    assert ask("GET", "/api/sessions", token).status_code == 200
                    assert monotonic() < until
                    sleep(0.05)
                assert session_cache.is_trusted == bool(session_cache.hits) == {is_trusted}
                try:
                    call_command("liveness_status")
                except CommandError as error:
                    assert "every request asks the database" in str(error) and not {is_trusted}
                else:
                    assert {is_trusted}
                ask("POST", "/api/sessions/revoke-all?keep_current=false", token)
                assert ask("GET", "/api/sessions", token).status_code == 401
                """)
