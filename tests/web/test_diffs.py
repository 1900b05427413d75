"""Patches as git writes them, and their tables."""

import re

import pytest

from app.web import diff_tables
from app.web.diffs import FileDiff, edit, is_dull, parse

CHANGED = """\
diff --git a/app/main.py b/app/main.py
index 1..2 100644
--- a/app/main.py
+++ b/app/main.py
@@ -1,4 +1,4 @@ def main() -> None:
 import os
-    return attempts(5)
+    return attempts(6)
 # the end
 x = 1
\\ No newline at end of file
"""


def only(patch: str) -> FileDiff:
    (file,) = parse(patch)
    return file


def one_file(lines: list[str], path: str = "a.py") -> FileDiff:
    added = sum(not line.startswith("-") for line in lines)
    removed = sum(not line.startswith("+") for line in lines)
    head = f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1,{removed} +1,{added} @@\n"
    return only(head + "\n".join(lines) + "\n")


def words(html: str, tag: str) -> list[str]:
    return re.findall(f"<{tag}>(.*?)</{tag}>", re.sub(r"</?span[^>]*>", "", html))


def test_a_changed_file_has_numbered_lines_and_its_function() -> None:
    file = only(CHANGED)
    (hunk,) = file.hunks
    assert (file.path, file.status, file.added, file.removed, hunk.title) == (
        "app/main.py", "modified", 1, 1, "def main() -> None:",
    )  # fmt: skip
    assert [(line.kind, line.old, line.new) for line in hunk.lines] == [
        (" ", 1, 1), ("-", 2, None), ("+", None, 2), (" ", 3, 3), (" ", 4, 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "path", "old_path", "status", "binary"),
    [
        ("diff --git a/n b/n\nnew file mode 100644\nindex 0..1", "n", "n", "added", False),
        ("diff --git a/n b/n\ndeleted file mode 100644\nindex 1..0", "n", "n", "deleted", False),
        ("diff --git a/o b/n\nsimilarity index 100%\nrename from o\nrename to n", "n", "o", "renamed", False),
        ("diff --git a/n b/n\nold mode 100644\nnew mode 100755", "n", "n", "mode", False),
        ("diff --git a/x y b/x y\nBinary files a/x y and b/x y differ", "x y", "x y", "modified", True),
        ('diff --git "a/\\303\\244\\t" "b/\\303\\244\\t"\nnew file mode 100644', "ä\t", "ä\t", "added", False),
        ('diff --git a/o "b/\\"n\\""\nrename from o\nrename to "\\"n\\""', '"n"', "o", "renamed", False),
    ],
)  # fmt: skip
def test_what_git_says_of_a_file_is_understood(
    header: str, path: str, old_path: str, status: str, binary: bool
) -> None:
    assert only(header + "\n") == FileDiff(path=path, old_path=old_path, status=status, binary=binary)


def test_a_removed_line_that_looks_like_a_header_is_a_line() -> None:
    file = one_file(["--- a/secret.py", "+++ b/secret.py", " diff --git a/x b/x"])
    assert [line.text for line in file.hunks[0].lines] == ["-- a/secret.py", "++ b/secret.py", "diff --git a/x b/x"]
    assert file.path == "a.py"


def test_a_hunk_that_is_shorter_than_its_header_says_does_not_swallow_the_next_file() -> None:
    files = parse(CHANGED.replace("-1,4 +1,4", "-1,9 +1,9") + CHANGED.replace("main.py", "other.py"))
    assert [file.path for file in files] == ["app/main.py", "app/other.py"]


def test_changed_words_are_marked_on_both_sides() -> None:
    html = diff_tables.unified(only(CHANGED))
    assert words(html, "del") == ["5"]
    assert words(html, "ins") == ["6"]


def test_lines_with_nothing_in_common_are_not_marked() -> None:
    html = diff_tables.unified(one_file(["-alpha beta gamma", "+something(else, entirely)"]))
    assert "<del>" not in html


def test_a_table_says_added_and_removed_in_words() -> None:
    html = diff_tables.unified(only(CHANGED))
    assert 'aria-label="Changes in app/main.py"' in html
    assert html.count('<span class="vh">added </span>') == 1
    assert html.count('<span class="vh">removed </span>') == 1
    assert '<span class="c-kn">import</span>' in html


def test_side_by_side_a_change_stands_beside_what_it_replaces() -> None:
    html = re.sub(r"</?(span|ins|del)[^>]*>", "", diff_tables.split(only(CHANGED)))
    row = next(row for row in re.findall(r"<tr>(.*?)</tr>", html) if "attempts" in row)
    assert re.findall(r">([^<>]*attempts[^<>]*)<", row) == [
        "removed     return attempts(5)", "added     return attempts(6)",
    ]  # fmt: skip


def test_a_hostile_patch_is_only_text() -> None:
    file = one_file(["+<script>alert(1)</script>\x1b[31m\u202e"], path='"><img src=x>.py')
    html = diff_tables.unified(file)
    assert "<script" not in html
    assert "<img" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_a_change_of_more_than_800_lines_is_not_coloured() -> None:
    assert "c-mi" in diff_tables.unified(one_file(["+x = 1"] * 800))
    assert "c-mi" not in diff_tables.unified(one_file(["+x = 1"] * 801))


def test_an_edit_has_no_line_numbers() -> None:
    file = edit("a.py", "a\nb\nc", "a\nB\nc")
    assert [(line.kind, line.text, line.old) for line in file.hunks[0].lines] == [
        (" ", "a", None), ("-", "b", None), ("+", "B", None), (" ", "c", None),
    ]  # fmt: skip
    assert edit("a.py", "", "x").status == "added"


@pytest.mark.parametrize("path", ["uv.lock", "web/package-lock.json", "dist/app.js", "a.min.css", "api/x_pb2.py"])
def test_files_made_by_machines_are_dull(path: str) -> None:
    assert is_dull(path)
    assert not is_dull("app/lock.py")
