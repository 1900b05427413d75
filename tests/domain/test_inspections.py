"""What is said of a change that code refuses to publish."""

from app.domain.inspections import can_be_mended, refusal_sentence
from app.results import Inspection, Refusal, RefusalReason


def refused(*refusals: tuple[RefusalReason, str] | tuple[RefusalReason, str, str]) -> Inspection:
    return Inspection(
        refusals=tuple(
            Refusal(reason=reason, place=place, what=what[0] if what else "") for reason, place, *what in refusals
        )
    )


def test_the_sentence_names_each_place_and_what_to_do() -> None:
    sentence = refusal_sentence(
        refused(
            (RefusalReason.SECRET, "src/a.py:3", "github pat"),
            (RefusalReason.SECRET, "b.txt:1", "private key"),
            (RefusalReason.LARGE_FILE, "dump.sql"),
        )
    )

    assert "what looks like a secret at src/a.py:3 (github pat), b.txt:1 (private key)" in sentence
    assert "a file over 10 MB at dump.sql" in sentence
    assert "revoke" in sentence
    assert "Git LFS" in sentence
    assert sentence.endswith("Then retry the run.")


def test_ten_places_are_named_and_the_others_counted() -> None:
    sentence = refusal_sentence(refused(*((RefusalReason.SYMLINK, f"link{number:02}") for number in range(14))))

    assert "link09; and 4 more." in sentence
    assert "link10" not in sentence


def test_nothing_is_said_where_nothing_is_refused() -> None:
    assert refusal_sentence(Inspection(protected=("CODEOWNERS",), adds_protected=True)) == ""


def test_the_author_mends_its_own_faults_and_not_what_needs_a_person() -> None:
    fault = (RefusalReason.SUBMODULE, "module")

    assert can_be_mended(refused(fault))
    assert not can_be_mended(refused(fault, (RefusalReason.PROTECTED, "CODEOWNERS")))
    assert not can_be_mended(Inspection())
