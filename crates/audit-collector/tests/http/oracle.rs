//! Tiles, checked by recomputing the root and by Cloudflare's client, which trusts no tile.

use audit_collector::{Tiles, tiles};
use audit_core::checkpoint::SignedCheckpoint;
use audit_core::tile::{Tile, TileKind, WIDTH, parse_bundle};
use audit_core::tree::{Frontier, leaf_hash};
use tlog_tiles::tile as theirs;
use tlog_tiles::tlog;

use super::*;

fn serve_trail(dir: &Path) -> Server {
    Server::start(tiles::router(Arc::new(Tiles::open(dir).unwrap())))
}

fn get(url: &str, path: &str) -> (u16, String, Vec<u8>) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    let mut response = agent.get(format!("{url}/{path}")).call().unwrap();
    let cache = response.headers().get("cache-control").map(|v| v.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let bytes = response.body_mut().with_config().limit(1 << 26).read_to_vec().unwrap();
    (status, cache.unwrap_or_default(), bytes)
}

struct Client<'a>(&'a str);

impl theirs::TileReader for Client<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[theirs::Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        let read = |tile: &theirs::Tile| {
            let kind = TileKind::Hashes { level: tile.level() };
            let width = u16::try_from(tile.width()).unwrap();
            let path = Tile { kind, index: tile.level_index(), width }.to_string();
            let (status, cache, bytes) = get(self.0, &path);
            assert_eq!((status, bytes.len()), (200, usize::from(width) * 32), "{path}");
            assert!(cache.contains("immutable"));
            bytes
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[theirs::Tile], _: &[Vec<u8>]) {}
}

#[test]
fn a_client_that_trusts_nothing_gets_the_whole_trail() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    for round in 0..2 {
        write_rotating(&dir, "alice", 700 + round);
        let server = serve_trail(&dir);
        let (status, cache, note) = get(&server.url, "checkpoint");
        assert_eq!((status, &*cache), (200, "no-cache"));
        let checkpoint = SignedCheckpoint::parse(&note).unwrap();
        let (size, root) = (checkpoint.unverified().size, checkpoint.unverified().root);

        let mut tree = Frontier::new();
        let mut leaves = Vec::new();
        for index in 0..size.div_ceil(u64::from(WIDTH)) {
            let tile = Tile::widest(TileKind::Entries, index, size).unwrap();
            let (status, cache, bytes) = get(&server.url, &tile.to_string());
            assert_eq!(status, 200, "{tile}");
            assert!(cache.contains("immutable"));
            let bundle = parse_bundle(&bytes).unwrap();
            assert_eq!(bundle.len(), usize::from(tile.width));
            for leaf in bundle {
                leaves.push(leaf_hash(leaf));
                tree.push(leaf_hash(leaf));
            }
        }
        assert_eq!((tree.size(), tree.root()), (size, root));

        let client = Client(&server.url);
        let reader = theirs::TileHashReader::new(size, tlog::Hash(root.0), &client);
        let every = (0..size).map(|n| tlog::stored_hash_index(0, n)).collect::<Vec<_>>();
        let hashes = tlog::HashReader::read_hashes(&reader, &every).unwrap();
        assert!(hashes.iter().zip(&leaves).all(|(theirs, ours)| theirs.0 == ours.0));
        assert_eq!(tlog::tree_hash(size, &reader).unwrap().0, root.0);
    }
}

#[test]
fn nothing_else_is_served() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    write(&dir, "alice", 300);
    let server = serve_trail(&dir);
    let note = get(&server.url, "checkpoint").2;
    let size = SignedCheckpoint::parse(&note).unwrap().unverified().size;
    let beyond = format!("tile/0/001.p/{}", size - 256 + 1);
    for path in [
        "",
        "trail.json",
        "tree.hashes",
        "keys/0.key",
        "tile/0/../../trail.json",
        "tile/entries/..%2f..%2ftrail.json",
        "%2e%2e/%2e%2e/etc/passwd",
        "tile/0/1",
        "tile/00/000",
        "tile/0/x000/000",
        "tile/0/001",
        "tile/0/002",
        "tile/entries/001",
        "tile/63/000",
        "tile/9/000",
        "tile/2/000.p/1",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "/tile/0/000",
        &beyond,
        "tile/0/x018/x446/x744/x073/x709/x551/615",
    ] {
        assert_eq!(get(&server.url, path).0, 404, "{path}");
    }
    // Every partial tile of every size that was, beside the full one.
    let full = get(&server.url, "tile/0/000").2;
    for width in [1usize, 2, 3, 127, 255] {
        let (status, _, part) = get(&server.url, &format!("tile/0/000.p/{width}"));
        assert!(status == 200 && part == full[..width * 32], "{width}");
    }
    assert_eq!(get(&server.url, "tile/1/000.p/1").0, 200);
}

#[test]
fn what_does_not_lead_to_the_root_is_not_served() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("trail");
    write(&dir, "alice", 600);
    let server = serve_trail(&dir);
    assert_eq!(get(&server.url, "tile/0/000").0, 200);
    let tree = dir.join("tree.hashes");
    let whole = std::fs::read(&tree).unwrap();
    // A leaf in the first tile: no peak of the tree, so the root does not show it.
    let mut bad = whole.clone();
    bad[0] ^= 1;
    std::fs::write(&tree, &bad).unwrap();
    for (path, status) in [("tile/0/000", 500), ("tile/entries/000", 500), ("tile/0/001", 200)] {
        assert_eq!(get(&server.url, path).0, status, "{path}");
    }
    std::fs::write(&tree, &whole[..320]).unwrap();
    assert_eq!(get(&server.url, "tile/0/001").0, 503);
    std::fs::write(&tree, &whole).unwrap();
    // An entry on disk, altered.
    let mut files = std::fs::read_dir(&dir).unwrap().map(|item| item.unwrap().path());
    let segment = files.find(|p| p.extension().is_some_and(|e| e == "audit")).unwrap();
    let text = std::fs::read_to_string(&segment).unwrap().replacen("\"alice\"", "\"malle\"", 1);
    std::fs::write(&segment, text).unwrap();
    assert_eq!(get(&server.url, "tile/entries/000").0, 500);
    assert_eq!(get(&server.url, "tile/entries/001").0, 200);
}
