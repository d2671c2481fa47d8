"""APEL's records: sums, windows, and what each record says of its own group."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import ExportError
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_apel import (
    ApelRecord,
    ApelSite,
    read_apel,
    show_apel,
    write_apel,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import UsageRecord
from tests.unit.billing.examples import GIB, HOUR, START, make_record
from tests.unit.billing.exports import UNTIL

SITE = ApelSite("S")


def sent(
    records: list[UsageRecord], since: datetime | None = None, until: datetime = UNTIL
) -> list[ApelRecord]:
    """What a reader gets."""
    return list(read_apel(write_apel(records, SITE, since, until)))


def test_group_when_records_are_of_several_then_each_has_its_own_and_not_the_last_ones() -> None:
    """EGI's exporter gave every record the last group of its mapping: it reused a loop variable."""
    projects = ["physics", "chemistry", "biology", "unmapped", "physics"]
    records = [
        make_record("wall", 60, key=str(place), deployment=f"d{place}", project=project)
        for place, project in enumerate(projects)
    ]
    groups = {project: f"/vo/{project}" for project in ("chemistry", "physics", "biology", "history")}
    found = list(read_apel(write_apel(records, ApelSite("S", groups=groups), None, UNTIL)))
    assert [(record["LocalGroupId"], record.get("FQAN")) for record in found] == [
        ("physics", "/vo/physics"),
        ("chemistry", "/vo/chemistry"),
        ("biology", "/vo/biology"),
        ("unmapped", None),
        ("physics", "/vo/physics"),
    ]


def test_user_when_mapped_then_each_record_has_its_own_global_name() -> None:
    records = [
        make_record("wall", 60, key=user, deployment=user, user=user) for user in ("ada", "bob", "eve")
    ]
    site = ApelSite("S", users={"bob": "bob@id", "ada": "ada@id"})
    found = list(read_apel(write_apel(records, site, None, UNTIL)))
    assert [record.get("GlobalUserName") for record in found] == ["ada@id", "bob@id", None]


def test_record_when_a_deployment_moves_to_another_project_then_both_are_sent() -> None:
    records = [
        make_record("wall", 60, key="1"),
        make_record("wall", 30, key="2", start=START + HOUR, end=START + 2 * HOUR, project="chemistry"),
    ]
    found = sent(records)
    assert [(record["LocalGroupId"], record["WallDuration"]) for record in found] == [
        ("physics", 60),
        ("chemistry", 30),
    ]
    assert len({record["VMUUID"] for record in found}) == 2


def test_record_when_exported_again_then_it_has_the_same_id_and_all_since_the_start() -> None:
    hours = [
        make_record("wall", 3600, key=str(hour), start=START + hour * HOUR, end=START + (hour + 1) * HOUR)
        for hour in range(3)
    ]
    first = sent(hours[:2], None, START + 2 * HOUR)
    second = sent(hours, START + 2 * HOUR, UNTIL)
    assert [record["VMUUID"] for record in first] == [record["VMUUID"] for record in second]
    assert (first[0]["Status"], first[0]["WallDuration"]) == ("started", 7200)
    assert "EndTime" not in first[0]
    assert (second[0]["Status"], second[0]["WallDuration"]) == ("completed", 10800)
    assert second[0]["EndTime"] == int((START + 3 * HOUR).timestamp())
    assert second[0]["StartTime"] == int(START.timestamp())


def test_record_when_there_was_no_usage_in_the_window_then_it_is_not_sent() -> None:
    assert list(write_apel([make_record("wall")], SITE, START + HOUR, UNTIL)) == []


def test_usage_when_it_goes_beyond_the_window_then_its_part_is_counted() -> None:
    middle = START + timedelta(minutes=20)
    (record,) = sent([make_record("wall", 3600), make_record("cpu", 7200)], None, middle)
    assert (record["WallDuration"], record["CpuDuration"], record["Status"]) == (1200, 2400, "started")


@pytest.mark.parametrize(
    ("record", "key", "value"),
    [
        (make_record("memory", 4 * GIB * 3600), "Memory", 4096),  # MiB, on average
        (make_record("volume", 80 * 10**9 * 3600), "Disk", 80),  # GB
        (make_record("network_in", 2_499_999_999), "NetworkInbound", 2),  # GB
        (make_record("cpu_used", "12.5"), "CpuDuration", 12),
        (make_record("cpu", 1800), "CpuCount", 1),  # half a core is one
        (make_record("cpu", 4 * 3600), "CpuCount", 4),
    ],
)
def test_amount_when_summed_up_then_it_is_in_the_unit_of_the_format(
    record: UsageRecord, key: str, value: int
) -> None:
    (found,) = sent([make_record("wall", 3600), record])
    assert found[key] == value


def test_value_when_it_has_the_end_of_a_record_in_it_then_the_record_goes_on() -> None:
    (found,) = sent([make_record("wall", deployment_name="a%%b%%%")])
    assert (found["MachineName"], found["WallDuration"]) == ("a% %b% % %", 3600)


def test_value_when_it_has_the_end_of_a_line_in_it_then_it_is_refused() -> None:
    site = ApelSite("S", groups={"physics": "/vo\nStatus: completed"})
    with pytest.raises(ExportError, match="FQAN: at most 255 printable characters"):
        list(write_apel([make_record("wall")], site, None, UNTIL))


def test_site_when_it_has_no_name_then_it_is_refused() -> None:
    with pytest.raises(ExportError, match="site: APEL needs"):
        list(write_apel([], ApelSite(""), None, UNTIL))


def test_benchmark_when_there_is_one_then_it_is_read_back_as_it_is() -> None:
    record: ApelRecord = {"VMUUID": "1", "SiteName": "S", "MachineName": "m", "Benchmark": Decimal("12.30")}
    assert list(read_apel(["APEL-cloud-message: v0.4\n", *show_apel(record)])) == [record]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("APEL-cloud-message: v0.2\n", "line 1: .* is not 'APEL-cloud-message: v0.4'"),
        ("APEL-cloud-message: v0.4\nVMUUID: 1\nSiteName: S\n%%\n", "line 4: .* has no MachineName"),
        ("APEL-cloud-message: v0.4\nVMUUID: 1\n", "the message is not whole"),
        ("APEL-cloud-message: v0.4\nVMUUID: 1\nVMUUID: 2\n%%\n", "line 3: 'VMUUID' .* or is there twice"),
        ("APEL-cloud-message: v0.4\nWallDuration: x\n%%\n", "line 2: WallDuration: 'x' is no number"),
    ],
)
def test_message_when_it_is_none_then_reading_says_where(text: str, words: str) -> None:
    with pytest.raises(ExportError, match=words):
        list(read_apel(text.splitlines()))


def test_until_when_in_another_zone_then_it_is_the_same_moment() -> None:
    until = datetime(2026, 1, 11, 0, 30, tzinfo=UTC).astimezone()
    (record,) = sent([make_record("wall")], None, until)
    assert record["WallDuration"] == 3600
