#!/usr/bin/env python3
"""Verifies a whole audit trail: python3 verify_full.py DIR [--key VKEY] [--checkpoint FILE]...

An independent implementation of docs/format.md, section 10: entries, chain, tree, checkpoints, key
rotations, reference checkpoints and the files beside the segments. Needs the package `cryptography`; keeps
the tree in memory. Prints one JSON object with `verdict` and `findings`. Exit code 0 proven, 1 violated, 3 unproven."""
import argparse, base64, hashlib, json, pathlib, re, sys
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
    context = entry.get("context", {})
    if any(n in context and not re.fullmatch("[0-9a-f]{%d}" % size, context[n]) for n, size in (("trace_id", 32), ("span_id", 16))):
        raise ValueError("context")
    if type(entry["seq"]) is not int or entry.get("critical", True) is not True or not text.startswith('{"seq":%d,' % entry["seq"]):
        raise ValueError("seq or critical")
    check_strings(entry)
    return entry

sha = lambda data: hashlib.sha256(data).digest()

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
        self.public = Ed25519PublicKey.from_public_bytes(raw[1:])

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

def order(path):
    date, n = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:-(\d+))?\.audit", path.name).groups()
    return date, int(n or 0)

def main():
    args = argparse.ArgumentParser()
    args.add_argument("dir", type=pathlib.Path)
    args.add_argument("--key")
    args.add_argument("--checkpoint", type=pathlib.Path, action="append", default=[])
    args = args.parse_args()
    found = []
    find = lambda kind, where="", **more: found.append({"kind": kind, "where": str(where), **more})

    # 1. The checkpoint first, then the files beside the segments, then the segments.
    heads = {name: read_note(args.dir / name) for name in ("checkpoint", "witnessed") if (args.dir / name).exists()}
    references = [(path, Note(path.read_bytes())) for path in args.checkpoint]
    try:
        info = json.loads((args.dir / "trail.json").read_bytes())
    except (OSError, ValueError):
        info = {}
        find("trail_mismatch", "trail.json")
    key = Key(args.key or info.get("initial_key", ""))
    tree, roots, broken = Tree(), {0: sha(b"")}, False
    keys, epoch, pending, sealed_key = [(0, key)], 0, None, key      # (first size, key)
    seq, head, first, entries, deleted, facts = 0, "0" * 64, None, 0, {}, {}
    unreadable = 0                          # lines since the last entry, each of which may have been one
    for segment in sorted(args.dir.glob("*.audit"), key=order):
        data = segment.read_bytes()
        digest = segment.with_name(segment.name + ".sha256")
        facts[segment.name] = fact = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data), "event_count": 0}
        if digest.exists() and digest.read_text() != f"{fact['sha256']}  {segment.name}\n":
            find("segment_changed", segment.name)
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
            fact["last_hash"] = entry["hash"]
            if first is None:
                first = entry
                if entry["seq"] > 0:
                    seq, head, broken = entry["seq"], entry["prev_hash"], True
                    if not args.key:            # the way from the first key to this one is gone
                        key, keys = None, [(0, None)]
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
            if kind == "audit.epoch_sealed":
                try:
                    if key is None:
                        pending = None
                        continue
                    note = Note(("\n".join(details["checkpoint"]) + "\n").encode())
                    ok = (pending["epoch"] == epoch + 1 == details["epoch"] + 1 and note.size == seq - 1
                          and note.signed_by(key) and (broken or roots[note.size] == note.root))
                    new = Key(pending["new_key"])
                    ok = ok and new.name == key.name
                except (TypeError, KeyError, ValueError, AttributeError):
                    ok = False
                if ok:
                    key, epoch = new, epoch + 1
                    keys.append((seq, key))
                else:
                    find("key_rotation_invalid", where)
            elif pending is not None:
                find("key_rotation_invalid", where)
            pending = details if kind == "audit.key_rotated" else None
            if kind.startswith("audit.") and kind[6:] in NOTICES:
                find(kind[6:], where)
            if kind == "audit.retention_applied":
                deleted.update({s["filename"]: s["last_seq"] for s in details.get("segments", [])})
        if torn:
            find("malformed_entry", f"{segment.name}: its last line has no end")
            broken, unreadable = True, unreadable + 1
    pruned = first is not None and first["seq"] - 1 in deleted.values()
    if first is not None and first["seq"] > 0 and not pruned:
        find("sequence_gap", "first entry")

    # 4. and 5. Signed heads against the tree.
    proven = fresh = False
    if entries and "checkpoint" not in heads:
        find("checkpoint_missing")
    for name, note in heads.items():
        if note is None:
            find("checkpoint_malformed", name)
            continue
        if note.size > seq:
            find("truncated", name)
        in_force = [key for since, key in keys if since <= note.size][-1]
        if in_force is None and pruned:
            continue
        if in_force is None or not note.signed_by(in_force):
            find("signature_invalid", name)
        elif note.size in roots and roots[note.size] != note.root:
            find("root_mismatch", name)
        elif name == "checkpoint" and note.size in roots:
            proven = True
            if seq > note.size:
                find("unsigned_tail", count=seq - note.size)
    for path, note in references:
        if key and note.origin != key.name or note.size in roots and roots[note.size] != note.root:
            find("fork", path)
        elif note.size > seq:
            find("rollback", path)
        elif note.size in roots:
            fresh = True
    if not fresh:
        find("freshness_unknown")
    if not args.key and any(heads.values()):
        find("self_asserted_key")

    # 6. The files beside the segments.
    if first is not None and info and first["seq"] == 0:
        said = {"service_id": first["service_id"], **first.get("details", {})}
        if any(said.get(name) != info.get(name) for name in ("format", "trail_id", "origin", "initial_key", "service_id")):
            find("trail_mismatch", "trail.json")
    stored = args.dir / "tree.hashes"
    if stored.exists() and not broken:
        data = stored.read_bytes()
        whole, ours = data[:len(data) // 32 * 32], b"".join(tree.stored)
        if not ours.startswith(whole):
            find("tree_mismatch", "tree.hashes")
    manifest = args.dir / "manifest.json"
    if manifest.exists():
        try:
            rows = {row["filename"]: row for row in json.loads(manifest.read_bytes())["files"]}
        except (ValueError, KeyError, TypeError):
            rows = {}
            find("manifest_mismatch", "manifest.json")
        for name in {*rows, *(path.name[:-7] for path in args.dir.glob("*.audit.sha256"))} - set(facts) - set(deleted):
            find("segment_missing", name)
        for name in set(rows) & set(facts):
            row, fact = rows[name], facts[name]
            if row["closed_at"] and any(row.get(m) not in (None, fact.get(m)) for m in fact) or row["event_count"] > fact["event_count"]:
                find("manifest_mismatch", name)
    notices = NOTICES | {"unsigned_tail", "self_asserted_key", "freshness_unknown"}
    violated = any(finding["kind"] not in notices for finding in found)
    verdict = "violated" if violated else "proven" if proven else "unproven"
    print(json.dumps({"verdict": verdict, "entries": entries, "findings": found}))
    return {"proven": 0, "violated": 1, "unproven": 3}[verdict]

if __name__ == "__main__":
    sys.exit(main())
