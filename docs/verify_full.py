#!/usr/bin/env python3
"""Verifies a whole audit trail: python3 verify_full.py DIR [--key VKEY] [--checkpoint FILE]...

An independent implementation of docs/format.md, section 10: entries, chain, tree, checkpoints, key
rotations, reference checkpoints and the files beside the segments. Needs the package `cryptography`; keeps
the tree in memory. Archived segments (.zst) need the package `zstandard` or the program `zstd`. Prints one JSON object
with `verdict` and `findings`. Exit code 0 proven, 1 violated, 2 could not look, 3 unproven."""
import argparse, base64, hashlib, json, pathlib, re, subprocess, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NOTICES = {"recovered", "events_dropped", "clock_stepped", "retention_applied"}
FORBIDDEN = re.compile(
    "[\0-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u200b\u2060-\u2064\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ufdd0-\ufdef" + "".join(chr(p * 65536 + n) for p in range(17) for n in (65534, 65535)) + "\ud800-\udfff]")
ORDER = ["seq", "audit_id", "timestamp", "service_id", "event_type", "critical", "actor", "resource", "result", "reason",
         "context", "details", "prev_hash", "hash"]
OPTIONAL = {"critical", "actor", "resource", "reason", "context", "details"}
PARTS = {"actor": ["user_id", "ip", "auth_method", "session_id"], "resource": ["resource_type", "resource_id", "parent_id"],
         "context": ["trace_id", "span_id", "request_id"]}
FORMS = {"audit_id": r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
         "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", "event_type": r"(?=.{1,128}$)[a-z0-9_]+(\.[a-z0-9_]+)+",
         "result": "success|failure|partial", "prev_hash": "[0-9a-f]{64}", "hash": "[0-9a-f]{64}"}

def no_repeats(pairs):
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a member is repeated")
    return dict(pairs)

def check_strings(value, depth=0):
    if isinstance(value, str):
        if FORBIDDEN.search(value):
            raise ValueError("a forbidden character")
    elif isinstance(value, (dict, list)):
        if depth > 32:
            raise ValueError("nested too deep")
        for part in value if isinstance(value, list) else [*value, *value.values()]:
            check_strings(part, depth + 1)

def tokens_are_tight(text):                 # no white space outside strings
    return not re.search(r"\s", re.sub(r'"(?:[^"\\]|\\.)*"', '""', text))

def parse_entry(line):
    text = line.decode("utf-8")
    entry = json.loads(text, object_pairs_hook=no_repeats, parse_constant=lambda name: 1 / 0)
    if not isinstance(entry, dict) or len(line) - 74 > 65535 or not tokens_are_tight(text):
        raise ValueError("not one tight object of the right size")
    names = list(entry)
    if names != [n for n in ORDER if n in entry] or not set(ORDER) - OPTIONAL <= set(names):
        raise ValueError("members missing, unknown or out of order")
    for name, form in FORMS.items():
        if not isinstance(entry[name], str) or not re.fullmatch(form, entry[name]):
            raise ValueError(name)
    for name, parts in PARTS.items():
        part = entry.get(name)
        if part is not None and (list(part) != [n for n in parts if n in part] or not part):
            raise ValueError(name)
    if entry.get("details") == {} or not isinstance(entry.get("details", {}), dict):
        raise ValueError("details")
    context = entry.get("context", {})
    if any(n in context and not re.fullmatch("[0-9a-f]{%d}" % size, context[n]) for n, size in (("trace_id", 32), ("span_id", 16))):
        raise ValueError("context")
    if type(entry["seq"]) is not int or entry.get("critical", True) is not True or not text.startswith('{"seq":%d,' % entry["seq"]):
        raise ValueError("seq or critical")
    check_strings(entry)
    return entry

sha = lambda data: hashlib.sha256(data).digest()
is_number = lambda value: type(value) is int and 0 <= value < 1 << 64

class Tree:
    """The perfect subtrees from the left, and the hashes in the order of tree.hashes."""
    def __init__(self):
        self.size, self.stack, self.stored = 0, [], []
    def push(self, leaf):
        level, position, self.size = 0, self.size, self.size + 1
        self.stored.append(leaf)
        while position >> level & 1:
            leaf = sha(b"\1" + self.stack.pop() + leaf)
            self.stored.append(leaf)
            level += 1
        self.stack.append(leaf)
    def root(self):
        if not self.stack:
            return sha(b"")
        root = self.stack[-1]
        for left in reversed(self.stack[:-1]):
            root = sha(b"\1" + left + root)
        return root

class Key:
    def __init__(self, vkey):
        self.name, key_id, data = vkey.split("+", 2)
        raw = base64.b64decode(data, validate=True)
        self.id = sha(self.name.encode() + b"\n" + raw)[:4]
        if self.id.hex() != key_id or len(raw) != 33 or raw[0] != 1:
            raise ValueError("not a vkey")
        self.raw, self.public = raw, Ed25519PublicKey.from_public_bytes(raw[1:])

class Note:
    def __init__(self, data):
        text = data.decode("utf-8")
        cut = text.rindex("\n\n") + 1
        self.text, lines = text[:cut], text[cut + 1:]
        self.origin, size, root = self.text.split("\n")[:3]
        if re.search("[\0-\x09\x0b-\x1f]", text) or not lines.endswith("\n") or not re.fullmatch("0|[1-9][0-9]*", size):
            raise ValueError("not a checkpoint")
        self.size, self.root = int(size), base64.b64decode(root, validate=True)
        self.signatures = [re.fullmatch("\u2014 (\\S+) (\\S+)", line).groups() for line in lines[:-1].split("\n")]
        self.signatures = [(name, base64.b64decode(blob, validate=True)) for name, blob in self.signatures]
    def names(self, key):
        return any(name == key.name and blob[:4] == key.id for name, blob in self.signatures)
    def signed_by(self, key):
        mine = [blob[4:] for name, blob in self.signatures if name == key.name and blob[:4] == key.id]
        try:
            for signature in mine:
                key.public.verify(signature, self.text.encode())
        except InvalidSignature:
            return False
        return bool(mine) and self.origin == key.name

def read_note(path):
    try:
        return Note(path.read_bytes())
    except (ValueError, AttributeError):
        return None

SEGMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:-([1-9]\d*))?\.audit")

def order(name):
    date, n = SEGMENT.fullmatch(name).groups()
    return date, int(n or 0)

def unpack(packed):
    """What an archive unpacks to; None if it does not."""
    try:
        import zstandard
        return zstandard.ZstdDecompressor().stream_reader(packed.open("rb"), read_across_frames=True).read()
    except ImportError:
        done = subprocess.run(["zstd", "-dcq", str(packed)], stdout=subprocess.PIPE)
        return done.stdout if done.returncode == 0 else None
    except zstandard.ZstdError:
        return None

def read_segment(path):
    """The bytes of a segment, archived or not; None if its archive does not unpack."""
    return path.read_bytes() if path.exists() else unpack(path.with_name(path.name + ".zst"))

def stored_index(level, n):                 # as golang.org/x/mod/sumdb/tlog.StoredHashIndex
    for _ in range(level):
        n = 2 * n + 1
    index = level
    while n:
        index, n = index + n, n >> 1
    return index

def front_subtrees(stored, size):
    """The perfect subtrees of the first `size` leaves, from tree.hashes: the signed root proves them."""
    subtrees, begin = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            at = 32 * stored_index(level, begin >> level)
            subtrees.append(stored[at:at + 32])
            begin += 1 << level
    return subtrees if all(len(hash) == 32 for hash in subtrees) else None

def known_before(stored, size, front, root):
    """The root of the first `size` entries that were deleted, if tree.hashes leads from it to `root`, that of all `front` of them."""
    subtrees = front_subtrees(stored, size)
    if subtrees is None:
        return None
    old, tree = Tree(), [(level, hash) for level, hash in zip((l for l in reversed(range(64)) if size >> l & 1), subtrees)]
    old.stack, at = subtrees, size
    while at < front:                       # the perfect subtrees between the two, each as large as fits
        level = max(l for l in range(64) if at % (1 << l) == 0 and at + (1 << l) <= front)
        index = 32 * stored_index(level, at >> level)
        tree, at = [*tree, (level, stored[index:index + 32])], at + (1 << level)
        while len(tree) > 1 and tree[-1][0] == tree[-2][0]:
            (level, left), (_, right) = tree[-2:]
            tree[-2:] = [(level + 1, sha(b"\1" + left + right))]
    new = Tree()
    new.stack = [hash for _, hash in tree]
    return old.root() if new.root() == root else None

def counting(claims):
    """What entries claim, as far as it counts: what was unsigned when the trail was opened next is void, and makes nothing void."""
    void_from, count = float("inf"), []
    for at, kind, details in reversed(claims):
        if at >= void_from:
            continue
        if kind == "audit.recovered":
            signed = details.get("signed")
            void_from = signed if is_number(signed) and signed <= at else void_from
        else:
            count.append((at, details))
    return count[::-1]

def deletion(details):
    """What an audit.retention_applied deletes and says of the front: nothing, if it is not of its form."""
    segments, front = details.get("segments"), details.get("front")
    named = isinstance(segments, list) and all(
        isinstance(row, dict) and isinstance(row.get("filename"), str) and is_number(row.get("last_seq")) for row in segments)
    begun = front is None or isinstance(front, dict) and is_number(front.get("seq")) and isinstance(front.get("key", ""), (str, type(None)))
    return (segments, front or {}) if named and begun else ([], {})

def parse_key(vkey):
    try:
        return Key(vkey)
    except (ValueError, TypeError, AttributeError):
        return None

def announced(details):
    """What an audit.key_rotated says; None if it is not of its form."""
    return details if is_number(details.get("epoch")) and isinstance(details.get("new_key"), str) else None

def sealed(pending, details, epoch, key):
    """What an audit.epoch_sealed says: its note and the new key; None if that cannot be so, whoever signed."""
    lines = details.get("checkpoint")
    if pending is None or not is_number(details.get("epoch")) or not isinstance(lines, list) or not all(isinstance(l, str) for l in lines):
        return None
    new = parse_key(pending["new_key"])
    try:
        note = Note(("\n".join(lines) + "\n").encode())
    except (ValueError, AttributeError):
        return None
    follows = pending["epoch"] == details["epoch"] + 1 and epoch in (None, details["epoch"])
    return (note, new) if follows and new and (key is None or new.name == key.name) else None

def front_said(directory, names, front, signed):
    """What the trail says of its front: the perfect subtrees before the first entry, by the newest entry that counts, and the
    key in force there, by the oldest, or by the first change of keys."""
    claims, changes, pending = [], [], None
    for name in names:
        for line in (read_segment(directory / name) or b"").split(b"\n"):
            if re.search(rb'"event_type":"audit.(retention_applied|recovered|key_rotated|epoch_sealed)"', line):
                try:
                    entry = parse_entry(line)
                except (ValueError, ZeroDivisionError, TypeError, RecursionError, AttributeError):
                    continue
                seq, kind, details = entry["seq"], entry["event_type"], entry.get("details", {})
                if seq >= signed:
                    continue
                if kind == "audit.recovered":
                    changes.append((seq, kind, details))
                elif kind == "audit.epoch_sealed":
                    said = sealed(pending[1] if pending and pending[0] + 1 == seq else None, details, None, None)
                    if said and said[0].size == seq:
                        changes.append((seq, kind, said[1]))
                pending = (seq, announced(details)) if kind == "audit.key_rotated" else None
                if kind in ("audit.retention_applied", "audit.recovered"):
                    claims.append((seq, kind, details))
    trees, keys = [], []
    for _, details in counting(claims):
        said = details.get("front")
        if isinstance(said, dict) and said.get("seq") == front and isinstance(said.get("tree"), list) and len(said["tree"]) <= 64:
            trees.append(said["tree"])
        said = deletion(details)[1]
        keys.append(parse_key(said.get("key")) if said.get("seq") == front else None)
    trees = [tree for tree in trees if all(isinstance(hash, str) and re.fullmatch("[0-9a-f]{64}", hash) for hash in tree)]
    keys = [key for key in keys if key] + [key for _, key in counting(changes)]
    subtrees = [bytes.fromhex(hash) for hash in trees[-1]] if trees and len(trees[-1]) == bin(front).count("1") else None
    return subtrees, keys[0] if keys else None

def first_key(args, info, find):
    if args.key:
        return Key(args.key)
    try:
        return Key(info["initial_key"])
    except (KeyError, ValueError, AttributeError, TypeError):
        find("trail_mismatch", "trail.json: initial_key")
        return None

def main():
    args = argparse.ArgumentParser()
    args.add_argument("dir", type=pathlib.Path)
    args.add_argument("--key")
    args.add_argument("--checkpoint", type=pathlib.Path, action="append", default=[])
    args = args.parse_args()
    names = {p.name.removesuffix(".zst") for p in args.dir.glob("*.audit*") if SEGMENT.fullmatch(p.name.removesuffix(".zst"))}
    if not names and not (args.dir / "trail.json").exists():
        raise OSError(f"{args.dir} is not an audit trail; give the directory that holds trail.json and the .audit files")
    found = []
    find = lambda kind, where="", **more: found.append({"kind": kind, "where": str(where), **more})

    # 1. The checkpoint first, then the files beside the segments, then the segments.
    heads = {name: read_note(args.dir / name) for name in ("checkpoint", "witnessed") if (args.dir / name).exists()}
    signed = heads["checkpoint"].size if heads.get("checkpoint") else 0
    references = [(path, Note(path.read_bytes())) for path in args.checkpoint]
    try:
        info = json.loads((args.dir / "trail.json").read_bytes())
    except (OSError, ValueError):
        info = {}
        find("trail_mismatch", "trail.json")
    stored = (args.dir / "tree.hashes").read_bytes() if (args.dir / "tree.hashes").exists() else b""
    key = first_key(args, info, find)
    tree, roots, broken = Tree(), {0: sha(b"")}, False
    keys, epoch, pending = [(0, key, 0)], 0, None       # (first size, key, epoch)
    headless = False                        # the tree before the first entry is not known
    claims = []                             # what was deleted, and which claims of it a recovery made void
    doubts, elsewhere = [], []              # changes of keys that fail, and those that another key signed, since the given one was named
    in_force_shown = False                  # the given key signed: what another key signed was wrong
    seq, head, first, entries, deleted, facts = 0, "0" * 64, None, 0, set(), {}
    before = {0: sha(b"")}                  # roots of what was deleted
    unreadable, torn_tail = 0, None         # lines since the last entry, each of which may have been one
    for name in sorted(names, key=order):
        segment = args.dir / name
        data = read_segment(segment)
        if data is None:
            find("segment_changed", f"{name}.zst: does not unpack")
            data = b""
        digest = segment.with_name(segment.name + ".sha256")
        facts[segment.name] = fact = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data), "event_count": 0}
        if digest.exists() and digest.read_text() != f"{fact['sha256']}  {segment.name}\n":
            find("segment_changed", segment.name)
        packed = segment.with_name(segment.name + ".zst")
        if segment.exists() and packed.exists() and unpack(packed) != data:
            find("segment_changed", packed.name)
        lines = data.split(b"\n")
        torn = lines.pop()
        for number, line in enumerate(lines, 1):
            where = f"{segment.name}:{number}"
            # 2. Grammar, hash, seq, prev_hash.
            try:
                entry = parse_entry(line)
            except (ValueError, ZeroDivisionError, TypeError, RecursionError, AttributeError):
                find("malformed_entry", where)
                broken, unreadable = True, unreadable + 1
                continue
            entries, leaf = entries + 1, sha(b"\0" + line[:-75] + b"}")
            fact["event_count"] += 1
            fact.setdefault("first_seq", entry["seq"])
            fact.setdefault("first_prev_hash", entry["prev_hash"])
            fact.setdefault("first_audit_id", entry["audit_id"])
            fact["last_hash"], fact["last_audit_id"] = entry["hash"], entry["audit_id"]
            if first is None:
                first = entry
                if entry["seq"] > 0:
                    seq, head, epoch = entry["seq"], entry["prev_hash"], None
                    subtrees, key_said = front_subtrees(stored, seq), None
                    if subtrees is None or not args.key:
                        tree_said, key_said = front_said(args.dir, sorted(names, key=order), seq, signed)
                        subtrees = subtrees or tree_said
                    broken = headless = subtrees is None
                    tree.size, tree.stack, tree.stored = seq, subtrees, []
                    roots = {} if broken else {seq: tree.root()}
                    for size in {note.size for note in [*heads.values(), *(note for _, note in references)] if note and 0 < note.size < seq}:
                        known = None if broken else known_before(stored, size, seq, roots[seq])
                        before.update({size: known} if known else {})
                    leaf_before = stored[32 * stored_index(0, seq - 1):][:32]
                    if leaf_before and leaf_before.hex() != head:
                        find("tree_mismatch", "tree.hashes: the leaf before the first entry")
                        broken = True
                    key = key if args.key else key_said     # the way from the first key to this one is gone
                    keys = [(0, key, None)]
            if leaf.hex() != entry["hash"] or not line.endswith(b',"hash":"%s"}' % entry["hash"].encode()):
                find("hash_mismatch", where)
            if unreadable and entry["seq"] == seq + unreadable:
                seq, head = entry["seq"], entry["prev_hash"]
            unreadable = 0
            if entry["seq"] != seq:
                find("sequence_repeat" if entry["seq"] < seq else "sequence_gap", where)
            if entry["prev_hash"] != head:
                find("chain_break", where)
            if entry["seq"] < seq:
                continue
            broken |= entry["seq"] != tree.size
            seq, head = entry["seq"] + 1, entry["hash"]
            if not broken:
                tree.push(leaf)
                roots[tree.size] = tree.root()
            # 3. Rotations.
            kind, details = entry["event_type"], entry.get("details", {})
            doubt = (entry["seq"], kind, where)
            if kind == "audit.epoch_sealed" and (pending is None or key is not None):
                said = sealed(pending, details, epoch, key)
                note, new = said or (None, None)
                if said and epoch is None and note.origin == key.name and not note.names(key):
                    # Signed by another key: so it should be, as long as nothing names the given one, or shows it in force.
                    elsewhere = [] if new.raw == key.raw else [*elsewhere, doubt]
                elif said and note.signed_by(key) and note.size == seq - 1 and (broken or roots[note.size] == note.root):
                    key, epoch, in_force_shown = new, pending["epoch"], True
                    keys.append((seq, key, epoch))
                else:
                    doubts.append(doubt)
            elif kind not in ("audit.epoch_sealed", "audit.recovered") and pending is not None:
                doubts.append(doubt)            # a crash in a rotation: the next opening gives it up, with audit.recovered
            pending = announced(details) if kind == "audit.key_rotated" else None
            if kind == "audit.key_rotated" and pending is None:
                doubts.append(doubt)
            if kind.startswith("audit.") and kind[6:] in NOTICES:
                find(kind[6:], where)
            if kind in ("audit.retention_applied", "audit.recovered") and (entry["seq"] < signed or not heads.get("checkpoint")):
                claims.append((entry["seq"], kind, details))        # what nobody signed excuses nothing
                doubts += claims[-1:] if kind == "audit.recovered" else []
        if torn and (name != max(names, key=order) or digest.exists() or not segment.exists()):
            find("malformed_entry", f"{name}: its last line has no end")
            broken, unreadable = True, unreadable + 1
        elif torn:
            torn_tail = f"{name}: its last line has no end"
    pruned = False
    for at, details in counting(claims):
        rows = deletion(details)[0]
        deleted.update(row["filename"] for row in rows)
        pruned |= first["seq"] > 0 and any(row["last_seq"] + 1 == first["seq"] <= at for row in rows)
    if first is not None and first["seq"] > 0 and not pruned:
        find("sequence_gap", "first entry")
    if pruned and headless:
        find("front_unproven", "what was deleted is neither in tree.hashes nor in the entry that says so")

    # 4. and 5. Signed heads against the tree.
    proven = fresh = unknown = False
    if entries and "checkpoint" not in heads:
        find("checkpoint_missing")
    for name, note in heads.items():
        if note is None:
            find("checkpoint_malformed", name)
            continue
        if note.size > seq:
            find("truncated", name)
        if first is not None and note.size < first["seq"]:
            if name == "checkpoint":            # entries are deleted only after a checkpoint larger than all of them
                find("rollback", name)
            if before.get(note.size, note.root) != note.root:
                find("root_mismatch", name)
            continue
        in_force, its_epoch = [(key, epoch) for since, key, epoch in keys if since <= note.size][-1]
        if pruned and (in_force is None or its_epoch is None and note.origin == in_force.name and not note.names(in_force)):
            continue
        if in_force is None or not note.signed_by(in_force):
            find("signature_invalid", name)
        elif note.size in roots and roots[note.size] != note.root:
            find("root_mismatch", name)
        elif name == "checkpoint" and note.size in roots:
            proven = True
            if seq > note.size:
                find("unsigned_tail", count=seq - note.size)
    doubts += elsewhere if proven or in_force_shown else []
    for _, where in counting(sorted(doubts, key=lambda doubt: doubt[0])):
        find("key_rotation_invalid", where)
    if torn_tail:                           # a crash may leave it; nothing that was signed may be in it
        find("in_flight" if proven else "malformed_entry", torn_tail)
    for path, note in references:
        if key and note.origin != key.name or {**before, **roots}.get(note.size, note.root) != note.root:
            find("fork", path)
        elif note.size > seq:
            find("rollback", path)
        elif note.size in roots or note.size in before:
            fresh = True
        else:
            find("reference_unproven", path)
            unknown = True
    if not fresh:
        find("freshness_unknown")
    if not args.key and any(heads.values()):
        find("self_asserted_key")

    # 6. The files beside the segments.
    if info and (info.get("format"), info.get("hash")) != ("audit-trail/1", "sha256"):
        find("trail_mismatch", "trail.json: format or hash")
    if first is not None and info and first["seq"] == 0:
        said = {"service_id": first["service_id"], **first.get("details", {})}
        if any(said.get(name) != info.get(name) for name in ("format", "trail_id", "origin", "initial_key", "service_id")):
            find("trail_mismatch", "trail.json")
    if stored and not broken and first is not None:
        begin = stored_index(0, first["seq"])
        ours = b"".join(tree.stored)
        theirs = stored[32 * begin:32 * stored_index(0, min(signed, seq))]
        count = len(stored) // 32
        if not ours.startswith(theirs[:len(theirs) // 32 * 32]) or signed > seq and count > stored_index(0, seq):
            find("tree_mismatch", "tree.hashes")
    manifest = args.dir / "manifest.json"
    if manifest.exists():
        try:
            said = json.loads(manifest.read_bytes())
            rows = {row["filename"]: row for row in said["files"]}
            closed = {name for name, row in rows.items() if row["closed_at"]}
            if any(not SEGMENT.fullmatch(name) for name in rows) or info and said["service_id"] != info.get("service_id"):
                find("manifest_mismatch", "manifest.json")
        except (ValueError, KeyError, TypeError):
            rows, closed = {}, set()
            find("manifest_mismatch", "manifest.json")
        rows = {name: row for name, row in rows.items() if SEGMENT.fullmatch(name)}
        sums = {path.name[:-7] for path in args.dir.glob("*.audit.sha256") if SEGMENT.fullmatch(path.name[:-7])}
        for name in {*rows, *sums} - set(facts) - deleted:
            find("segment_missing", name)
        for name in set(facts) - set(rows):     # a newer one than all that are listed was begun since
            if any(order(name) < order(listed) for listed in rows):
                find("manifest_mismatch", name)
        for name in set(rows) & set(facts):
            row, fact = rows[name], facts[name]
            firsts = ("first_seq", "first_prev_hash", "first_audit_id")
            more = row.get("event_count", 0) > fact["event_count"] or row.get("size_bytes", 0) > fact["size_bytes"] or row.get("sha256")
            wrong = any(row.get(m) not in (None, fact.get(m)) for m in firsts if m in fact)
            if any(row.get(m) != fact[m] for m in fact) if name in closed else more or wrong:
                find("manifest_mismatch", name)
    notices = NOTICES | {"unsigned_tail", "reference_unproven", "front_unproven", "self_asserted_key", "freshness_unknown", "in_flight"}
    violated = any(finding["kind"] not in notices for finding in found)
    verdict = "violated" if violated else "proven" if proven and not unknown else "unproven"
    print(json.dumps({"verdict": verdict, "entries": entries, "findings": found}))
    return {"proven": 0, "violated": 1, "unproven": 3}[verdict]

if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as error:              # whatever it is, it says nothing about the trail
        print(f"verify_full.py: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
