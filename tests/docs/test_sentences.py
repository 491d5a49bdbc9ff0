"""No sentence of the documentation has more than 40 words."""

import re

LIMIT = 40
_GENERATED = re.compile(r"<!-- (\w+)(?:: [^\n]+)? -->\n.*?<!-- end of \1 -->", re.DOTALL)
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*>]|\d+\.)\s)|\n(?=[#|])")
_END = re.compile(r"(?<=[.!?])[)\"*_]*\s+(?=[\"(*_]*[A-Z0-9])")


def sentences(text):
    """Return a page's sentences, without code, tables and the blocks that a program fills."""
    text = _FENCED.sub("", _GENERATED.sub("", text))
    text = re.sub(r"`[^`]+`", "CODE", text)
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", text)
    blocks = [block for block in _BLOCK.split(text) if not block.startswith("|")]
    return [part for block in blocks for part in _END.split(block)]


def words(sentence):
    return [word for word in sentence.split() if re.search(r"\w", word)]


def test_no_sentence_is_long(page):
    found = sentences(page.read_text(encoding="utf-8"))
    assert [" ".join(sentence.split()) for sentence in found if len(words(sentence)) > LIMIT] == []


def test_sentences_are_told_apart():
    long = " ".join(["word"] * (LIMIT + 1))
    parts = [
        "# Title",
        "One `a b c` two.\nThree. `Four` five\n\n- [Six](x.md) seven\n- eight 1.5",
        f"| {long} |\n| {long} |",
        f"```\n{long}\n\n{long}\n```",
        f"<!-- scores: mnist -->\n{long}\n<!-- end of scores -->",
        f"<!-- errors: mnist mnist/paper -->\n{long}\n<!-- end of errors -->",
        f"<!-- study -->\n{long}\n<!-- end of study -->",
        long,
    ]
    counts = [len(words(sentence)) for sentence in sentences("\n\n".join(parts))]
    assert [count for count in counts if count] == [1, 3, 1, 2, 2, 2, LIMIT + 1]
