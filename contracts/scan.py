"""Every file of a tree read, parsed and looked at once: in parallel, and from a cache where nothing has changed."""

import gc
import hashlib
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec

from conformance import __version__
from contracts import bindings
from contracts.config import Config
from contracts.facts import FileFacts, Marks
from contracts.rule import rules
from contracts.source import Source, Unreadable, read
from contracts.tree import Tree

CACHE = ".agent_conformance_cache"
_WORTH_A_PROCESS = 150
_CHUNK = 40
_MOST_PROCESSES = 8
Job = tuple[str, bool]


def scan(tree: Tree, config: Config, *, cache: Path | None, processes: int | None = None) -> list[FileFacts]:
    """Return what is known of each file, in the order of their paths. Without a cache folder nothing is kept."""
    store = _Store(cache, config)
    known: dict[str, FileFacts] = {}
    keys: dict[str, bytes] = {}
    for path in tree.files:
        try:
            keys[path] = _digest(path, read(path, most=config.max_bytes))
        except Unreadable as problem:
            known[path] = _unread(path, tree.is_test(path), problem)
        else:
            found = store.get(keys[path])
            if found is not None:
                known[path] = found
    missing = [(path, tree.is_test(path)) for path in tree.files if path not in known]
    for facts in _look_at(missing, config, processes or os.cpu_count() or 1):
        known[facts.path] = facts
    store.put({keys[path]: known[path] for path in keys})
    return [known[path] for path in tree.files]


def summarise(path: str, content: bytes, config: Config, *, is_test: bool) -> FileFacts:
    """Parse a file, gather its facts, and let every rule look at it."""
    try:
        source = Source(path, content, is_test=is_test)
    except Unreadable as problem:
        return _unread(path, is_test, problem)
    facts = FileFacts(path, is_test)
    bindings.gather(source, facts)
    for rule in rules():
        marks = Marks()
        rule.look(source, config, marks)
        if marks.exercised or marks.failed or marks.noted or marks.facts:
            facts.marks[rule.id] = marks
    return facts


def _unread(path: str, is_test: bool, problem: Unreadable) -> FileFacts:
    return FileFacts(path, is_test, unread=problem.why, unread_line=problem.line, unread_sure=problem.sure)


def _look_at(jobs: Sequence[Job], config: Config, processes: int) -> Iterator[FileFacts]:
    if len(jobs) < _WORTH_A_PROCESS or processes == 1:
        yield from _summaries(jobs, config)
        return
    chunks = [(jobs[start : start + _CHUNK], config) for start in range(0, len(jobs), _CHUNK)]
    # Not forked: whoever calls may run threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, _MOST_PROCESSES, len(chunks)), mp_context=context) as pool:
        for encoded in pool.map(_work, chunks):
            yield from msgspec.msgpack.decode(encoded, type=list[FileFacts])


def _work(chunk: tuple[Sequence[Job], Config]) -> bytes:
    gc.disable()  # syntax trees hold no cycles, and looking for them takes a third of the time
    return msgspec.msgpack.encode(list(_summaries(*chunk)))


def _summaries(jobs: Iterable[Job], config: Config) -> Iterator[FileFacts]:
    for path, is_test in jobs:
        try:
            content = read(path, most=config.max_bytes)
        except Unreadable as problem:
            yield _unread(path, is_test, problem)
        else:
            yield summarise(path, content, config, is_test=is_test)


def _digest(path: str, content: bytes) -> bytes:
    return hashlib.blake2b(
        content, digest_size=16, key=hashlib.blake2b(path.encode(errors="replace")).digest()
    ).digest()


class _Store:
    """The facts of files by the hash of path and content, in one file for each configuration and state of the rules."""

    def __init__(self, folder: Path | None, config: Config) -> None:
        self._path = folder / f"{_version(config)}.msgpack" if folder is not None else None
        self._folder = folder
        self._kept: dict[bytes, msgspec.Raw] = {}
        if self._path is not None:
            try:
                self._kept = msgspec.msgpack.decode(self._path.read_bytes(), type=dict[bytes, msgspec.Raw])
            except (OSError, msgspec.DecodeError):
                self._kept = {}
        self._read = set(self._kept)

    def get(self, key: bytes) -> FileFacts | None:
        """Return what is known under this key."""
        raw = self._kept.get(key)
        if raw is None:
            return None
        try:
            return msgspec.msgpack.decode(raw, type=FileFacts)
        except msgspec.DecodeError:
            return None

    def put(self, known: dict[bytes, FileFacts]) -> None:
        """Keep these, and nothing else, unless nothing has changed. A cache that cannot be written is no loss."""
        if self._path is None or self._folder is None or known.keys() <= self._read:
            return
        encoded = {**self._kept, **{key: msgspec.Raw(msgspec.msgpack.encode(facts)) for key, facts in known.items()}}
        if len(encoded) > 2 * len(known) + 10_000:
            encoded = {key: encoded[key] for key in known}
        draft = self._path.with_suffix(f".{os.getpid()}")
        try:
            make(self._folder)
            draft.write_bytes(msgspec.msgpack.encode(encoded))
            draft.replace(self._path)
        except OSError:
            draft.unlink(missing_ok=True)


def make(folder: Path) -> None:
    """Make a cache folder that version control and backups leave alone."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    (folder / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")


def _version(config: Config) -> str:
    """Name what facts depend on besides the file: the settings, the grammar, the code of the rules."""
    digest = hashlib.blake2b(msgspec.msgpack.encode(config), digest_size=12)
    digest.update(f"{__version__} {sys.version}".encode())
    here = Path(__file__).parent
    for file in sorted([*here.glob("*.py"), *here.glob("rules/*.py")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()
