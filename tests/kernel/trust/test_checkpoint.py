"""Signed notes: a note that others signed, our own keys, and no second spelling of one signature."""

import pytest

from yunmeng.kernel.base import Broken
from yunmeng.kernel.trust.checkpoint import Checkpoint, Signer, Verifier

# The example of Go's golang.org/x/mod/sumdb/note, which defined the format.
KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
NOTE = f"{TEXT}\n— PeterNeumann {SIGNATURE}\n"


@pytest.fixture
def signer(tmp_path):
    return Signer.create(tmp_path / "key", "node-42")


def test_a_note_of_others_opens():
    assert Verifier.parse(KEY).opens(NOTE) == TEXT


def test_a_key_is_written_as_it_was_read():
    assert str(Verifier.parse(KEY)) == KEY


@pytest.mark.parametrize(
    "note",
    [
        NOTE.replace("cryptography", "Cryptography"),
        NOTE.replace("PeterNeumann", "EnochRoot"),
        NOTE[:-1],
        NOTE + "\n",
        NOTE + f"— PeterNeumann {SIGNATURE}\n",
        NOTE.replace("nAM=\n", "nAN=\n"),
        NOTE.replace("nAM=\n", "nAM\n"),
        NOTE.replace("\n\n", "\n"),
        "",
    ],
    ids=["text", "name", "short", "long", "twice", "spare bits", "padding", "no gap", "empty"],
)
def test_a_changed_note_does_not_open(note):
    assert Verifier.parse(KEY).opens(note) is None


@pytest.mark.parametrize("key", ["", "a+b", KEY[:-1], KEY.replace("c74f", "c74e"), KEY.replace("+AR", "+BR")])
def test_a_wrong_key_is_refused(key):
    with pytest.raises(Broken) as caught:
        Verifier.parse(key)
    assert caught.value.key == "audit.verifier"


def test_a_checkpoint_comes_back(signer):
    checkpoint = Checkpoint("node-42", 7, bytes(32))
    assert signer.verifier.checkpoint(signer.sign(checkpoint.text())) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        Checkpoint("another", 7, bytes(32)).text(),
        Checkpoint("node-42", 7, bytes(31)).text(),
        Checkpoint("node-42", 7, bytes(32)).text() + "more\n",
        Checkpoint("node-42", 7, bytes(32)).text().replace("7", "07"),
        Checkpoint("node-42", 7, bytes(32)).text().replace("7", "七"),
        "node-42\n",
    ],
    ids=["origin", "root", "lines", "leading zero", "digits", "short"],
)
def test_what_is_signed_must_be_a_checkpoint(signer, text):
    assert signer.verifier.checkpoint(signer.sign(text)) is None


def test_the_key_is_for_its_owner_only(signer, tmp_path):
    file = tmp_path / "key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert str(Signer.load(file).verifier) == str(signer.verifier)
    file.chmod(0o640)
    with pytest.raises(Broken) as caught:
        Signer.load(file)
    assert caught.value.key == "audit.key.open"


def test_a_key_is_never_overwritten(signer, tmp_path):
    with pytest.raises(Broken) as caught:
        Signer.create(tmp_path / "key", "node-42")
    assert caught.value.key == "audit.key"


@pytest.mark.parametrize("content", ["", "PRIVATE+KEY+a+b+AAAA", "secret", "ÿ"])
def test_a_key_that_is_none_is_refused(tmp_path, content):
    file = tmp_path / "key"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(Broken) as caught:
        Signer.load(file)
    assert caught.value.key == "audit.key"
