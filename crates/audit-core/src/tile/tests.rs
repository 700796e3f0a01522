//! Tiles against C2SP's examples and Cloudflare's `tlog_tiles`.

use std::convert::Infallible;

use proptest::prelude::*;
use tlog_tiles::tile as oracle;
use tlog_tiles::tlog;

use super::*;
use crate::chain::leaf_hash;
use crate::tree::{self, Frontier};

fn hashes(level: u8, index: u64, width: u16) -> Tile {
    Tile { kind: TileKind::Hashes { level }, index, width }
}

fn stored(size: u64) -> Vec<Hash> {
    let mut stored = Vec::new();
    let mut tree = Frontier::new();
    for n in 0..size {
        tree.push_with(tree::leaf_hash(&n.to_be_bytes()), |hash| stored.push(hash));
    }
    stored
}

struct Stored<'a>(&'a [Hash]);

impl tlog::HashReader for Stored<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|i| tlog::Hash(self.0[usize::try_from(*i).unwrap()].0)).collect())
    }
}

#[test]
fn the_paths_of_c2sp() {
    let good = [
        ("tile/0/x001/x234/067", hashes(0, 1_234_067, 256)),
        ("tile/4/x001/x234/067.p/1", hashes(4, 1_234_067, 1)),
        ("tile/63/000", hashes(63, 0, 256)),
        ("tile/1/x001/000.p/255", hashes(1, 1000, 255)),
        ("tile/entries/273.p/112", Tile { kind: TileKind::Entries, index: 273, width: 112 }),
        ("tile/0/x018/x446/x744/x073/x709/x551/615", hashes(0, u64::MAX, 256)),
    ];
    for (path, tile) in good {
        assert_eq!(Tile::parse(path).unwrap(), tile);
        assert_eq!(tile.to_string(), path);
    }
}

#[test]
fn a_path_has_one_form() {
    for path in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000",
        "tile/0/x000/001",
        "tile/0/000/001",
        "tile/0/x001/x000",
        "tile/0/x001/0000",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/+1/000",
        "tile/-1/000",
        "tile/256/000",
        "tile/data/000",
        "tile/Entries/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/+1",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/000/",
        "tile/0//000",
        "tile/0/../000",
        "tile/0/x0a1/000",
        "tile/0/X001/000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
        "tile/0/\u{660}\u{660}\u{660}",
        "tile/0/000 ",
        "tile/0/000\n",
        "tile/8/0/000",
        "tile/entries/000.p/999",
    ] {
        assert!(Tile::parse(path).is_err(), "{path:?}");
    }
}

#[test]
fn the_sizes_of_c2sp() {
    // "A tree of size 70,000 will be represented by 273 full level 0 tiles, ..."
    let widest = |level, index, size| {
        Tile::widest(TileKind::Hashes { level }, index, size).map(|tile| tile.width)
    };
    assert_eq!(widest(0, 272, 70_000), Some(256));
    assert_eq!(widest(0, 273, 70_000), Some(112));
    assert_eq!(widest(0, 274, 70_000), None);
    assert_eq!(widest(1, 0, 70_000), Some(256));
    assert_eq!(widest(1, 1, 70_000), Some(17));
    assert_eq!(widest(2, 0, 70_000), Some(1));
    assert_eq!(widest(2, 1, 70_000), None);
    assert_eq!(widest(3, 0, 70_000), None);
    assert_eq!(
        (widest(0, 0, 256), widest(0, 1, 256), widest(1, 0, 256)),
        (Some(256), None, Some(1))
    );
    assert_eq!(
        (widest(0, 0, 0), widest(255, 0, u64::MAX), widest(7, 0, u64::MAX)),
        (None, None, Some(255))
    );
    assert_eq!(widest(0, u64::MAX, u64::MAX), None);
    assert!(hashes(0, 273, 112).is_in(70_000) && hashes(0, 273, 1).is_in(70_000));
    assert!(
        !hashes(0, 273, 113).is_in(70_000)
            && !hashes(0, 0, 0).is_in(9)
            && !hashes(0, 0, 300).is_in(900)
    );
    assert_eq!(hashes(0, 3, 1).first_leaf(), Some(768));
}

#[test]
fn tiles_hold_what_cloudflare_says() {
    let size = 66_000;
    let stored = stored(size);
    let read = |index| Ok::<_, Infallible>(stored[usize::try_from(index).unwrap()]);
    for at in [1, 255, 256, 257, 65_535, 65_536, 65_537, size] {
        for theirs in oracle::Tile::new_tiles(8, at - 1, at) {
            let width = u16::try_from(theirs.width()).unwrap();
            let ours = hashes(theirs.level(), theirs.level_index(), width);
            assert!(ours.is_in(at));
            // C2SP's path is Go's without the height.
            assert_eq!(ours.to_string(), theirs.path().replacen("/8/", "/", 1));
            assert_eq!(
                hash_tile(&ours, at, read).unwrap(),
                theirs.read_data(&Stored(&stored)).unwrap()
            );
        }
    }
    let missing = hash_tile(&hashes(0, 257, 209), size, read);
    assert_eq!(missing, Err(TileError::NotThere { size }));
    let entries = Tile { kind: TileKind::Entries, index: 0, width: 1 };
    assert_eq!(hash_tile(&entries, size, read), Err(TileError::NotThere { size }));
    let broken = hash_tile(&hashes(1, 0, 2), size, |_| Err("gone"));
    assert!(matches!(broken, Err(TileError::Read(ProveError::Read { index: 510, .. }))));
}

#[test]
fn a_bundle_holds_the_leaves_of_its_lines() {
    let segment = include_bytes!("../../../../fixtures/vectors/healthy-small/2026-11-23.audit");
    let lines: Vec<&[u8]> =
        segment.split(|b| *b == b'\n').filter(|line| !line.is_empty()).collect();
    let mut bundle = Vec::new();
    for line in &lines {
        push_entry(&mut bundle, line).unwrap();
    }
    let leaves = parse_bundle(&bundle).unwrap();
    assert_eq!(leaves.len(), lines.len());
    for (leaf, line) in leaves.iter().zip(&lines) {
        assert_eq!(tree::leaf_hash(leaf), leaf_hash(&line[..line.len() - HASH_SUFFIX]));
        assert!(serde_json::from_slice::<serde_json::Value>(leaf).is_ok());
    }
}

#[test]
fn what_is_not_a_bundle_is_refused_at_its_place() {
    let offset = |bytes: &[u8]| parse_bundle(bytes).unwrap_err().offset;
    assert_eq!(offset(b""), 0);
    assert_eq!(offset(b"\0"), 0);
    assert_eq!(offset(b"\0\x02a"), 0);
    assert_eq!(offset(b"\0\x01a\xff\xff"), 3);
    assert_eq!(parse_bundle(&[0; 512]).unwrap().len(), 256);
    assert_eq!(offset(&[0; 514]), 512);
    let mut bundle = Vec::new();
    push_leaf(&mut bundle, &vec![b'a'; MAX_LEAF]).unwrap();
    assert!(push_leaf(&mut bundle, &vec![b'a'; MAX_LEAF + 1]).is_err());
    assert!(push_entry(&mut bundle, &[b'a'; HASH_SUFFIX - 1]).is_err());
    assert_eq!(parse_bundle(&bundle).unwrap()[0].len(), MAX_LEAF);
}

proptest! {
    #[test]
    fn every_tile_is_read_back(level in 0..=64u8, index: u64, shift in 0..64u32, width in 1..=WIDTH) {
        let kind = if level == 64 { TileKind::Entries } else { TileKind::Hashes { level } };
        let tile = Tile { kind, index: index >> shift, width };
        prop_assert_eq!(Tile::parse(&tile.to_string()).unwrap(), tile);
    }

    #[test]
    fn any_text_is_a_path_of_that_form_or_an_error(path in "tile/(entries|[0-9]{1,2})(/x[0-9]{2,3}){0,7}/[0-9]{2,4}(\\.p/[0-9]{1,3})?", noise in "\\PC{0,30}") {
        for path in [&path, &noise, &format!("tile/{noise}")] {
            if let Ok(tile) = Tile::parse(path) {
                prop_assert_eq!(&tile.to_string(), path);
            }
        }
    }

    #[test]
    fn every_bundle_is_read_back(leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..257)) {
        let mut bundle = Vec::new();
        for leaf in &leaves {
            push_leaf(&mut bundle, leaf).unwrap();
        }
        prop_assert_eq!(parse_bundle(&bundle).unwrap(), leaves);
    }

    #[test]
    fn no_bundle_makes_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(leaves) = parse_bundle(&bytes) {
            let mut written = Vec::new();
            for leaf in leaves {
                push_leaf(&mut written, leaf).unwrap();
            }
            prop_assert_eq!(written, bytes);
        }
    }

    #[test]
    fn no_tile_makes_it_panic(level: u8, index: u64, width: u16, size: u64) {
        let tile = hashes(level, index, width);
        prop_assert!(hash_tile(&tile, size, |_| Err::<Hash, _>(())).is_err());
        let _ = (tile.first_leaf(), tile.to_string());
    }
}
