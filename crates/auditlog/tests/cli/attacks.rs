//! The table of attacks in `docs/` names tests that are there.

use std::path::Path;

#[test]
fn every_test_that_the_table_of_attacks_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/attacks.md")).unwrap();
    let mut file = String::new();
    let mut named = 0;
    for quoted in page.split('`').skip(1).step_by(2) {
        let Some((place, test)) = quoted.split_once(".rs::").or_else(|| quoted.split_once("…::"))
        else {
            continue;
        };
        if place == "file" || quoted == "file::test" {
            continue;
        }
        if !place.is_empty() {
            let place = match place.split_once('/') {
                Some((area @ ("tamper" | "reader"), rest)) => {
                    format!("audit-reader/tests/{area}/{rest}")
                }
                _ => place.to_owned(),
            };
            file = std::fs::read_to_string(root.join(format!("crates/{place}.rs")))
                .unwrap_or_else(|error| panic!("{quoted}: {error}"));
        }
        assert!(file.contains(&format!("fn {test}(")), "{quoted}");
        named += 1;
    }
    assert!(named > 40, "{named}");
}
