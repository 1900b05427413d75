"""Which commands set up, lint and test a repository, told from its lock files and manifests. Pure: it runs nothing.

A repository may speak several languages at its root: each has one toolchain, and their commands run one after the
other. Within a language a lock file beats a manifest, because it says what the maintainers really use. A Makefile comes
last, for what no toolchain has a command for. Where a lock file is missing no command makes one: it would end up in the
change.
"""

import re
from itertools import chain

from app.services.checks.commands import Argv, Toolchain
from app.services.checks.python_toolchain import python_toolchain
from app.services.checks.tree import Tree, table

_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")  # in make's own order
_RULE = re.compile(r"^([^\s#:=][^#:=\n]*?)\s*::?(?!:?=)", re.MULTILINE)


def detect(tree: Tree) -> Toolchain:
    """The toolchain of a tree, without a name where there is none.

    Raises InvalidInput naming a manifest that cannot be read.
    """
    languages = [one for one in (_node(tree), python_toolchain(tree), _cargo(tree), _go(tree)) if one.name]
    make = _make(tree)
    # A package.json without scripts beside a Go module needs no npm. Where nothing checks, a named command may need it.
    installed = [one for one in languages if one.lint or one.test] or languages
    return Toolchain(
        name=", ".join(one.name for one in (*languages, make) if one.name),
        setup=tuple(chain.from_iterable(one.setup for one in installed)) or make.setup,
        lint=tuple(chain.from_iterable(one.lint for one in languages)) or make.lint,
        test=tuple(chain.from_iterable(one.test for one in languages)) or make.test,
    )


def _node(tree: Tree) -> Toolchain:
    if not tree.has("package.json"):
        return Toolchain()
    manifest = tree.json("package.json")
    scripts = table(manifest, "scripts")
    manager = _node_manager(tree, str(manifest.get("packageManager", "")))
    # `bun test` is bun's own runner and not the script.
    run = (manager, "run") if manager in {"npm", "bun"} else (manager,)
    test = (manager, "run", "test") if manager == "bun" else (manager, "test")
    # What `npm init` writes is no test, and fails by design.
    tested = "test" in scripts and "no test specified" not in str(scripts["test"])
    return Toolchain(
        name=manager,
        setup=(_node_install(tree, manager),),
        lint=((*run, "lint"),) if "lint" in scripts else (),
        test=(test,) if tested else (),
    )


def _node_manager(tree: Tree, declared: str) -> str:
    """The manager that package.json declares (corepack refuses any other), else the one whose lock file is there."""
    name = declared.partition("@")[0]
    if name in {"pnpm", "npm", "yarn", "bun"}:
        return name
    locks = {"pnpm": ("pnpm-lock.yaml",), "yarn": ("yarn.lock",), "bun": ("bun.lock", "bun.lockb")}
    return next((manager for manager, files in locks.items() if tree.has(*files)), "npm")


def _node_install(tree: Tree, manager: str) -> Argv:
    if manager == "pnpm":
        return ("pnpm", "install", "--frozen-lockfile" if tree.has("pnpm-lock.yaml") else "--no-lockfile")
    if manager == "bun":
        return ("bun", "install", "--frozen-lockfile" if tree.has("bun.lock", "bun.lockb") else "--no-save")
    if manager == "npm":
        locked = tree.has("package-lock.json", "npm-shrinkwrap.json")
        return ("npm", "ci") if locked else ("npm", "install", "--no-package-lock")
    if not tree.has("yarn.lock"):
        return ("yarn", "install")
    # Yarn 1 and its successors write different lock files and know different flags.
    modern = "__metadata:" in tree.text("yarn.lock")
    return ("yarn", "install", "--immutable" if modern else "--frozen-lockfile")


def _cargo(tree: Tree) -> Toolchain:
    if not tree.has("Cargo.toml"):
        return Toolchain()
    clippy = ("cargo", "clippy", "--all-targets", "--", "-D", "warnings")
    return Toolchain(name="cargo", lint=(clippy,), test=(("cargo", "test"),))


def _go(tree: Tree) -> Toolchain:
    if not tree.has("go.mod"):
        return Toolchain()
    return Toolchain(name="go", lint=(("go", "vet", "./..."),), test=(("go", "test", "./..."),))


def _make(tree: Tree) -> Toolchain:
    text = next((tree.text(name) for name in _MAKEFILES if tree.has(name)), None)
    if text is None:
        return Toolchain()
    targets = {target for rule in _RULE.finditer(text) for target in rule[1].split()}
    setups = ["setup", "deps"]
    # A Makefile that knows prefixes installs the program into the machine, not what its tests need.
    if not re.search(r"DESTDIR|PREFIX|prefix", text):
        setups.append("install")
    return Toolchain(
        name="make",
        setup=tuple(("make", target) for target in setups if target in targets)[:1],
        lint=(("make", "lint"),) if "lint" in targets else (),
        test=(("make", "test"),) if "test" in targets else (),
    )
