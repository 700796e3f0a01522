//! The tree against a naive one, against Certificate Transparency's vectors and against Cloudflare's
//! `tlog_tiles`, which was written independently of this code.

use std::convert::Infallible;

use proptest::prelude::*;
use tlog_tiles::tlog as oracle;

use super::*;

/// Trees up to this size are tested exhaustively: beyond one full tile.
const ALL: u64 = 260;

/// RFC 6962 section 2.1, word for word.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node_hash(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

/// RFC 6962 section 2.1.1, word for word.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut below, sibling) =
        if m < k { (path(m, left), mth(right)) } else { (path(m - k, right), mth(left)) };
    below.push(sibling);
    below
}

/// RFC 6962 section 2.1.2, word for word.
fn subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut below, sibling) = if m <= k {
        (subproof(m, left, whole), mth(right))
    } else {
        (subproof(m - k, right, false), mth(left))
    };
    below.push(sibling);
    below
}

fn leaf(n: u64) -> Hash {
    leaf_hash(&n.to_be_bytes())
}

/// The leaves and stored hashes of a tree.
fn build(size: u64) -> (Vec<Hash>, Vec<Hash>) {
    let leaves: Vec<Hash> = (0..size).map(leaf).collect();
    let mut stored = Vec::new();
    let mut frontier = Frontier::new();
    for leaf in &leaves {
        frontier.push_with(*leaf, |hash| stored.push(hash));
    }
    assert_eq!(frontier.root(), mth(&leaves));
    (leaves, stored)
}

fn reader(stored: &[Hash]) -> impl FnMut(u64) -> Result<Hash, Infallible> {
    move |index| Ok(stored[usize::try_from(index).unwrap()])
}

/// A perfect tree of equal leaves: one hash for each level, so a tree of any size can be read.
fn sparse() -> (Vec<Hash>, impl Fn(u64) -> Result<Hash, Infallible>) {
    let mut levels = vec![leaf(0)];
    for level in 0..63 {
        levels.push(node_hash(&levels[level], &levels[level]));
    }
    let copy = levels.clone();
    (copy, move |index| Ok(levels[usize::from(split_stored_hash_index(index).0)]))
}

struct Stored<'a>(&'a [Hash]);

impl oracle::HashReader for Stored<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<oracle::Hash>, oracle::Error> {
        Ok(indexes.iter().map(|i| oracle::Hash(self.0[usize::try_from(*i).unwrap()].0)).collect())
    }
}

#[test]
fn the_vectors_of_certificate_transparency() {
    // The eight leaves and roots of the reference implementation's `merkle_tree_test`.
    let leaves = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root().to_string(), roots[0]);
    for (leaf, root) in leaves.iter().zip(&roots[1..]) {
        let bytes: Vec<u8> = (0..leaf.len() / 2)
            .map(|i| u8::from_str_radix(&leaf[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        frontier.push(leaf_hash(&bytes));
        assert_eq!(frontier.root().to_string(), *root);
    }
}

#[test]
fn stored_hashes_stand_where_go_puts_them() {
    let mut next = 0;
    for n in 0..5000 {
        assert_eq!(stored_hash_count(n), next);
        for level in 0..=u8::try_from(u64::from((n + 1).trailing_zeros())).unwrap() {
            assert_eq!(stored_hash_index(level, n >> level), next);
            assert_eq!(oracle::stored_hash_index(level, n >> level), next);
            assert_eq!(split_stored_hash_index(next), (level, n >> level));
            next += 1;
        }
    }
    assert_eq!(stored_hash_count(MAX_SIZE), i64::MAX as u64);
    for (level, n) in [(0, u64::MAX), (64, u64::MAX), (255, 7), (64, 0), (63, 1)] {
        assert_eq!(stored_hash_index(level, n), u64::MAX);
    }
}

#[test]
fn every_root_and_frontier_up_to_260() {
    let (leaves, stored) = build(ALL);
    assert_eq!(stored.len() as u64, stored_hash_count(ALL));
    let mut grown = Frontier::new();
    for size in 0..=ALL {
        let expected = mth(&leaves[..usize::try_from(size).unwrap()]);
        assert_eq!(root_at(size, reader(&stored)).unwrap(), expected);
        if size > 0 {
            assert_eq!(oracle::tree_hash(size, &Stored(&stored)).unwrap().0, expected.0);
        }
        let read = Frontier::from_stored(size, reader(&stored)).unwrap();
        assert_eq!(read, grown);
        assert_eq!(Frontier::from_subtrees(size, grown.subtrees()).unwrap(), grown);
        assert_eq!((grown.size(), grown.root()), (size, expected));
        grown.push(leaf(size));
    }
}

#[test]
fn every_inclusion_proof_up_to_260() {
    let (leaves, stored) = build(ALL);
    for size in 1..=ALL {
        let root = root_at(size, reader(&stored)).unwrap();
        // The naive proof is slow: at all sizes for three leaves, at some sizes for all.
        let every = size < 70 || (250..=ALL).contains(&size);
        for index in (0..size).filter(|i| every || [0, size / 2, size - 1].contains(i)) {
            let proof = inclusion_proof(index, size, reader(&stored)).unwrap();
            let i = usize::try_from(index).unwrap();
            assert_eq!(proof, path(i, &leaves[..usize::try_from(size).unwrap()]));
            verify_inclusion(&leaves[i], index, size, &root, &proof).unwrap();
            let theirs = oracle::prove_record(size, index, &Stored(&stored)).unwrap();
            assert!(theirs.iter().map(|h| h.0).eq(proof.iter().map(|h| h.0)));
            oracle::check_record(
                &theirs,
                size,
                oracle::Hash(root.0),
                index,
                oracle::Hash(leaves[i].0),
            )
            .unwrap();
        }
    }
}

#[test]
fn every_inclusion_proof_fails_for_anything_else() {
    let (leaves, stored) = build(40);
    for size in 1..=40u64 {
        let root = root_at(size, reader(&stored)).unwrap();
        for index in 0..size {
            let leaf = &leaves[usize::try_from(index).unwrap()];
            let proof = inclusion_proof(index, size, reader(&stored)).unwrap();
            for other in (0..=size + 1).filter(|other| *other != index) {
                assert!(verify_inclusion(leaf, other, size, &root, &proof).is_err());
            }
            assert!(verify_inclusion(&empty_root(), index, size, &root, &proof).is_err());
            assert!(verify_inclusion(leaf, index, size, &empty_root(), &proof).is_err());
            for i in 0..proof.len() {
                let mut bad = proof.clone();
                bad[i].0[i % 32] ^= 1;
                assert!(matches!(
                    verify_inclusion(leaf, index, size, &root, &bad),
                    Err(TreeError::Root { which: WhichRoot::Tree, .. })
                ));
                bad.remove(i);
                assert!(matches!(
                    verify_inclusion(leaf, index, size, &root, &bad),
                    Err(TreeError::Length { .. })
                ));
            }
            let mut long = proof.clone();
            long.push(root);
            assert!(verify_inclusion(leaf, index, size, &root, &long).is_err());
        }
    }
}

#[test]
fn every_consistency_proof_up_to_260() {
    let (leaves, stored) = build(ALL);
    let roots: Vec<Hash> = (0..=ALL).map(|n| root_at(n, reader(&stored)).unwrap()).collect();
    let root = |n: u64| &roots[usize::try_from(n).unwrap()];
    for new in 0..=ALL {
        for old in 0..=new {
            let proof = consistency_proof(old, new, reader(&stored)).unwrap();
            verify_consistency(old, root(old), new, root(new), &proof).unwrap();
            if old == 0 {
                assert_eq!(proof, []);
                continue;
            }
            if new < 70 || new > 250 && old % 7 == 0 {
                let all = &leaves[..usize::try_from(new).unwrap()];
                assert_eq!(proof, subproof(usize::try_from(old).unwrap(), all, true));
            }
            let theirs = oracle::prove_tree(new, old, &Stored(&stored)).unwrap();
            assert!(theirs.iter().map(|h| h.0).eq(proof.iter().map(|h| h.0)), "{old} {new}");
        }
    }
}

#[test]
fn every_consistency_proof_fails_for_anything_else() {
    let (_, stored) = build(40);
    let roots: Vec<Hash> = (0..=40).map(|n| root_at(n, reader(&stored)).unwrap()).collect();
    let strange = leaf(1000);
    for new in 0..=40usize {
        for old in 0..=new {
            let (m, n) = (old as u64, new as u64);
            let (then, now) = (&roots[old], &roots[new]);
            let proof = consistency_proof(m, n, reader(&stored)).unwrap();
            assert!(verify_consistency(m, &strange, n, now, &proof).is_err());
            if old != 0 {
                assert!(verify_consistency(m, then, n, &strange, &proof).is_err());
            }
            for other in (0..=40u64).filter(|other| *other != m && *other != n) {
                assert!(verify_consistency(other, then, n, now, &proof).is_err());
            }
            for i in 0..proof.len() {
                let mut bad = proof.clone();
                bad[i].0[i % 32] ^= 0x80;
                assert!(verify_consistency(m, then, n, now, &bad).is_err());
                bad.remove(i);
                let error = verify_consistency(m, then, n, now, &bad);
                assert!(matches!(error, Err(TreeError::Length { .. })));
            }
            let mut long = proof.clone();
            long.push(strange);
            assert!(verify_consistency(m, then, n, now, &long).is_err());
        }
    }
    assert_eq!(
        verify_consistency(3, &roots[3], 2, &roots[2], &[]),
        Err(TreeError::Order { old: 3, new: 2 })
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let read = |_| Ok::<_, Infallible>(Hash::ZERO);
    assert_eq!(inclusion_proof(5, 5, read), Err(ProveError::NoSuchLeaf { index: 5, size: 5 }));
    assert_eq!(inclusion_proof(0, 0, read), Err(ProveError::NoSuchLeaf { index: 0, size: 0 }));
    assert_eq!(consistency_proof(2, 1, read), Err(ProveError::Order { old: 2, new: 1 }));
    let size = MAX_SIZE + 1;
    assert_eq!(root_at(size, read), Err(ProveError::TooLarge { size }));
    assert_eq!(Frontier::from_stored(u64::MAX, read), Err(ProveError::TooLarge { size: u64::MAX }));
    assert!(Frontier::from_subtrees(3, &[Hash::ZERO]).is_err());
    assert!(Frontier::from_subtrees(u64::MAX, &[Hash::ZERO; 64]).is_err());
    let broken = root_at(3, |_| Err("gone"));
    assert_eq!(broken, Err(ProveError::Read { index: 2, source: "gone" }));
    for proof in [vec![], vec![Hash::ZERO; 63], vec![Hash::ZERO; 64], vec![Hash::ZERO; 65]] {
        for (a, b) in [(0, u64::MAX), (1, u64::MAX), (u64::MAX - 1, u64::MAX), (1 << 63, u64::MAX)]
        {
            assert!(verify_inclusion(&Hash::ZERO, a, b, &Hash::ZERO, &proof).is_err());
            assert!(verify_consistency(a, &Hash::ZERO, b, &Hash::ZERO, &proof).is_err());
        }
    }
}

proptest! {
    #[test]
    fn any_large_tree_proves_its_leaves(size in 1..=MAX_SIZE, pick: u64) {
        let (levels, read) = sparse();
        let index = pick % size;
        let mut reads = 0;
        let counted = |at| { reads += 1; read(at) };
        let proof = inclusion_proof(index, size, counted).unwrap();
        prop_assert!(reads <= 126, "{reads} reads");
        let root = root_at(size, &read).unwrap();
        prop_assert_eq!(Frontier::from_stored(size, &read).unwrap().root(), root);
        verify_inclusion(&levels[0], index, size, &root, &proof).unwrap();
    }

    #[test]
    fn any_large_tree_extends_its_prefixes(new in 1..=MAX_SIZE, pick: u64) {
        let (_, read) = sparse();
        let old = pick % (new + 1);
        let proof = consistency_proof(old, new, &read).unwrap();
        let (then, now) = (root_at(old, &read).unwrap(), root_at(new, &read).unwrap());
        verify_consistency(old, &then, new, &now, &proof).unwrap();
        if old > 0 && old < new {
            prop_assert!(verify_consistency(old, &now, new, &then, &proof).is_err());
        }
    }

    #[test]
    fn no_proof_makes_a_verifier_panic(
        index: u64, size: u64, length in 0..70usize, leaf: [u8; 32], root: [u8; 32],
    ) {
        let proof = vec![Hash(leaf); length];
        prop_assert!(verify_inclusion(&Hash(leaf), index, size, &Hash(root), &proof).is_err());
        prop_assert!(verify_consistency(index, &Hash(leaf), size, &Hash(root), &proof).is_err());
    }

    #[test]
    fn an_index_splits_into_what_it_was_made_of(level in 0..62u8, pick: u64, index: u64) {
        let n = pick >> (level + 2);
        prop_assert_eq!(split_stored_hash_index(stored_hash_index(level, n)), (level, n));
        let (level, n) = split_stored_hash_index(index);
        prop_assert_eq!(stored_hash_index(level, n), index);
    }
}
