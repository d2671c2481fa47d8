"""What admins do about billing in the console: tariffs, runs, accounts, allocation."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime

import pytest

from labyard.models import BillingAccount, Invoice, NodeCapacity, TariffVersion, db
from tests.unit.pages.billing_data import january, make_tariff, record, take
from tests.unit.pages.test_pages_costs import table_of, words

GOOD = """name: standard
currency: EUR
valid_from: 2026-01-01
prices:
  - {name: cores, resource: cpu, model: unit, per: core_hour, price: "0.04"}
  - name: memory
    resource: memory
    model: graduated
    per: GiB_hour
    tiers:
      - {up_to: "10", price: "0.01"}
      - {price: "0.005"}
"""


@pytest.fixture
def root(make_person, sign_in):
    """An admin's browser."""
    return sign_in(make_person("root", is_admin=True))


def note_nodes(app, *times, gpu=0):
    """A node of one core, no memory and `gpu` GPUs for each of `times`, from its first look to its last."""
    with app.app_context():
        for number, (start, end) in enumerate(times):
            span = {"start": start.replace(tzinfo=UTC), "end": end.replace(tzinfo=UTC)}
            db.session.add(NodeCapacity(node=f"n{number}", name="n", cpu=10**9, memory=0, gpu=gpu, **span))
        db.session.commit()


def errors_of(page: str, field: str) -> str:
    found = re.search(rf'<p class="field-error" id="{field}-error">(.*?)</p>', page, re.DOTALL)
    assert found, f"nothing is said at {field}"
    return words(found[1])


@pytest.mark.parametrize(
    "path",
    [
        "/costs/tariffs",
        "/costs/tariffs/1",
        "/costs/runs",
        "/costs/runs/2026-01/finalize",
        "/costs/accounts",
        "/costs/accounts/new",
        "/costs/accounts/user:maria",
        "/costs/allocation",
        "/costs/imports",
    ],
)
def test_pages_of_admins_when_another_asks_then_are_refused(maria, path):
    assert maria.get(path).status_code == 403


def test_changes_of_admins_when_another_sends_them_then_are_refused(app, maria):
    make_tariff(app)
    paths = ("tariffs", "tariffs/1", "runs/2026-01/drafts", "runs/2026-01/finalize", "accounts/new")
    for path in paths:
        assert maria.post(f"/costs/{path}", data={"text": GOOD, "sure": "1"}).status_code == 403


def test_tariff_when_pasted_then_is_added_and_shown(app, root):
    assert "There is no tariff yet" in root.get("/costs/tariffs").text
    answer = root.post("/costs/tariffs", data={"text": GOOD})
    assert answer.status_code == 303
    page = root.get(answer.location).text
    assert table_of(page, "Prices")[1] == ["cores", "CPU", "all", "unit", "0.04 EUR per core_hour"]
    assert table_of(root.get("/costs/tariffs").text, "Versions of tariffs")[1][1:] == [
        "2026-01-01",
        "no end",
        "EUR",
        "2",
        "Not yet",
    ]
    assert root.post("/costs/tariffs", data={"text": GOOD}).status_code == 303, (
        "the same again changes nothing"
    )


def test_tariff_when_uploaded_then_is_added(app, root):
    sent = {"text": "", "file": (io.BytesIO(GOOD.encode()), "tariff.yml")}
    assert root.post("/costs/tariffs", data=sent, content_type="multipart/form-data").status_code == 303


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "paste a tariff, or choose a file"),
        ("a: [", "line 1, column 5:"),
        ("a: b: c", "line 1, column 5:"),
        ("- just\n- a list", "line 1:"),
        (GOOD.replace('price: "0.005"', "price: 0.005"), "line 12: prices[1].tiers[1].price"),
        (GOOD.replace("core_hour", "parsec"), "line 5: prices[0].per"),
        (GOOD.replace("EUR", "EURO"), "line 2: currency"),
        (GOOD.replace("model: unit, ", ""), "line 5: prices[0]"),
        (GOOD + "color: red\n", "line 13: color"),
    ],
)
def test_tariff_when_it_is_wrong_then_says_so_with_the_line(app, root, text, said):
    answer = root.post("/costs/tariffs", data={"text": text})
    assert answer.status_code == 422
    assert said in errors_of(answer.text, "text")
    assert "color: red" in answer.text or "color" not in text, "what was typed stays"
    with app.app_context():
        assert db.session.query(TariffVersion).count() == 0


def test_tariff_when_another_version_begins_at_the_same_time_then_is_refused(app, root):
    root.post("/costs/tariffs", data={"text": GOOD})
    answer = root.post("/costs/tariffs", data={"text": GOOD.replace("0.04", "0.05")})
    assert answer.status_code == 409
    assert "Begin a new one later" in errors_of(answer.text, "text")


def test_tariff_when_ended_then_has_that_end_and_no_day_that_is_none(app, root):
    place = root.post("/costs/tariffs", data={"text": GOOD}).location
    for wrong in ("soon", "2025-01-01"):
        answer = root.post(place, data={"valid_to": wrong})
        assert answer.status_code == 422
        errors_of(answer.text, "valid_to")
    assert root.post(place, data={"valid_to": "2027-01-01"}).status_code == 303
    assert "Valid until 2026-12-31" in root.get(place).text


def test_run_when_drafts_are_made_then_nothing_is_final(app, maria, root):
    make_tariff(app)
    take(app, january())
    page = root.get("/costs/runs?period=2026-01").text
    assert "2 accounts are still to be billed" in words(page)
    made = root.post("/costs/runs/2026-01/drafts").text
    assert "2 draft invoices made" in words(made)
    rows = table_of(made, "Drafts, invoices and credit notes")
    assert [row[1:3] for row in rows[1:3]] == [["user:ben", "Draft"], ["user:maria", "Draft"]]
    draft = re.search(r'href="(/costs/invoices/[a-z0-9]{12})"', made)
    assert draft is not None
    assert "This is a draft" in root.get(draft[1]).text


def test_run_when_made_final_then_asks_first_and_says_what_failed(app, maria, root):
    make_tariff(app)
    make_tariff(app, name="late", valid_from="2026-06-01")
    take(app, january())
    root.post("/costs/accounts/user:ben", data={"tariff": "late"})
    asked = root.get("/costs/runs/2026-01/finalize").text
    assert "2 invoices get a number" in words(asked)
    assert root.post("/costs/runs/2026-01/finalize").status_code == 303, "without the answer nothing is done"
    with app.app_context():
        assert db.session.query(Invoice).count() == 0
    done = words(root.post("/costs/runs/2026-01/finalize", data={"sure": "1"}).text)
    assert "1 final invoice made, 1 failed" in done
    assert "user:ben : The usage of user:ben cannot be rated" in done
    assert "1 account is still to be billed" in done
    assert "L-000001" in maria.get("/costs/invoices").text


def test_run_when_the_month_is_not_over_then_only_drafts_are_offered(app, root):
    make_tariff(app)
    page = root.get("/costs/runs/2999-01/finalize").text
    assert "is not over yet" in page
    assert root.post("/costs/runs/2999-01/finalize", data={"sure": "1"}).status_code == 409
    assert root.get("/costs/runs?period=soon").status_code == 422
    assert root.get("/costs/runs/soon/finalize").status_code == 422


def test_account_when_made_and_changed_then_it_is(app, maria, root):
    make_tariff(app)
    assert "There are no accounts yet" in root.get("/costs/accounts").text
    sent = {
        "name": "physics",
        "holder": "Institute of Physics",
        "address": "Street 1\r\n\r\nTown",
        "tax_id": "DE 1",
        "email": "p@example.org",
        "people": "maria",
        "projects": "default",
        "tariff": "",
    }
    assert root.post("/costs/accounts/new", data=sent).status_code == 303
    rows = table_of(root.get("/costs/accounts?q=phys").text, "Accounts by name")
    assert rows[1] == ["physics", "Institute of Physics", "DE 1", "standard", "default", "maria"]
    again = root.post("/costs/accounts/new", data=sent)
    assert again.status_code == 409
    assert "is taken" in errors_of(again.text, "name")
    changed = {**sent, "holder": "Physics", "projects": ""}
    assert root.post("/costs/accounts/physics", data=changed).status_code == 303
    with app.app_context():
        account = db.session.query(BillingAccount).filter_by(name="physics").one()
        assert (account.holder, account.address, account.projects) == ("Physics", "Street 1\nTown", [])
    assert root.get("/costs/accounts/nobody").status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"people": "nobody"}, "people"),
        ({"projects": "nothing"}, "projects"),
        ({"tariff": "none"}, "tariff"),
        ({"email": "here"}, "email"),
        ({"holder": "x" * 201}, "holder"),
    ],
)
def test_account_when_the_form_is_wrong_then_says_so_at_the_field(app, root, changes, field):
    answer = root.post("/costs/accounts/new", data={"name": "physics", "tariff": "", **changes})
    assert answer.status_code == 422
    errors_of(answer.text, field)
    with app.app_context():
        assert db.session.query(BillingAccount).count() == 0


def test_allocation_when_nodes_lie_idle_then_it_is_shared_by_use_to_the_cent(app, root):
    prices = [{"name": "cores", "resource": "cpu", "model": "unit", "per": "core_hour", "price": "0.01"}]
    make_tariff(app, prices=prices)
    # Two nodes of one core, one after the other: 744 hours in all
    note_nodes(
        app, (datetime(2025, 12, 31), datetime(2026, 1, 11)), (datetime(2026, 1, 11), datetime(2026, 3, 1))
    )
    shared = {"user": "maria", "deployment": "d"}
    times = ("2026-01-05T10:00", "2026-01-05T11:00")
    take(
        app,
        [
            record(name, *times, cores, project=name, **shared)
            for name, cores in (("one", "1"), ("two", "1"), ("three", "1"))
        ],
    )
    page = root.get("/costs/allocation?period=2026-01").text
    assert "2 nodes were up" in words(page)
    assert "They are known from" not in page
    assert table_of(page, "What the nodes have")[1] == [
        "CPU core-hours",
        "744",
        "3",
        "0.4 %",
        "741",
        "7.41 EUR",
    ]
    rows = {row[0]: row[3:] for row in table_of(page, "What each project")[1:]}
    assert rows["one"] == ["0.01 EUR", "2.47 EUR", "2.48 EUR"]
    assert rows["Total"] == ["0.03 EUR", "7.41 EUR", "7.44 EUR"]
    two = table_of(root.get("/costs/allocation?period=2026-01&by=user").text, "What each user")
    assert two[1][0] == "maria"


def test_allocation_when_nodes_have_gpus_then_shows_them_and_shares_what_lay_idle(app, root):
    prices = [{"name": "gpus", "resource": "gpu", "model": "unit", "per": "gpu_hour", "price": "0.50"}]
    make_tariff(app, prices=prices)
    note_nodes(app, (datetime(2025, 12, 31), datetime(2026, 1, 2)), gpu=2)
    about = {"resource": "gpu", "unit": "gpu_second", "project": "one"}
    take(app, [record("a", "2026-01-01T10:00", "2026-01-01T13:00", "3", **about)])
    page = root.get("/costs/allocation?period=2026-01").text
    gpus = table_of(page, "What the nodes have")[3]
    assert gpus == ["GPU GPU-hours", "48", "3", "6.2 %", "45", "22.50 EUR"]
    shares = table_of(page, "What each project")
    assert shares[0][:4] == ["Project", "CPU core-hours", "Memory GiB-hours", "GPU GPU-hours"]
    assert shares[1] == ["one", "0", "0", "3", "1.50 EUR", "22.50 EUR", "24.00 EUR"]


def test_allocation_when_no_node_has_a_gpu_then_says_nothing_of_them(app, root):
    note_nodes(app, (datetime(2026, 1, 20), datetime(2026, 1, 21)))
    assert "GPU" not in root.get("/costs/allocation?period=2026-01").text


def test_allocation_when_nodes_are_known_for_a_part_of_the_month_then_says_from_when_on(app, root):
    note_nodes(app, (datetime(2026, 1, 20), datetime(2026, 1, 21, 12)))
    page = root.get("/costs/allocation?period=2026-01").text
    assert table_of(page, "What the nodes have")[1][:3] == ["CPU core-hours", "36", "0"]
    assert "1 node was up" in words(page)
    assert "They are known from 2026-01-20 00:00 UTC on" in words(page)


def test_allocation_when_nothing_is_there_then_says_so(app, root):
    page = words(root.get("/costs/allocation?period=2026-01").text)
    assert "0 nodes were up" in page
    assert "The meter has not looked at them yet" in page
    assert "Nothing was used in 2026-01" in page
    assert "No price" in page
    for wrong in ("soon", "2999-01"):
        answer = root.get(f"/costs/allocation?period={wrong}")
        assert answer.status_code == 422
        errors_of(answer.text, "period")
