#!/usr/bin/env python3
"""Checks a C2SP tlog-proof of one entry from two files and a key, with nothing of ours but verify_full.py beside it.

    python3 docs/verify_proof.py 7.tlog-proof --key "$(cat billing.vkey)"

The entry is expected in FILE.entry. The key may be the trail's first one: the proof carries the rotations that lead
from it to the key that signed. Needs the package `cryptography`. Exit codes: 0 proven, 1 not, 2 could not look, 3 unproven."""
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

def leaf_of(line, proof):
    """The entry and its leaf hash, if the line is the entry that the proof is for."""
    line = line.removesuffix(b"\n")
    entry = parse_entry(line)
    leaf = sha(b"\0" + line[:-75] + b"}")
    if entry["hash"] != leaf.hex():
        raise Wrong("the entry was changed: its hash is not that of its bytes")
    if entry["seq"] != proof.index:
        raise Wrong(f"the proof is for entry {proof.index}, and this is entry {entry['seq']}")
    if not proof.leads_to_root(leaf):
        raise Wrong("the entry is not in the tree")
    return entry

def check(proof, line, key):
    """The key that signed, found from the one given."""
    leaf_of(line, proof)
    after, retired = 0, []
    for step in json.loads(proof.extra).get("key_history", []):
        rotation = Proof(step["proof"].encode())
        entry = leaf_of(step["entry"].encode(), rotation)
        if not rotation.checkpoint.signed_by(key):
            if retired:
                raise Wrong("a rotation is not signed by the key before it")
            continue                                 # the key that was given is of a later epoch
        if entry["event_type"] != "audit.key_rotated" or rotation.index + 1 != rotation.checkpoint.size or rotation.checkpoint.size <= after:
            raise Wrong("a step of the key history is no rotation in its place")
        new = Key(entry["details"]["new_key"])
        if new.name != key.name:
            raise Wrong("a rotation names a key of another log")
        after = rotation.checkpoint.size
        retired.append(key)
        key = new
    if proof.checkpoint.signed_by(key):
        if proof.checkpoint.size <= after:
            raise Wrong("the key is not in force at that size")
        return key
    if any(proof.checkpoint.signed_by(old) for old in retired):
        raise Wrong("signed by a key that was retired by then")
    if any(name == key.name and blob[:4] == key.id for name, blob in proof.checkpoint.signatures):
        raise Wrong("the signature is forged")
    return None

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
    if signer is None:
        print("UNPROVEN: signed by another key, and nothing in the proof leads to it from this one")
        return 3
    print(f"proven: entry {proof.index} of {proof.checkpoint.size} of {signer.name}, signed by {signer.id.hex()}")
    return 0

if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        print(f"verify_proof.py: {error}", file=sys.stderr)
        sys.exit(2)
