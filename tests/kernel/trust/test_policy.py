"""Who may do what: the whole table, then tenants, divisions, grades, and the operator's own rules."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.base import BadInput, Forbidden, Unauthenticated, divisions, within
from yunmeng.kernel.trust import ANONYMOUS, ROLES, Policy, Principal, Reach, Resource

COLUMNS = ("anonymous", "no role", *ROLES)

# One row an action, one column a role; this is what a reviewer of the policy reads.
TABLE = """
                  anonymous  no role  administrator  operator  analyst  viewer  auditor  service  device  node
account.password      ·         ✓           ✓           ✓         ✓       ✓        ✓        ✓       ✓      ✓
account.read          ·         ·           ✓           ·         ·       ·        ✓        ·       ·      ·
account.write         ·         ·           ✓           ·         ·       ·        ·        ·       ·      ·
audit.read            ·         ·           ✓           ·         ·       ·        ✓        ·       ·      ·
command.send          ·         ·           ✓           ✓         ·       ·        ·        ✓       ·      ·
context.read          ·         ·           ✓           ✓         ✓       ✓        ✓        ✓       ✓      ✓
context.write         ·         ·           ✓           ·         ·       ·        ·        ✓       ·      ·
device.read           ·         ·           ✓           ✓         ✓       ✓        ·        ✓       ·      ✓
device.write          ·         ·           ✓           ✓         ·       ·        ·        ✓       ·      ·
event.read            ·         ·           ✓           ✓         ✓       ✓        ·        ✓       ·      ✓
event.write           ·         ·           ✓           ✓         ·       ·        ·        ✓       ·      ·
entity.delete         ·         ·           ✓           ✓         ·       ·        ·        ✓       ·      ·
entity.read           ·         ·           ✓           ✓         ✓       ✓        ·        ✓       ·      ✓
entity.write          ·         ·           ✓           ✓         ·       ·        ·        ✓       ·      ·
job.cancel            ·         ·           ✓           ✓         ✓       ·        ·        ✓       ·      ·
job.read              ·         ·           ✓           ✓         ✓       ✓        ✓        ✓       ·      ✓
job.run               ·         ·           ✓           ✓         ✓       ·        ·        ✓       ·      ·
keeper.write          ·         ·           ✓           ✓         ·       ·        ·        ✓       ·      ·
live.read             ·         ·           ✓           ✓         ✓       ✓        ·        ✓       ·      ✓
node.health           ✓         ✓           ✓           ✓         ✓       ✓        ✓        ✓       ✓      ✓
node.metrics          ·         ·           ✓           ✓         ·       ·        ✓        ✓       ·      ·
node.openapi          ·         ✓           ✓           ✓         ✓       ✓        ✓        ✓       ✓      ✓
notification.receive  ✓         ✓           ✓           ✓         ✓       ✓        ✓        ✓       ✓      ✓
page.read             ✓         ✓           ✓           ✓         ✓       ✓        ✓        ✓       ✓      ✓
plan.read             ·         ·           ✓           ✓         ✓       ✓        ✓        ✓       ·      ✓
quarantine.read       ·         ·           ✓           ✓         ·       ·        ✓        ✓       ·      ·
quarantine.replay     ·         ·           ✓           ✓         ·       ·        ·        ✓       ·      ·
quarantine.drop       ·         ·           ✓           ✓         ·       ·        ·        ✓       ·      ·
session.create        ✓         ✓           ✓           ✓         ✓       ✓        ✓        ✓       ✓      ✓
session.delete        ·         ✓           ✓           ✓         ✓       ✓        ✓        ✓       ✓      ✓
session.read          ·         ✓           ✓           ✓         ✓       ✓        ✓        ✓       ✓      ✓
source.read           ·         ·           ✓           ✓         ✓       ✓        ·        ✓       ·      ✓
source.write          ·         ·           ✓           ·         ·       ·        ·        ·       ·      ·
stream.consume        ·         ·           ✓           ·         ·       ·        ·        ✓       ·      ✓
stream.publish        ·         ·           ✓           ·         ·       ·        ·        ✓       ✓      ✓
subscription.read     ·         ·           ✓           ✓         ✓       ✓        ·        ✓       ·      ✓
subscription.write    ·         ·           ✓           ✓         ·       ·        ·        ✓       ·      ✓
temporal.read         ·         ·           ✓           ✓         ✓       ✓        ·        ✓       ·      ✓
temporal.write        ·         ·           ✓           ✓         ·       ·        ·        ✓       ·      ·
view.read             ·         ·           ✓           ✓         ✓       ✓        ✓        ✓       ·      ✓
"""
ROWS = {line.split()[0]: line.split()[1:] for line in TABLE.strip().splitlines()[1:]}

WUHAN, JIANGAN, YICHANG, XIANTAO, HUBEI = "420100", "420102", "420500", "429004", "420000"


@pytest.fixture(scope="module")
def policy():
    return Policy(HUBEI)


def who(column):
    if column == "anonymous":
        return ANONYMOUS
    roles = () if column == "no role" else (column,)
    return Principal("person:li", roles=roles, divisions=(WUHAN,))


def test_the_table_names_every_action(policy):
    assert set(ROWS) == policy.actions


@pytest.mark.parametrize("action", ROWS)
def test_every_role_and_action(policy, action):
    resource = Resource(action.partition(".")[0])
    found = ["✓" if policy.decide(who(column), action, resource).allowed else "·" for column in COLUMNS]
    assert dict(zip(COLUMNS, found, strict=True)) == dict(zip(COLUMNS, ROWS[action], strict=True))


def test_every_question_fits_the_schema(policy):
    for column, action in product(COLUMNS, ROWS):
        resource = Resource(action.partition(".")[0], "urn:ngsi-ld:Reservoir:1", "", JIANGAN, 2)
        assert policy._rules.conforms(policy.facts(who(column), action, resource))


def test_a_reason_is_the_rule(policy):
    viewer = who("viewer")
    assert policy.decide(viewer, "entity.read", Resource("entity")).reasons == ("viewer",)
    assert policy.decide(viewer, "entity.write", Resource("entity")).reasons == ("no.permit",)
    assert policy.decide(viewer, "entity.eat", Resource("entity")).reasons == ("action.unknown",)


def test_roles_add_up(policy):
    both = Principal("person:li", roles=("auditor", "viewer"), divisions=(WUHAN,))
    assert policy.decide(both, "audit.read", Resource("audit")).allowed
    assert policy.decide(both, "entity.read", Resource("entity")).allowed


@pytest.mark.parametrize("role", ["", "Administrator", "administrator ", 'x"', "superuser"])
def test_no_other_role_gives_anything(policy, role):
    principal = Principal("person:li", roles=(role,), divisions=(HUBEI,))
    assert not policy.decide(principal, "entity.read", Resource("entity")).allowed


@pytest.mark.parametrize(
    ("role", "bound", "named", "allowed"),
    [
        ("operator", "", "", True),
        ("operator", "", "water", False),
        ("operator", "water", "water", True),
        ("operator", "water", "", False),
        ("operator", "water", "power", False),
        ("administrator", "", "", True),
        ("administrator", "", "water", True),
        ("administrator", "water", "water", True),
        ("administrator", "water", "", False),
        ("administrator", "water", "power", False),
        ("service", "", "water", False),
        ("node", "", "water", False),
    ],
)
def test_tenants(policy, role, bound, named, allowed):
    principal = Principal("person:li", tenant=bound, roles=(role,), divisions=(HUBEI,))
    decision = policy.decide(principal, "entity.read", Resource("entity", tenant=named))
    assert decision.allowed is allowed
    assert decision.reach == Reach(named, ("42",) if allowed else ())
    assert allowed or decision.reasons == ("tenant",)


def test_signing_in_and_out_is_of_no_tenant(policy):
    bound = Principal("person:li", tenant="water", roles=("viewer",))
    assert policy.decide(bound, "session.delete", Resource("session")).allowed
    assert policy.decide(bound, "page.read", Resource("page")).allowed


@pytest.mark.parametrize(
    ("own", "place", "allowed"),
    [
        ((WUHAN,), JIANGAN, True),
        ((WUHAN,), WUHAN, True),
        ((WUHAN,), HUBEI, False),
        ((WUHAN,), YICHANG, False),
        ((JIANGAN,), WUHAN, False),
        ((WUHAN, YICHANG), YICHANG, True),
        ((XIANTAO,), XIANTAO, True),
        ((XIANTAO,), "429005", False),
        ((WUHAN,), "420102001003", True),
        ((WUHAN,), "999999", False),
        ((HUBEI,), "999999", False),
        ((), WUHAN, False),
    ],
)
def test_divisions(policy, own, place, allowed):
    principal = Principal("person:li", roles=("operator",), divisions=own)
    decision = policy.decide(principal, "entity.write", Resource("entity", division=place))
    assert decision.allowed is allowed
    assert allowed or decision.reasons == ("division",)


@given(st.data())
def test_the_rules_and_the_reach_agree(policy, data):
    codes = st.sampled_from([each.code for each in divisions()])
    own, place = tuple(data.draw(st.lists(codes, max_size=3))), data.draw(codes)
    principal = Principal("person:li", roles=("viewer",), divisions=own)
    reach = policy.decide(principal, "entity.read", Resource("entity")).reach
    allowed = policy.decide(principal, "entity.read", Resource("entity", division=place)).allowed
    assert allowed == any(within(place, mine) for mine in own)
    assert allowed == place.startswith(tuple(reach.prefixes or ()))


@pytest.mark.parametrize(
    ("roles", "own", "prefixes"),
    [
        (("viewer",), (), ()),
        (("viewer",), (WUHAN,), ("4201",)),
        (("viewer",), (JIANGAN, WUHAN), ("4201",)),
        (("viewer",), (YICHANG, XIANTAO), ("4205", "429004")),
        (("viewer",), (WUHAN, HUBEI), ("42",)),
        (("viewer",), ("999999",), ()),
        (("administrator",), (), ("42",)),
        (("administrator",), (WUHAN,), ("4201",)),
    ],
)
def test_reach(policy, roles, own, prefixes):
    principal = Principal("person:li", roles=roles, divisions=own)
    assert policy.decide(principal, "entity.read", Resource("entity")).reach == Reach("", prefixes)


def test_an_administrator_of_a_node_without_division_reaches_all():
    admin, viewer = Principal("a", roles=("administrator",)), Principal("v", roles=("viewer",))
    policy = Policy()
    decision = policy.decide(admin, "entity.write", Resource("entity", division="999999"))
    assert (decision.allowed, decision.reach.prefixes) == (True, None)
    assert policy.decide(viewer, "entity.read", Resource("entity")).reach.prefixes == ()


def test_an_administrator_of_a_city_reaches_no_other():
    policy = Policy(WUHAN)
    admin = Principal("a", roles=("administrator",))
    assert policy.decide(admin, "entity.write", Resource("entity", division=JIANGAN)).allowed
    assert not policy.decide(admin, "entity.write", Resource("entity", division=YICHANG)).allowed


@pytest.mark.parametrize(("clearance", "grade"), list(product(range(1, 5), range(1, 5))))
def test_grades(policy, clearance, grade):
    principal = Principal("a", roles=("administrator",), clearance=clearance)
    decision = policy.decide(principal, "entity.read", Resource("entity", grade=grade))
    assert decision.allowed is (grade <= clearance)
    assert decision.allowed or decision.reasons == ("grade",)


def test_require_says_why(policy):
    assert policy.require(who("viewer"), "entity.read", Resource("entity")).allowed
    with pytest.raises(Forbidden) as forbidden:
        policy.require(who("viewer"), "entity.write", Resource("entity"))
    assert forbidden.value.facts == {"action": "entity.write", "reasons": "no.permit"}
    with pytest.raises(Unauthenticated) as unknown:
        policy.require(ANONYMOUS, "entity.read", Resource("entity"))
    assert unknown.value.key == "session.missing"


def test_the_cache_is_bounded_and_looks_at_what_matters():
    policy = Policy(HUBEI)
    for number in range(20):
        principal = Principal(f"device:{number}", kind="device", roles=("device",), divisions=(WUHAN,))
        policy.decide(principal, "stream.publish", Resource("stream", f"s{number}"))
    assert policy._cached.cache_info().currsize == 1
    assert policy._cached.cache_info().maxsize == 8192
    policy.decide(Principal("d", kind="device", roles=("device",)), "stream.publish", Resource("stream"))
    assert policy._cached.cache_info().currsize == 2


OWN = """
// The night shift reads only.
@id("night")
forbid (
  principal == Principal::"person:wu",
  action == Action::"entity.write",
  resource
);

@id("monitor") // a role of our own; here is a semicolon
permit (principal in Role::"monitor", action == Action::"node.metrics", resource);
"""


def test_the_operators_own_rules(tmp_path):
    (tmp_path / "own.cedar").write_text(OWN)
    policy = Policy(HUBEI, tmp_path)
    li, wu = (Principal(f"person:{name}", roles=("operator",), divisions=(WUHAN,)) for name in ("li", "wu"))
    assert policy.decide(li, "entity.write", Resource("entity")).allowed
    assert policy.decide(wu, "entity.write", Resource("entity")).reasons == ("night",)
    assert policy.decide(Principal("m", roles=("monitor",)), "node.metrics", Resource("node")).allowed


ANYTHING = '@id("x")\npermit (principal, action, resource)\n'


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        (OWN + "permit (principal, action resource);", "policy.bad", 12),
        (OWN + ANYTHING + "when { foo };", "policy.bad", 14),
        (
            OWN + '@id("x")\npermit (principal, action, resource)\nwhen { resource.color == "; //" };',
            "policy.bad",
            14,
        ),
        (
            OWN + '@id("x")\npermit (\nprincipal,\naction == Action::"entity.eat",\nresource);',
            "policy.bad",
            15,
        ),
        (OWN + '@id("x")\npermit (principal, action, resource)', "policy.bad", 12),
        (OWN + "\n\npermit (principal, action, resource);", "policy.unnamed", 14),
        ('@id("viewer")\npermit (principal, action, resource);', "policy.twice", 1),
        (OWN + OWN, "policy.twice", 14),
    ],
    ids=["syntax", "variable", "attribute", "action", "unfinished", "unnamed", "built-in", "twice"],
)
def test_a_wrong_rule_is_refused_with_file_and_line(tmp_path, text, key, line):
    (tmp_path / "own.cedar").write_text(text)
    with pytest.raises(BadInput) as caught:
        Policy(HUBEI, tmp_path)
    assert (caught.value.key, caught.value.facts["line"]) == (key, line), caught.value.facts
    assert caught.value.facts["file"] == str(tmp_path / "own.cedar")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "own.cedar").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput) as caught:
        Policy(HUBEI, tmp_path)
    assert caught.value.key == "policy.bad"


def test_a_rule_that_fails_lets_nobody_through(tmp_path):
    overflow = "when { resource.grade + 9223372036854775807 == 0 };"
    (tmp_path / "own.cedar").write_text(ANYTHING.replace("permit", "forbid") + overflow)
    decision = Policy(HUBEI, tmp_path).decide(who("viewer"), "entity.read", Resource("entity"))
    assert (decision.allowed, decision.reasons) == (False, ("rule.failed",))


@pytest.mark.parametrize("name", ['"', "\\", "\n", "\0", "人", "a" * 10_000, '"}, {"uid": 1'])
def test_names_from_outside_are_only_names(policy, name):
    principal = Principal(name, tenant=name, roles=("viewer",), divisions=(WUHAN,))
    assert policy.decide(principal, "entity.read", Resource("entity", name, name)).allowed
    assert not policy.decide(principal, "entity.read", Resource("entity", name, "other")).allowed
    assert not policy.decide(principal, "entity.read", Resource("entity", name, name, name)).allowed
