//! `auditlog index`, `query --no-index` and `query --verified`: whatever happens to an index, an answer
//! is that of the segments.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::month::{Month, month};
use crate::{run, stderr, stdout, vector};

/// What is answered to questions that an index decides on, and how many segments were answered by it.
fn answers(month: &Month, more: &[&str]) -> (Vec<String>, u64) {
    let (dir, (actor, resource)) = (month.dir(), month.busiest());
    let asked: [&[&str]; 6] = [
        &["--actor", &actor],
        &["--type", "authz.denied", "--order", "newest", "--limit", "7"],
        &["--type", "auth.f*", "--since", "2026-11-01", "--until", "2026-11-08"],
        &["--resource", &resource],
        &["--critical"],
        &["--since", "2026-11-01T05:00", "--until", "2026-11-01T09:00"],
    ];
    let mut by_index = 0;
    let found = asked.map(|asked| {
        let args = [&["query", &dir, "--json", "--audit-access=never"], asked, more].concat();
        let output = run(&args);
        assert_eq!(output.status.code(), Some(0), "{asked:?}: {}", stderr(&output));
        let searched: Value = serde_json::from_str(&stderr(&output)).unwrap();
        // How far threads read ahead before a limit ends it is chance.
        if !asked.contains(&"--limit") {
            by_index += searched["segments_by_index"].as_u64().unwrap();
        }
        assert!(!output.stdout.is_empty(), "{asked:?}");
        stdout(&output)
    });
    (found.to_vec(), by_index)
}

fn index(dir: &str, more: &[&str]) -> Value {
    let output = run(&[&["index", dir, "--json"], more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn tables(month: &Month) -> Vec<PathBuf> {
    let files = fs::read_dir(month.file("index")).unwrap().map(|file| file.unwrap().path());
    let mut tables: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|name| name == "parquet")).collect();
    tables.sort();
    tables
}

#[test]
fn answers_are_the_same_with_an_index_and_it_is_made_once() {
    let month = month();
    let dir = month.dir();
    let (expected, none) = answers(&month, &[]);
    assert_eq!(none, 0);
    let made = index(&dir, &[]);
    assert_eq!(
        (&made["kept"], &made["open"], &made["refused"]),
        (&0.into(), &1.into(), &Value::Array(vec![]))
    );
    let built = made["built"].as_u64().unwrap();
    assert_eq!(built, tables(&month).len() as u64);
    assert!(built >= 30 && made["entries"].as_u64().unwrap() >= 3_000, "{made}");
    assert_eq!(answers(&month, &["--no-index"]), (expected.clone(), 0));
    let (found, by_index) = answers(&month, &[]);
    assert!(found == expected && by_index > built, "{by_index}");
    let before: Vec<_> = tables(&month).iter().map(|table| fs::read(table).unwrap()).collect();
    let again = index(&dir, &[]);
    assert_eq!((&again["built"], &again["kept"]), (&0.into(), &built.into()));
    assert_eq!(index(&dir, &["--rebuild", "--jobs", "1"])["built"], built);
    let after: Vec<_> = tables(&month).iter().map(|table| fs::read(table).unwrap()).collect();
    assert!(before == after, "the same bytes are made again");
    let said = stdout(&run(&["index", &dir]));
    assert!(said.starts_with("0 segments indexed, 0 entries, in "), "{said}");
    assert!(said.contains(&format!("; {built} were already; 1 not closed; ")), "{said}");
}

#[test]
fn whatever_is_wrong_with_an_index_is_noticed_passed_over_and_mended() {
    let month = month();
    let (dir, (actor, _)) = (month.dir(), month.busiest());
    let (expected, _) = answers(&month, &[]);
    let built = index(&dir, &[])["built"].as_u64().unwrap();
    let (_, all) = answers(&month, &[]);
    let tables = tables(&month);
    let (one, other) = (&tables[9], &tables[10]);
    let binding = one.with_extension("json");
    let (table, bound) = (fs::read(one).unwrap(), fs::read(&binding).unwrap());
    let changed = |at: usize| {
        let mut bytes = table.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    type Harm<'a> = (&'static str, Box<dyn Fn() + 'a>);
    let harms: Vec<Harm<'_>> = vec![
        ("a flipped bit in the first page", Box::new(|| fs::write(one, changed(40)).unwrap())),
        ("one in the middle", Box::new(|| fs::write(one, changed(table.len() / 2)).unwrap())),
        ("one in the footer", Box::new(|| fs::write(one, changed(table.len() - 30)).unwrap())),
        ("half of it", Box::new(|| fs::write(one, &table[..table.len() / 2]).unwrap())),
        ("nothing of it", Box::new(|| fs::write(one, b"").unwrap())),
        ("more than it", Box::new(|| fs::write(one, [&table[..], b"PAR1"].concat()).unwrap())),
        ("no table", Box::new(|| fs::remove_file(one).unwrap())),
        ("the table of another day", Box::new(|| assert!(fs::copy(other, one).unwrap() > 0))),
        (
            "the index of another day",
            Box::new(|| {
                fs::copy(other, one).unwrap();
                fs::copy(other.with_extension("json"), &binding).unwrap();
            }),
        ),
        ("half a binding", Box::new(|| fs::write(&binding, &bound[..bound.len() / 2]).unwrap())),
        (
            "a directory",
            Box::new(|| {
                fs::remove_file(one).unwrap();
                fs::create_dir(one).unwrap();
            }),
        ),
    ];
    for (what, harm) in harms {
        harm();
        let (found, by_index) = answers(&month, &[]);
        assert!(found == expected, "{what}");
        assert!(by_index < all, "{what}: nobody noticed");
        if one.is_dir() {
            fs::remove_dir(one).unwrap();
        }
        let made = index(&dir, &[]);
        assert_eq!((&made["built"], &made["kept"]), (&1.into(), &(built - 1).into()), "{what}");
        assert_eq!(answers(&month, &[]), (expected.clone(), all), "{what}: mended");
        assert!(fs::read(one).unwrap() == table, "{what}: the same table");
    }
    // What a run that was cut short leaves is swept away.
    let left = month.file("index").join("2026-11-01.audit.parquet.new");
    fs::write(&left, &table[..100]).unwrap();
    assert_eq!((&index(&dir, &[])["removed"], left.exists()), (&1.into(), false));
    let said = stderr(&run(&["query", &dir, "--actor", &actor, "--audit-access=never"]));
    assert!(!said.contains("damaged"), "{said}");
    fs::write(one, b"").unwrap();
    let said = stderr(&run(&["query", &dir, "--actor", &actor, "--audit-access=never"]));
    assert!(
        said.contains(
            "\n1 indexes are damaged or of other bytes and were passed over; run `auditlog index`\n"
        ),
        "{said}"
    );
}

#[test]
fn an_index_of_a_segment_that_changed_is_stale() {
    let month = month();
    let dir = month.dir();
    index(&dir, &[]);
    let segment = month.file("2026-11-03.audit");
    let mut changed = fs::read_to_string(&segment).unwrap();
    // As long as before, so that only times and hash tell.
    let at = changed.find("user-0").unwrap();
    changed.replace_range(at..at + "user-0123".len(), "mallory-1");
    fs::remove_file(&segment).unwrap();
    fs::write(&segment, changed).unwrap();
    let found = |more: &[&str]| {
        let args =
            [&["query", &dir, "--actor", "mallory-1", "--json", "--audit-access=never"], more];
        stdout(&run(&args.concat()))
    };
    assert_eq!(found(&[]).lines().count(), 1);
    assert_eq!(found(&[]), found(&["--no-index"]));
    let by_actor = |more: &[&str]| {
        let args = [&["query", &dir, "--type", "auth.*", "--json", "--audit-access=never"], more];
        stdout(&run(&args.concat()))
    };
    assert!(by_actor(&[]) == by_actor(&["--no-index"]));
    // It gets no index any more: it is damaged, and only reading says how.
    let made = index(&dir, &[]);
    assert_eq!(made["refused"][0]["segment"], "2026-11-03.audit");
    let said = stdout(&run(&["index", &dir]));
    assert!(
        said.contains(
            "2026-11-03.audit has no index: it differs from its .sha256; run `auditlog verify`\n"
        ),
        "{said}"
    );
    assert!(!month.file("index/2026-11-03.audit.parquet").exists());
    assert!(by_actor(&[]) == by_actor(&["--no-index"]));
}

#[test]
fn verified_prints_only_what_was_written() {
    let month = month();
    let (dir, (actor, _)) = (month.dir(), month.busiest());
    let ask = |more: &[&str]| {
        run(&[
            &["query", &dir, "--actor", &actor, "--verified", "--json", "--audit-access=never"],
            more,
        ]
        .concat())
    };
    let honest = ask(&[]);
    assert_eq!(honest.status.code(), Some(0));
    let whole = stdout(&honest);
    let forged = whole.lines().rfind(|line| line.contains(".7\"")).unwrap();
    for indexed in [false, true] {
        if indexed {
            index(&dir, &[]);
        }
        let output = ask(&[]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(0), whole.clone()));
    }
    // Another address, under the hash of the first.
    let other = forged.replacen(".7\"", ".9\"", 1);
    assert_ne!(forged, other);
    let segments = fs::read_dir(&month.path).unwrap().map(|file| file.unwrap().path());
    let holds = |path: &PathBuf| {
        path.extension().is_some_and(|name| name == "audit")
            && fs::read_to_string(path).unwrap().contains(forged)
    };
    let segment = segments.into_iter().find(holds).unwrap();
    let text = fs::read_to_string(&segment).unwrap().replacen(forged, &other, 1);
    fs::remove_file(&segment).unwrap();
    fs::write(&segment, text).unwrap();
    for more in [&[][..], &["--no-index"]] {
        let output = ask(more);
        assert_eq!(output.status.code(), Some(1), "{more:?}");
        let without: Vec<_> = whole.lines().filter(|line| *line != forged).collect();
        assert_eq!(stdout(&output).lines().collect::<Vec<_>>(), without);
        let searched: Value = serde_json::from_str(&stderr(&output)).unwrap();
        assert_eq!(searched["hash_mismatches"], 1);
        // Without --verified it is printed: it stands there.
        let plain = [&["query", &dir, "--actor", &actor, "--json", "--audit-access=never"], more];
        assert!(stdout(&run(&plain.concat())).contains(&other));
    }
    let said = run(&["query", &dir, "--actor", &actor, "--verified", "--audit-access=never"]);
    assert!(
        stderr(&said)
            .contains("\n1 entries match and are not what was written: their hash is another; ")
    );
}

#[test]
fn what_cannot_be_indexed_is_said() {
    let temp = tempfile::tempdir().unwrap();
    let file = |name: &str| temp.path().join(name).display().to_string();
    fs::write(file("plain"), b"x").unwrap();
    fs::create_dir(file("empty")).unwrap();
    for (args, says) in [
        (&["index"][..], "<DIR>"),
        (&["index", &file("nothing")], "No such file"),
        (&["index", &file("plain")], "Not a directory"),
        (&["index", &file("empty")], "is not an audit trail"),
        (&["index", &vector("healthy"), "--frob"], "--frob"),
        (&["index", &vector("healthy"), "--jobs", "many"], "many"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
        let output = run(&[args, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(told["error"].as_str().unwrap().contains(says) && told["exit"] == 2, "{told}");
    }
    // Nothing was made where there is nothing to index.
    assert!(!Path::new(&file("empty")).join("index").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn who_reads_has_the_lowest_priority() {
    use std::io::{BufRead, BufReader};

    let month = month();
    let dir = month.dir();
    for args in [&["index", &dir, "--follow"][..], &["export", &dir, "--format", "ecs", "--follow"]]
    {
        let mut follow = crate::auditlog(args);
        let mut follow = follow.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(follow.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{args:?} ended");
        let stat = fs::read_to_string(format!("/proc/{}/stat", follow.id())).unwrap();
        follow.kill().unwrap();
        follow.wait().unwrap();
        // The 19th field; the second, which may hold anything, ends with the last parenthesis.
        let (_, rest) = stat.rsplit_once(')').unwrap();
        assert_eq!(rest.split_whitespace().nth(16), Some("19"), "{args:?}: {stat}");
    }
}
