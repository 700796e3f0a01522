#!/usr/bin/env python3
"""Verifies the hash chain of an audit trail: python3 verify_trail.py DIR. Chain only, not the full grammar."""
import hashlib, json, pathlib, re, sys

def broken(where, why):
    print(f"BROKEN at {where}: {why}")
    sys.exit(1)
def no_repeats(pairs):                      # no member twice, at any depth
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a member is repeated")
    return dict(pairs)
def order(path):                            # by date, then by N as a number
    date, n = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:-(\d+))?\.audit", path.name).groups()
    return date, int(n or 0)

trail = pathlib.Path(sys.argv[1])
count, head = 0, "0" * 64
for segment in sorted(trail.glob("*.audit"), key=order):
    data = segment.read_bytes()
    digest = segment.with_name(segment.name + ".sha256")
    if digest.exists() and digest.read_text().split() != [hashlib.sha256(data).hexdigest(), segment.name]:
        broken(segment.name, "differs from its .sha256")
    lines = data.split(b"\n")
    if lines.pop() != b"":
        broken(f"{segment.name}, last line", "it has no end (harmless only while it is being written)")
    for number, line in enumerate(lines, 1):
        where = f"{segment.name}, line {number}"
        try:
            entry = json.loads(line, object_pairs_hook=no_repeats)
            seq, prev_hash, stated = entry["seq"], entry["prev_hash"], entry["hash"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            broken(where, f"not an entry: {error}")
        if (seq, prev_hash) != (count, head):
            broken(where, f"expected seq {count} after {head}, found seq {seq} after {prev_hash}")
        leaf = line[:-75] + b"}"            # without  ,"hash":"<64 hex>"
        if stated != hashlib.sha256(b"\0" + leaf).hexdigest() or not line.endswith(f',"hash":"{stated}"}}'.encode()):
            broken(where, "hash is not the hash of these bytes")
        count, head = count + 1, stated
print(f"{count} entries, head {head}")
sys.exit(0 if count else "no entries: nothing was verified")
