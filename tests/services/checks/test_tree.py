import os
from pathlib import Path

from app.services.checks.tree import read_tree


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_tree_is_its_files_and_the_texts_of_manifests_and_python_tests(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{
            "package.json": "{}",
            "src/a.py": "a",
            "tests/test_a.py": "t",
            "README.md": "r",
            "requirements-dev.txt": "x",
        },
    )
    tree = read_tree(tmp_path)
    assert tree.files == {"package.json", "src/a.py", "tests/test_a.py", "README.md", "requirements-dev.txt"}
    assert tree.texts == {"package.json": "{}", "tests/test_a.py": "t", "requirements-dev.txt": "x"}


def test_what_others_wrote_into_the_tree_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, **{f"{name}/test_x.py": "" for name in ("node_modules", "venv", ".venv", ".git", "a/target")})
    assert read_tree(tmp_path).files == frozenset()


def test_manifests_below_the_root_are_not_the_repositorys(tmp_path: Path) -> None:
    write(tmp_path, **{"web/package.json": "{}", "web/requirements.txt": "x"})
    assert read_tree(tmp_path).texts == {}


def test_very_deep_files_are_not_looked_for(tmp_path: Path) -> None:
    write(tmp_path, **{"1/2/3/4/5/6/near.py": "", "1/2/3/4/5/6/7/far.py": ""})
    assert read_tree(tmp_path).files == {"1/2/3/4/5/6/near.py"}


def test_manifests_that_are_no_files_count_as_absent(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "package.json")
    (tmp_path / "pyproject.toml").symlink_to("/dev/zero")
    (tmp_path / "go.mod").symlink_to("nowhere")
    assert read_tree(tmp_path).texts == {}


def test_a_manifest_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_tree(tmp_path).json("package.json") == {"a": 1}


def test_a_directory_that_links_to_itself_has_an_end(tmp_path: Path) -> None:
    (tmp_path / "again").symlink_to(tmp_path)
    write(tmp_path, **{"test_a.py": ""})
    assert "test_a.py" in read_tree(tmp_path).files
