#!/usr/bin/env python3
"""Checks a C2SP tlog-proof of one entry from two files and a key, with nothing of ours but verify_full.py beside it.

    python3 docs/verify_proof.py 7.tlog-proof --key "$(cat billing.vkey)"

The entry is expected in FILE.entry. The key may be the trail's first one: the proof carries the rotations that lead
from it to the key that signed, and that each of these trees extends the one before. A proof that leaves out the newest
rotations cannot be told from one that was made before them. Needs the package `cryptography`. Exit codes: 0 proven, 1 not, 2 could not look, 3 unproven."""
import argparse, base64, json, pathlib, sys
from verify_full import Key, Note, parse_entry, sha

class Wrong(Exception):
    pass

class Proof:
    def __init__(self, data):
        head, note = data.split(b"\n\n", 1)
        lines = head.decode("ascii").split("\n")
        if lines.pop(0) != "c2sp.org/tlog-proof@v1":
            raise Wrong("not a tlog-proof")
        self.extra = base64.b64decode(lines.pop(0)[6:], validate=True) if lines[0].startswith("extra ") else b"{}"
        self.index = int(lines.pop(0).removeprefix("index "))
        self.hashes = [base64.b64decode(line, validate=True) for line in lines]
        self.checkpoint = Note(note)
    def leads_to_root(self, leaf):                   # RFC 9162, section 2.1.3.2
        fn, sn, r = self.index, self.checkpoint.size - 1, leaf
        if fn > sn:
            return False
        for p in self.hashes:
            if sn == 0:
                return False
            if fn & 1 or fn == sn:
                r = sha(b"\1" + p + r)
                while not fn & 1 and fn:
                    fn, sn = fn >> 1, sn >> 1
            else:
                r = sha(b"\1" + r + p)
            fn, sn = fn >> 1, sn >> 1
        return sn == 0 and r == self.checkpoint.root

def extends(old, new, hashes):                       # RFC 9162, section 2.1.4.2, for 0 < old.size < new.size
    hashes = hashes if old.size & (old.size - 1) else [old.root, *hashes]
    if not 0 < old.size < new.size or not hashes:
        return False
    fn, sn = old.size - 1, new.size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = hashes[0]
    for c in hashes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = sha(b"\1" + c + fr), sha(b"\1" + c + sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = sha(b"\1" + sr + c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old.root and sr == new.root

def hash_of(text):
    data = base64.b64decode(text, validate=True)
    if len(data) != 32:
        raise Wrong("not the base64 of a hash")
    return data

def history(extra):
    """The steps of the key history, if that is what the extra data are."""
    try:
        steps = json.loads(extra)["key_history"]
        texts = [text for step in steps for text in (step["entry"], step["proof"], *(step.get("consistency") or []))]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    lists = all(isinstance(step.get("consistency"), (list, type(None))) for step in steps)
    return steps if lists and all(isinstance(text, str) for text in texts) else []

def is_forged(note, key):
    """Whether the note is of another log, or names the key and is not signed by it."""
    names = any(name == key.name and blob[:4] == key.id for name, blob in note.signatures)
    return note.origin != key.name or names and not note.signed_by(key)

def leaf_of(line, proof):
    """The entry and its leaf hash, if the line is the entry that the proof is for."""
    line = line.removesuffix(b"\n")
    entry = parse_entry(line)
    leaf = sha(b"\0" + line[:-75] + b"}")
    if entry["hash"] != leaf.hex():
        raise Wrong("the entry was changed: its hash is not that of its bytes")
    if entry["seq"] != proof.index:
        raise Wrong(f"the proof is for entry {proof.index}, and this is entry {entry['seq']}")
    return entry, leaf

class Unproven(Exception):
    pass

def check(proof, line, key):
    """The key that signed, found from the one given."""
    if not proof.leads_to_root(leaf_of(line, proof)[1]):
        raise Wrong("the entry is not in the tree")
    steps = []
    for step in history(proof.extra):
        hashes = step.get("consistency")
        steps.append((step["entry"].encode(), Proof(step["proof"].encode()), hashes and [hash_of(text) for text in hashes]))
    after, retired, last, untied = 0, [], None, False
    def reach(checkpoint):
        """The next checkpoint: its tree must extend that of the last step, or the past could be another."""
        if last and last[1] is not None and not extends(last[0], checkpoint, last[1]):
            raise Wrong("a tree does not extend the one that the key before signed")
        return untied or last is not None and last[1] is None
    for text, rotation, hashes in steps:
        entry, leaf = leaf_of(text, rotation)
        if is_forged(rotation.checkpoint, key):
            raise Wrong("the signature of a rotation is forged")
        if not rotation.checkpoint.signed_by(key):
            if retired:
                raise Wrong("a rotation is not signed by the key before it")
            continue                                 # the key that was given is of a later epoch
        if not rotation.leads_to_root(leaf):
            raise Wrong("a rotation is not in its tree")
        if entry["event_type"] != "audit.key_rotated" or rotation.index + 1 != rotation.checkpoint.size or rotation.checkpoint.size <= after:
            raise Wrong("a step of the key history is no rotation in its place")
        new = Key(entry["details"]["new_key"])
        if new.name != key.name:
            raise Wrong("a rotation names a key of another log")
        untied = reach(rotation.checkpoint)
        after, last = rotation.checkpoint.size, (rotation.checkpoint, hashes)
        retired.append(key)
        key = new
    if is_forged(proof.checkpoint, key):
        raise Wrong("the signature is forged")
    if not proof.checkpoint.signed_by(key):
        if any(proof.checkpoint.signed_by(old) for old in retired):
            raise Wrong("signed by a key that was retired by then")
        raise Unproven("signed by another key, and nothing in the proof leads to it from this one")
    if proof.checkpoint.size <= after:
        raise Wrong("the key is not in force at that size")
    if reach(proof.checkpoint):
        raise Unproven("nothing says that this tree extends those that the keys before signed")
    return key

def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("proof", type=pathlib.Path)
    args.add_argument("--entry", type=pathlib.Path, help="the entry's line; FILE.entry unless said otherwise")
    args.add_argument("--key", required=True, help="a key of the trail: the one that was pinned")
    args = args.parse_args()
    key = Key(args.key)
    data = args.proof.read_bytes()
    line = (args.entry or args.proof.with_name(args.proof.name + ".entry")).read_bytes()
    try:
        proof = Proof(data)
        signer = check(proof, line, key)
    except (Wrong, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        print(f"NOT PROVEN: {error}")
        return 1
    except Unproven as error:
        print(f"UNPROVEN: {error}")
        return 3
    print(f"proven: entry {proof.index} of {proof.checkpoint.size} of {signer.name}, signed by {signer.id.hex()}")
    return 0

if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        print(f"verify_proof.py: {error}", file=sys.stderr)
        sys.exit(2)
