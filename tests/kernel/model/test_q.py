import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yunmeng.kernel.base import BadInput, Unsupported, YunmengError
from yunmeng.kernel.model import (
    And,
    Append,
    Compare,
    Condition,
    ContextLibrary,
    Create,
    Exists,
    Linked,
    Operand,
    Or,
    Path,
    Range,
    apply,
    check_pattern,
    expand_fragment,
    matches,
    parse_q,
)

from .conftest import VOCAB

CORE = ContextLibrary().core


def number(value: float) -> Operand:
    return Operand("number", value)


def test_and_binds_closer_than_or():
    a, b, c = (Exists(Path(VOCAB + name)) for name in "abc")
    assert parse_q("a|b;c", CORE) == Or((a, And((b, c))))
    assert parse_q("(a|b);c", CORE) == And((Or((a, b)), c))
    assert parse_q("((a))", CORE) == a


@pytest.mark.parametrize(
    ("text", "path", "operator", "operands"),
    [
        ("t==20", Path(VOCAB + "t"), "==", (number(20),)),
        ("t!=-1.5e3", Path(VOCAB + "t"), "!=", (number(-1500),)),
        ("t==10..20", Path(VOCAB + "t"), "==", (Range(number(10), number(20)),)),
        ("t==1,3..5", Path(VOCAB + "t"), "==", (number(1), Range(number(3), number(5)))),
        ('c=="black","red"', Path(VOCAB + "c"), "==", (Operand("string", "black"), Operand("string", "red"))),
        (r'c=="a\"b;|)\u6c34"', Path(VOCAB + "c"), "==", (Operand("string", 'a"b;|)水'),)),
        ("o==true", Path(VOCAB + "o"), "==", (Operand("boolean", True),)),
        ("o==urn:ngsi-ld:Org:1", Path(VOCAB + "o"), "==", (Operand("uri", "urn:ngsi-ld:Org:1"),)),
        ("d>=2018-12-04", Path(VOCAB + "d"), ">=", (Operand("date", "2018-12-04"),)),
        ("d<12:00:00Z", Path(VOCAB + "d"), "<", (Operand("time", "12:00:00Z"),)),
        (
            "t.observedAt>=2017-12-24T20:00:00+08:00",
            Path(VOCAB + "t", ("observedAt",)),
            ">=",
            (Operand("datetime", "2017-12-24T12:00:00.000Z"),),
        ),
        (
            't.observedAt<="2017-12-24T12:00:00Z"',
            Path(VOCAB + "t", ("observedAt",)),
            "<=",
            (Operand("datetime", "2017-12-24T12:00:00Z"),),
        ),
        (
            "sensor.rawdata[airquality.particulate]==40",
            Path(VOCAB + "sensor", (VOCAB + "rawdata",), ("airquality", "particulate")),
            "==",
            (number(40),),
        ),
        ("modifiedAt>2020-01-01", Path("modifiedAt"), ">", (Operand("date", "2020-01-01"),)),
        ("n~=Merc.*(es|a)", Path(VOCAB + "n"), "~=", (Operand("string", "Merc.*(es|a)"),)),
        ('n!~="^a;b"', Path(VOCAB + "n"), "!~=", (Operand("string", "^a;b"),)),
    ],
)  # fmt: skip
def test_terms(text, path, operator, operands):
    assert parse_q(text, CORE) == Compare(path, operator, operands)


def test_values_can_be_names_of_the_vocabulary():
    for text in ("gender==Male", 'gender=="Male"'):
        assert parse_q(text, CORE, ["gender"]) == Compare(
            Path(VOCAB + "gender"), "==", (Operand("uri", VOCAB + "Male"),)
        )


@pytest.mark.parametrize(
    ("text", "key", "position"),
    [
        ("", "q.name", 1),
        ("a;;b", "q.name", 3),
        ("a;", "q.name", 3),
        ("1a", "q.name", 1),
        ("a.==1", "q.name", 3),
        ("a=b", "q.operator", 2),
        ("a b", "q.operator", 2),
        ("a==", "q.value", 4),
        ("a==b+", "q.value", 4),
        ('a=="b', "q.value", 4),
        ("a==1e999", "q.value", 4),
        ("a==01", "q.value", 4),
        ('a=="\\x"', "q.value", 4),
        ("a==1..+", "q.value", 7),
        ("a{b==1", "q.brace", 4),
        ("a{b}{c}==1", "q.operator", 5),
        ("a{b{c}==1", "q.brace", 7),
        ("a{b{c{d}}}==1", "q.links", 6),
        ('a==1.."x"', "q.range", 7),
        ("(a", "q.parenthesis", 3),
        ("a)", "q.end", 2),
        ("a==1)", "q.end", 5),
        ("a>1,2", "q.end", 4),
        ("a[", "q.key", 3),
        ("a[b", "q.key", 3),
        ("a[]", "q.key", 3),
        ("a[b..c]", "q.key", 3),
        ("(" * 40 + "a" + ")" * 40, "q.deep", 34),
    ],
)
def test_errors_say_where_and_what(text, key, position):
    with pytest.raises(BadInput) as caught:
        parse_q(text, CORE, links=2)
    assert (caught.value.key, caught.value.facts["position"]) == (key, position)
    assert f"character {position}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [("a==2017-13-01", "time.bad"), ("a==2017-12-01T12:00:00", "time.naive"), ("a~=(", "pattern.bad")],
)
def test_bad_values(text, key):
    with pytest.raises(BadInput) as caught:
        parse_q(text, CORE)
    assert caught.value.key == key


def test_linked_paths_name_types_and_what_their_entity_must_fulfil():
    """The examples of §4.9 for linked entities."""
    relationship, name = Path(VOCAB + "managedBy"), Path(VOCAB + "name")
    is_smith = Compare(name, "==", (Operand("string", "Smith"),))
    assert parse_q('managedBy{name}=="Smith"', CORE, links=1) == Linked(relationship, (), is_smith)
    hinted = Linked(relationship, (VOCAB + "Person", VOCAB + "Team"), is_smith)
    assert parse_q('managedBy{Person,Team:name}=="Smith"', CORE, links=1) == hinted
    deep = parse_q('a{b{name}}=="Smith";c', CORE, links=2)
    inner = Linked(Path(VOCAB + "b"), (), is_smith)
    assert deep == And((Linked(Path(VOCAB + "a"), (), inner), Exists(Path(VOCAB + "c"))))
    assert parse_q("a{b}", CORE, links=1) == Linked(Path(VOCAB + "a"), (), Exists(Path(VOCAB + "b")))


def test_linked_paths_are_not_followed_everywhere():
    with pytest.raises(Unsupported, match="character 7"):
        parse_q("sensor{humidity}==40", CORE)


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?=a)", "(?<!a)b", "a" * 2001, "[", "(", "a{9999}"])
def test_patterns_that_look_around_or_do_not_end_are_refused(pattern):
    with pytest.raises(BadInput):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["^urn:ngsi-ld:[A-Z]+:.*$", "(Merc|BMW).*", r"(\(\+)+", "([+*|])+", "(ab)?c{2}", "(?:a+)|(?:b)", "(a+)+"],
)
def test_plain_patterns_pass(pattern):
    assert check_pattern(pattern).pattern == pattern


MATCHING = [
    "name", "name;open", "nope|open", 'name=="Downtown One"', 'name!="X"', 'name=="X","Downtown One"',
    "totalSpotNumber==100..300", "totalSpotNumber>199", "totalSpotNumber<=200", "open==true",
    "availableSpotNumber.reliability>0.5", 'availableSpotNumber.unitCode=="C62"',
    "availableSpotNumber.observedAt>=2017-07-29T12:00:00Z",
    "availableSpotNumber.observedAt==2017-07-29T20:05:02+08:00",
    "availableSpotNumber.providedBy==urn:ngsi-ld:Camera:C1", "availableSpotNumber.providedBy",
    'address[city]=="Porto"', "address[street.number]==7", "address[street]", 'address[city]~="^Por"',
    'street=="珞喻路"', 'street[en]=="Luoyu Road"', 'street[*]=="Luoyu Road"', 'street[zh]!="Luoyu Road"',
    'street~="Road$"', 'owner=="urn:ngsi-ld:Org:2"', "owner==urn:ngsi-ld:Org:1", "owner!=urn:ngsi-ld:Org:3",
    'periods=="Second"', "route==urn:ngsi-ld:BusStop:2", 'ticket[id]=="85a6cc52"', "speed==55", "speed==54.5",
    "speed!=55", "speed>54.9", 'name!~="^Up"', 'name!=1', f"category=={VOCAB}public",
    '((totalSpotNumber>500|open==true);name~=Down.*One)', "scopeless|(open;totalSpotNumber)",
    "!nope;open", "!name|open", "!name.nope", "!address[nope]",
]  # fmt: skip
NOT_MATCHING = [
    "nope", "open;nope", 'name=="downtown one"', 'nope!="X"', 'totalSpotNumber=="200"', "name>1", 'name==1',
    "totalSpotNumber>200", "totalSpotNumber!=100..300", "open==false", "open==1", "totalSpotNumber==true",
    "availableSpotNumber.observedAt<2017-07-29T12:05:02Z", "availableSpotNumber.nope", "address[nope]",
    'address=="Porto"', "address[city.x]", 'street!="Luoyu Road"', 'street[fr]=="x"', "street[fr]",
    "owner!=urn:ngsi-ld:Org:2", 'owner>"urn"', 'owner~="urn.*"', 'periods!="Second"', 'name~="^One"',
    'totalSpotNumber~="2"', 'totalSpotNumber!~="x"', 'name!~="Down"', "location.observedAt",
    "ticket[value]", "!name", "!name|nope", "!open;name", "!address[city]", "name==Downtown",
]  # fmt: skip


@pytest.mark.parametrize("text", MATCHING)
def test_matching(parking, text):
    assert matches(parking, parse_q(text, CORE))


@pytest.mark.parametrize("text", NOT_MATCHING)
def test_not_matching(parking, text):
    assert not matches(parking, parse_q(text, CORE))


def test_times_of_the_system_and_typed_values(parking):
    document = apply(Create(parking), None, 1_700_000_000_000_000).document
    added = expand_fragment(
        {
            "built": {"value": {"@type": "Date", "@value": "2001-05-06"}},
            "opens": "08:00:00+08:00",
            "since": {"value": {"@type": "DateTime", "@value": "2020-01-01T00:00:00Z"}},
        },
        CORE,
    )
    document = apply(Append(parking["id"], added), document, 1_700_000_060_000_000).document
    assert document is not None
    for text in (
        "createdAt==2023-11-14T22:13:20Z",
        "modifiedAt>2023-11-14T22:14:19Z",
        "name.modifiedAt<2023-11-14T22:14:00Z",
        "built<2001-05-07",
        "opens==00:00:00Z",
        "opens<00:00:01Z",
        "since>=2020-01-01T08:00:00+08:00",
    ):
        assert matches(document, parse_q(text, CORE)), text


WORDS = (
    'a b.c [x.y] ( ) ; | , .. == != > <= ~= !~= 1 -2.5 "t" true 2020-01-01 2020-01-01T00:00:00Z urn:xx:y '
    '{ } " \\ 水 + * .'
)
tokens = st.sampled_from([*WORDS.split(), " "])


def read(text: str) -> Condition | str:
    try:
        return parse_q(text, CORE)
    except YunmengError as error:
        return str(error)


@given(st.lists(tokens, max_size=12).map("".join) | st.text(max_size=30))
@settings(max_examples=500, deadline=None)
def test_any_text_is_read_or_refused_with_words(text):
    found = read(text)
    if isinstance(found, str):
        assert "?" not in found or "?" in text
    else:
        assert isinstance(matches({"id": "urn:xx:y", "type": ["T"]}, found), bool)
