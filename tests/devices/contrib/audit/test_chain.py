"""What staff did is chained: whoever changes, removes, adds or reorders it is found out, and where."""

import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, connections
from django.db.models import F
from django.utils import timezone

from devices.contrib.audit import checkpoints, sealing, verification
from devices.contrib.audit.models import ChainLink
from devices.core import erasure, sessions
from devices.core.clients.client import Client
from devices.core.log import activity
from devices.core.notifications import worker
from devices.core.retention import anonymization, cleanup
from devices.models import Activity, DeviceSession, RevokeReason

HERE = "203.0.113.77"


@pytest.fixture
def root(make_user):
    return make_user("root@example.org", is_staff=True, is_superuser=True)


@pytest.fixture
def staff_did(alice, root):
    """staff_did(n): n lines of the log that staff left, sealed."""

    def staff_did(n=5):
        session = sessions.start(alice, Client("192.0.2.1", ""))
        for i in range(n):
            data = {"ticket": i, "from": HERE}
            activity.record(session, "ticket.answered", data, by=root, ip_address=HERE)
        sealing.seal()
        return session

    return staff_did


def problems(*known):
    return verification.verify(known).problems


def checkpoint():
    return verification.verify().end


def line(position):
    link = ChainLink.objects.get(position=position)
    return Activity.objects.filter(pk=link.activity_id)


def test_what_staff_did_is_sealed_once_and_nothing_else(staff_did, alice, root):
    session = staff_did(3)
    sessions.revoke(session, reason=RevokeReason.ADMIN, by=root, note="help")
    assert verification.verify().pending == 1
    assert sealing.seal() == 1
    assert sealing.seal() == 0
    kinds = [
        Activity.objects.get(pk=link.activity_id).kind
        for link in ChainLink.objects.order_by("position")
    ]
    assert kinds == ["ticket.answered"] * 3 + ["session.revoked"]
    assert verification.verify() == ([], 4, 0, checkpoint())


def test_more_than_a_batch_is_sealed_and_read(staff_did, monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 3)
    staff_did(8)
    assert verification.verify()[:3] == ([], 8, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "ticket.closed"},
        {"at": F("at") + timedelta(seconds=1)},
        {"data": {"ticket": 7}},
        {"ip_address": "203.0.113.78"},
        {"ip_address": "203.0.113.0"},
        {"ip_address": None},
        {"session_id": "00000000-0000-0000-0000-000000000000"},
    ],
    ids=str,
)
def test_V16_4_2_a_changed_line_is_found(staff_did, change):
    staff_did()
    pk = line(3).get().pk
    line(3).update(**change)
    assert f"3: line {pk} was changed" in problems()


def test_V16_4_2_who_did_it_cannot_be_changed_nor_go_without_an_erasure(staff_did, alice):
    staff_did()
    pk = line(2).get().pk
    line(2).update(actor=alice)
    assert problems() == [f"2: line {pk}: who did it was changed"]
    line(2).update(actor=None, data={"ticket": 1, "from": HERE})
    assert problems() == [f"2: line {pk}: who did it was changed"]


def test_V16_4_2_a_line_cannot_pass_for_one_that_has_aged(staff_did, root):
    staff_did()
    pk = line(4).get().pk
    data = {"ticket": 3, "from": "203.0.113.0", "by": str(root.pk)}
    line(4).update(ip_address="203.0.113.0", data=data, is_precise=False)
    assert problems() == [f"4: line {pk} was changed"]


def test_V16_4_2_a_removed_line_is_found(staff_did):
    staff_did()
    pk = line(5).get().pk
    line(5).delete()
    assert problems() == [f"5: line {pk} was removed"]


def test_V16_4_2_lines_that_change_places_are_found(staff_did):
    staff_did()
    one, two = line(1).get(), line(2).get()
    line(1).update(at=two.at, data=two.data)
    line(2).update(at=one.at, data=one.data)
    assert problems() == [f"1: line {one.pk} was changed", f"2: line {two.pk} was changed"]


def test_V16_4_2_a_line_that_is_put_in_later_is_found(staff_did, root):
    session = staff_did()
    forged = Activity.objects.create(
        session_id=session.pk,
        user_id=session.user_id,
        actor=root,
        kind="ticket.answered",
        at=timezone.now() - timedelta(days=3),
    )
    assert sealing.seal() == 0
    (problem,) = problems()
    assert problem.startswith(f"line {forged.pk}: ticket.answered of ")


def test_V16_4_2_a_removed_link_is_found_in_the_middle_and_at_the_beginning(staff_did):
    staff_did(6)
    ChainLink.objects.filter(position__in=(3, 4)).delete()
    assert problems()[0] == "3–4: removed from the chain"
    ChainLink.objects.filter(position__lt=3).delete()
    assert problems()[0] == "1–4: removed from the chain"


def test_V16_4_2_links_that_change_places_are_found(staff_did):
    staff_did(4)
    ChainLink.objects.filter(position=2).update(position=99)
    ChainLink.objects.filter(position=3).update(position=2)
    ChainLink.objects.filter(position=99).update(position=3)
    found = problems()
    assert found[:2] == ["2: it does not go on from the one before it", "2: the link was changed"]
    assert {each.split(":")[0] for each in found} == {"2", "3", "4"}


def test_V16_4_2_a_rewritten_link_is_found_by_the_next(staff_did):
    staff_did(4)
    link = ChainLink.objects.get(position=2)
    body = {**link.body, **sealing.commitments.commit(line(2).get())[0]}
    forged = sealing.hash_of(2, link.activity_id, link.sealed_at, body, link.previous)
    ChainLink.objects.filter(position=2).update(body=body)
    assert "2: the link was changed" in problems()
    ChainLink.objects.filter(position=2).update(hash=forged)
    assert "3: it does not go on from the one before it" in problems()


def test_V16_4_2_a_chain_that_is_cut_off_or_written_anew_does_not_fit_a_checkpoint(staff_did):
    staff_did(5)
    kept = checkpoint()
    assert problems(kept) == []
    line(5).delete()
    ChainLink.objects.filter(position=5).delete()
    assert problems() == []
    assert problems(kept) == [
        f"4: the chain ends here, and the checkpoint of {kept.at} knows 5; its end was cut off"
    ]
    # With other lines it is as long again.
    ChainLink.objects.all().delete()
    staff_did(1)
    assert problems() == []
    assert problems(kept) == [
        f"5: it is not what the checkpoint of {kept.at} knows; the chain was rewritten here or before"
    ]


def test_the_salts_of_a_line_cannot_go_without_an_erasure(staff_did):
    staff_did(2)
    ChainLink.objects.filter(position=1).update(salts={})
    assert problems() == [f"1: line {line(1).get().pk}: its salts were removed"]


# What is deleted and shortened on purpose


def test_details_that_age_leave_the_chain_whole_and_cannot_be_found_out(staff_did, settings):
    staff_did()
    kept = checkpoint()
    settings.DEVICES = {**settings.DEVICES, "IP_RETENTION_DAYS": timedelta(0)}
    list(anonymization.age())
    assert line(1).get().ip_address == "203.0.113.0"
    assert problems(kept) == []
    sealing.drop_salts()
    assert problems(kept) == []
    assert {frozenset(link.salts) for link in ChainLink.objects.all()} == {
        frozenset({"fixed", "aged", "actor"})
    }
    # What is left is still held to.
    pk = line(1).get().pk
    line(1).update(ip_address="203.0.112.0")
    assert problems(kept) == [f"1: line {pk} was changed"]


def test_an_erased_person_leaves_the_chain_whole(staff_did, alice, root):
    session = staff_did(3)
    sessions.revoke(session, reason=RevokeReason.ADMIN, by=root)
    kept = checkpoint()
    erasure.erase(root)
    assert problems(kept) == []
    (erased,) = ChainLink.objects.filter(activity_id=None)
    assert erased.body == {"erased": [1, 2, 3, 4], "part": "actor"}
    assert "actor" not in ChainLink.objects.get(position=1).salts
    # Nobody is put in their place.
    pk = line(1).get().pk
    line(1).update(actor=alice)
    assert f"1: line {pk}: who did it was changed" in problems(kept)
    line(1).update(actor=None)
    erasure.erase(alice)
    assert problems(kept) == []
    assert not Activity.objects.exists()
    assert [link.salts for link in ChainLink.objects.filter(position__lte=4)] == [{}] * 4


def test_an_erasure_takes_no_others_along(staff_did, mallory):
    staff_did(3)
    erasure.erase(mallory)
    pk = line(2).get().pk
    line(2).delete()
    assert problems() == [f"2: line {pk} was removed"]


def test_links_past_the_retention_go_and_what_is_left_begins_where_they_ended(
    staff_did, settings, clock
):
    staff_did(3)
    early = checkpoint()
    clock.shift(timedelta(days=300))
    staff_did(2)
    late = checkpoint()
    clock.shift(timedelta(days=70))
    list(cleanup.purge_activities())
    assert problems(early, late) == []
    sealing.prune()
    assert [link.position for link in ChainLink.objects.order_by("position")] == [4, 5, 6]
    assert problems(early, late) == []
    sealing.prune()
    assert ChainLink.objects.count() == 3
    # Under that cover no more may go.
    ChainLink.objects.filter(position=4).delete()
    assert problems(late)[0] == "4: removed from the chain"


def test_V16_4_2_nothing_is_deleted_before_its_time(staff_did):
    staff_did(3)
    kept = checkpoint()
    staff_did(1)
    # As somebody would who writes to the database.
    last = ChainLink.objects.get(position=3)
    sealing.append(
        [sealing.New({"pruned": 3, "hash": last.hash, "until": "2020-01-01T00:00:00+00:00"})]
    )
    for position in (1, 2, 3):
        line(position).delete()
    ChainLink.objects.filter(position__lte=3).delete()
    assert problems(kept) == [f"3: deleted before its time, as the checkpoint of {kept.at} shows"]


# Many at once


def test_an_erasure_seals_what_another_left_behind(staff_did, root, alice, monkeypatch):
    """The other had looked for lines before these were written, and was faster to append."""
    session = staff_did(1)
    activity.record(session, "ticket.answered", {}, by=root)
    seal, tried = sealing.seal, []

    def seal_late():
        tried.append(None)
        return 0 if len(tried) == 1 else seal()

    monkeypatch.setattr(sealing, "seal", seal_late)
    erasure.erase(root)
    assert ChainLink.objects.filter(activity_id__isnull=False).count() == 2
    assert problems() == []


def test_an_erasure_tries_again_where_others_append(staff_did, root, monkeypatch):
    staff_did(1)
    append, tried = sealing.append, []

    def append_late(new):
        tried.append(new)
        if len(tried) == 1:
            raise IntegrityError
        append(new)

    monkeypatch.setattr(sealing, "append", append_late)
    erasure.erase(root)
    assert len(tried) == 2
    assert problems() == []


@pytest.mark.django_db(transaction=True)
def test_many_processes_seal_and_erase_and_the_chain_is_one(alice, root, make_user):
    if connection.vendor != "postgresql":
        pytest.skip("ONE WRITER AT A TIME: SQLite has no races; see DATABASE_URL")
    session = sessions.start(alice, Client("192.0.2.1", ""))
    others = [make_user(f"{i}@example.org", is_staff=True) for i in range(4)]
    failures = []

    def work(person):
        try:
            for i in range(25):
                activity.record(session, "ticket.answered", {"n": i}, by=root)
                activity.record(session, "ticket.answered", {"n": i}, by=person)
                sealing.seal()
            person.delete()
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(person,)) for person in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    sealing.seal()
    report = verification.verify()
    assert (report.problems, report.pending) == ([], 0)
    assert ChainLink.objects.exclude(activity_id=None).count() == 200
    assert ChainLink.objects.filter(activity_id=None).count() == 4


# Beside the requests


def test_each_minute_lines_are_sealed_and_what_is_over_goes(
    alice, root, settings, monkeypatch, clock
):
    monkeypatch.setattr(worker, "put_connections_back", lambda: None)
    session = sessions.start(alice, Client("192.0.2.1", ""))
    activity.record(session, "ticket.answered", {}, by=root, ip_address=HERE)
    sealing.each_minute.call_local()
    assert verification.verify()[:3] == ([], 1, 0)
    clock.shift(timedelta(days=100))
    sealing.each_minute.call_local()
    assert "whole" not in ChainLink.objects.get().salts
    clock.shift(timedelta(days=300))
    list(cleanup.purge_activities())
    sealing.each_minute.call_local()
    assert ChainLink.objects.get().body["pruned"] == 1
    assert problems() == []


# The command


def run(*arguments):
    out, err = StringIO(), StringIO()
    call_command("verify_log", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_seals_and_prints_a_checkpoint_that_it_takes(staff_did, root, tmp_path):
    session = staff_did(2)
    activity.record(session, "ticket.answered", {}, by=root)
    assert run() == ("", "2 links are unchanged; 1 lines are not chained yet.\n")
    printed, told = run("--checkpoint")
    assert told == "3 links are unchanged; 0 lines are not chained yet.\n"
    (kept,) = checkpoints.parse(printed.splitlines())
    assert (kept.chain, kept.number) == ("activity", 3)
    file = tmp_path / "kept"
    file.write_text(f"kept on paper:\n{printed}")
    run("--against", str(file))
    ChainLink.objects.filter(position=3).delete()
    Activity.objects.filter(data={"by": str(root.pk)}).delete()
    with pytest.raises(CommandError, match="1 found"):
        run("--against", str(file), "--checkpoint")


@pytest.mark.parametrize("text", ["devices-checkpoint chain=activity", "devices-checkpoint"])
def test_the_command_takes_no_broken_checkpoint(db, tmp_path, text):
    file = tmp_path / "kept"
    file.write_text(text)
    with pytest.raises(CommandError, match="cannot be read"):
        run("--against", str(file))
    with pytest.raises(CommandError, match="cannot be read"):
        run("--against", str(tmp_path / "none"))


def test_nothing_is_written_before_anything_happened(db, alice):
    DeviceSession.objects.all().delete()
    erasure.erase(alice)
    assert run("--checkpoint") == (
        "",
        "0 links are unchanged; 0 lines are not chained yet.\n",
    )
    assert not ChainLink.objects.exists()
