#!/usr/bin/env python3
"""Measures how easy the code is to read and to extend, and prints the numbers beside their goals.

Run it with `just house`; `just house --list` also shows which names, files and uses are behind each number.
It reads src/ as text, without tests: items under `#[cfg(test)]` are left out. Needs Python's standard library alone.
"""

import collections
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
LONG_FILE = 400

# The list of the kinds of embedders.
EMBEDDER_KINDS = pathlib.Path("scenario/embedders/mod.rs")

VISIBILITY = r"(?:pub(?:\([^)]*\))? )?"
# A `type` that is indented belongs to a trait.
TYPE = re.compile(rf"^(?:\s*{VISIBILITY}(?:struct|enum|union|trait)|{VISIBILITY}type) ([A-Z]\w*)", re.M)
CLOSURE = re.compile(r"\blet (?:mut )?\w+(?:: [^=\n]+)? = (?:move )?\|", re.M)
STRING = re.compile(r'r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|\'(?:\\.[^\']*|[^\\\'])\'', re.S)


def without_tests(text):
    """The file without the items under `#[cfg(test)]`, and the names of test modules that have files of their own."""
    kept, modules, lines = [], [], iter(text.splitlines())
    for line in lines:
        if line.strip() != "#[cfg(test)]":
            kept.append(line)
            continue
        indent = line[: len(line) - len(line.lstrip())]
        item = next(line for line in lines if not line.strip().startswith("#["))
        module = re.match(rf"\s*{VISIBILITY}mod (\w+);", item)
        if module:
            modules.append(module[1])
        elif not item.rstrip().endswith((";", "}", ",")):
            # rustfmt puts the closing brace of an item under its first letter.
            next(line for line in lines if line.startswith(indent + "}"))
    return "\n".join(kept) + "\n", modules


def read_sources():
    """Path below src/ -> text without tests."""
    sources, tests = {}, set()
    for path in sorted(SRC.rglob("*.rs")):
        name = path.relative_to(SRC)
        sources[name], modules = without_tests(path.read_text(encoding="utf-8"))
        folder = name.parent if name.stem in ("mod", "lib", "main") else name.with_suffix("")
        tests.update(folder / module for module in modules)
    for name in list(sources):
        if tests & {name.with_suffix(""), *name.parents}:
            del sources[name]
    return sources


def split_comments(text):
    """The code without comments and with empty strings, and the number of lines with an ordinary comment."""
    code, comments = [], 0
    # A string over several lines keeps its line breaks, so that lines can be counted.
    blank = STRING.sub(lambda m: '""' + "\n" * m[0].count("\n") if "//" in m[0] or "\n" in m[0] else m[0], text)
    for line in blank.splitlines():
        before, slashes, after = line.partition("//")
        comments += bool(slashes) and not after.startswith(("/", "!"))
        code.append(before)
    return "\n".join(code), comments


def module_order():
    """The top-level modules in the order of the list in ARCHITECTURE.md."""
    listing = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split("```")[1]
    order = []
    for line in listing.splitlines():
        # One module at the start of a line; a short one may have a second beside it.
        order += re.findall(r"^  ([a-z_]+)(?:\.rs|/)", line)
        order += re.findall(r"^  [a-z_]+(?:\.rs|/).*\s{3,}([a-z_]+)\.rs\b", line)
    return order


def top_module(name):
    return name.parts[0].removesuffix(".rs")


def uses(code):
    """The top-level modules that code names after `crate::`."""
    found = set(re.findall(r"\bcrate::([a-z_]+)\b", code))
    for group in re.findall(r"\bcrate::\{(.*?)\};", code, re.S):
        while re.search(r"\{[^{}]*\}", group):
            group = re.sub(r"\{[^{}]*\}", "", group)
        found.update(part.strip().split("::")[0] for part in group.split(","))
    return found


def circles(arrows):
    """Groups of modules each of which can reach every other of its group."""
    def reached(start):
        seen, open_ends = set(), [start]
        while open_ends:
            for to in arrows[open_ends.pop()] - seen:
                seen.add(to)
                open_ends.append(to)
        return seen

    reach = {module: reached(module) for module in list(arrows)}
    groups = {frozenset(b for b in reach[a] if a in reach.get(b, ())) for a in reach if a in reach[a]}
    return sorted(" <-> ".join(sorted(group)) for group in groups)


def embedder_kinds(codes):
    """Kind -> the type of its settings, from the list of kinds; several names may stand for one kind."""
    kinds = {}
    for settings, names in re.findall(r"KindDefinition::new::<\w+::(\w+)>\(\s*&\[([^\]]*)\]", codes[EMBEDDER_KINDS]):
        kinds.update((name, settings) for name in re.findall(r'"(\w+)"', names))
    return kinds


def files_that_name_embedder(codes, kind, settings):
    """The files with the type of the kind's settings, or with the kind's name as a string beside kinds of embedders.

    A model's layout (`ModelKind`) is not a kind of embedder: several kinds may have models of one layout.
    """
    key, topic = f'"{kind}"', re.compile(r"\b(?:EmbedderKind|KindDefinition)\b")
    return [name for name, code in codes.items()
            if re.search(rf"\b{settings}\b", code) or (key in code and topic.search(code))]


def guard_kinds():
    """The kinds of guards, from the schema of scenario files."""
    definitions = json.loads((ROOT / "scenarios/scenario.schema.json").read_text(encoding="utf-8"))["$defs"]
    actions = ("retry", "escalate")
    return [key for key in definitions["GuardEntry"]["properties"] if key not in actions]


def files_that_name_guard(codes, kind):
    """The module of a kind of guard, and the files that name this module, one of its types, or the key as a string."""
    folder = pathlib.Path("scenario/guards")
    module = folder / f"{kind}.rs"
    names = [rf"guards::{kind}\b", *(rf"\b{name}\b" for name in TYPE.findall(codes.get(module, "")))]
    anywhere, inside = re.compile("|".join(names)), re.compile(rf"\b{kind}::")
    return [name for name, code in codes.items()
            if name == module or anywhere.search(code) or name.parent == folder and inside.search(code)
            # Documents have a `score` as well, so a string counts only beside a type of the guards.
            or re.search(r"\b\w*Guard\w*\b", code) and f'"{kind}"' in code]


def main():
    sources = read_sources()
    split = {name: split_comments(text) for name, text in sources.items()}
    codes = {name: code for name, (code, _) in split.items()}
    lines = sum(len(text.splitlines()) for text in sources.values())

    types = [type_name for code in codes.values() for type_name in TYPE.findall(code)]
    count = collections.Counter(types)
    shared = sum(n for n in count.values() if n > 1)
    closures = {name: len(CLOSURE.findall(code)) for name, code in codes.items()}
    comments = sum(comments for _, comments in split.values())
    long_files = {name: len(text.splitlines()) for name, text in sources.items()}
    long_files = {name: length for name, length in long_files.items() if length > LONG_FILE}

    order = module_order()
    place = {module: i for i, module in enumerate(order)}
    modules = {top_module(name) for name in codes}
    arrows, upward, unlisted = collections.defaultdict(set), [], set()
    for name, code in codes.items():
        module = top_module(name)
        if module in ("lib", "main"):
            continue
        if module not in place:
            unlisted.add(module)
        for used in (uses(code) & modules) - {module}:
            arrows[module].add(used)
            if place.get(used, -1) > place.get(module, len(order)):
                upward.append(f"{name} uses {used}")

    embedders = {kind: files_that_name_embedder(codes, kind, settings)
                 for kind, settings in embedder_kinds(codes).items()}
    guards = {kind: files_that_name_guard(codes, kind) for kind in guard_kinds()}

    def mean_and_most(files):
        kind = max(files, key=lambda kind: len(files[kind]))
        return f"{sum(map(len, files.values())) / len(files):.1f}, at most {len(files[kind])} ({kind})"

    found = circles(arrows)
    table = [
        ("type definitions that share their name with another", f"{100 * shared / len(types):.0f}%", "below 12%"),
        ("mean length of a type's name", f"{sum(map(len, types)) / len(types):.1f}", "10 or more"),
        ("named closures (`let f = ..`) per 1,000 lines", f"{1000 * sum(closures.values()) / lines:.1f}", "below 3"),
        ("lines with an ordinary `//` comment", f"{100 * comments / lines:.1f}%", "2%"),
        (f"files over {LONG_FILE} lines", str(len(long_files)), "0, or named with a reason"),
        ("uses of a module from one above it", str(len(upward)), "0"),
        ("circles of modules", str(len(found)), "0"),
        ("modules that ARCHITECTURE.md does not list", str(len(unlisted)), "0"),
        ("files that name an embedder kind", mean_and_most(embedders), "2"),
        ("files that name a guard kind", mean_and_most(guards), "2"),
    ]
    print(f"{len(sources)} files, {lines} lines, {len(types)} type definitions, tests left out\n")
    width = max(len(row[1]) for row in table)
    print(f"| {'measure':52} | {'now':{width}} | goal |\n|{'-' * 54}|{'-' * (width + 2)}|---|")
    for measure, now, goal in table:
        print(f"| {measure:52} | {now:{width}} | {goal} |")

    if "--list" in sys.argv[1:]:
        for title, items in [
            ("Shared names", [f"{name} ({n})" for name, n in count.most_common() if n > 1]),
            (f"Over {LONG_FILE} lines", [f"{name} ({n})" for name, n in collections.Counter(long_files).most_common()]),
            ("Most closures", [f"{name} ({n})" for name, n in collections.Counter(closures).most_common(15)]),
            ("Against the order", upward), ("Circles", found), ("Not listed", sorted(unlisted)),
            *((f"`{kind}`", map(str, files)) for kind, files in {**embedders, **guards}.items()),
        ]:
            print(f"\n{title}: {', '.join(items) or '-'}")


if __name__ == "__main__":
    main()
