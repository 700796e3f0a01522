//! Just enough of Rust's grammar for the style rules to see code only.
//!
//! What must stay true here: line numbers never change. Whatever is taken away is replaced by
//! spaces, character by character.

/// The source with comments and the contents of string and character literals blanked.
pub(crate) fn code_only(source: &str) -> String {
    let src: Vec<char> = source.chars().collect();
    let mut out = src.clone();
    let mut at = 0;
    while at < src.len() {
        let end = match src[at] {
            '/' if src.get(at + 1) == Some(&'/') => blank(&mut out, at, line_end(&src, at)),
            '/' if src.get(at + 1) == Some(&'*') => blank(&mut out, at, block_end(&src, at)),
            '"' => literal(&mut out, at, string_end(&src, at + 1, '"')),
            '\'' => match char_end(&src, at) {
                Some(end) => literal(&mut out, at, end),
                None => at + 1, // a lifetime
            },
            'r' if !follows_raw_prefix_stop(&src, at) => match raw_string(&src, at) {
                Some(end) => blank(&mut out, at, end),
                None => at + 1,
            },
            _ => at + 1,
        };
        at = end;
    }
    out.into_iter().collect()
}

/// Code with the items under `#[cfg(test)]` blanked as well; expects what [`code_only`] returns.
pub(crate) fn without_tests(code: &str) -> String {
    let src: Vec<char> = code.chars().collect();
    let mut out = src.clone();
    for marker in ["#[cfg(test)]", "#[cfg(all(test", "#[test]"] {
        let marker: Vec<char> = marker.chars().collect();
        let mut at = 0;
        while at + marker.len() <= src.len() {
            if src[at..].starts_with(&marker) {
                at = blank(&mut out, at, item_end(&src, at));
            } else {
                at += 1;
            }
        }
    }
    out.into_iter().collect()
}

/// Where `word` stands in `line` on its own: no identifier character on a side on which the word
/// itself has one.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let ident = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let glued_before = word.starts_with(ident) && line[..at].ends_with(ident);
        let glued_after = word.ends_with(ident) && line[at + word.len()..].starts_with(ident);
        !glued_before && !glued_after
    })
}

fn blank(out: &mut [char], from: usize, to: usize) -> usize {
    for c in &mut out[from..to] {
        if *c != '\n' {
            *c = ' ';
        }
    }
    to
}

/// Blanks between the quotes, which stay.
fn literal(out: &mut [char], from: usize, to: usize) -> usize {
    blank(out, from + 1, to.saturating_sub(1).max(from + 1));
    to
}

fn line_end(src: &[char], at: usize) -> usize {
    src[at..].iter().position(|&c| c == '\n').map_or(src.len(), |n| at + n)
}

fn block_end(src: &[char], mut at: usize) -> usize {
    let mut depth = 0usize;
    while at < src.len() {
        match (src[at], src.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    src.len()
}

fn string_end(src: &[char], mut at: usize, quote: char) -> usize {
    while at < src.len() {
        match src[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    src.len()
}

fn char_end(src: &[char], at: usize) -> Option<usize> {
    match src.get(at + 1)? {
        '\\' => Some(string_end(src, at + 1, '\'')),
        _ if src.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

/// True when the `r` is the end of a longer word, so that no raw string can begin at it.
fn follows_raw_prefix_stop(src: &[char], at: usize) -> bool {
    let ident = |c: &char| c.is_alphanumeric() || *c == '_';
    let Some(before) = at.checked_sub(1).map(|n| src[n]) else { return false };
    match before {
        'b' | 'c' => at.checked_sub(2).is_some_and(|n| ident(&src[n])),
        c => ident(&c),
    }
}

fn raw_string(src: &[char], at: usize) -> Option<usize> {
    let hashes = src[at + 1..].iter().take_while(|&&c| c == '#').count();
    let body = at + 1 + hashes;
    if src.get(body) != Some(&'"') {
        return None;
    }
    let mut end = body + 1;
    while end < src.len() {
        let closing = src[end + 1..].iter().take(hashes).filter(|&&c| c == '#').count();
        if src[end] == '"' && closing == hashes {
            return Some(end + 1 + hashes);
        }
        end += 1;
    }
    Some(src.len())
}

/// The end of the item that begins with the attribute at `at`.
fn item_end(src: &[char], mut at: usize) -> usize {
    let (mut braces, mut others) = (0usize, 0usize);
    while at < src.len() {
        match src[at] {
            '(' | '[' => others += 1,
            ')' | ']' => others = others.saturating_sub(1),
            '{' => braces += 1,
            '}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return at + 1;
                }
            }
            ';' if braces == 0 && others == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    src.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        let source = "let a = \"x.unwrap()\"; // panic!\n/* a /* b */ dbg!() */ let c = '\"';\n";
        let code = code_only(source);
        assert_eq!(code.lines().count(), 2);
        assert!(!code.contains("unwrap") && !code.contains("panic") && !code.contains("dbg"));
        assert!(code.contains("let a = \"") && code.contains("let c = '"));
    }

    #[test]
    fn raw_strings_lifetimes_and_escapes_do_not_confuse_it() {
        let source =
            r###"fn f<'a>(x: &'a str) { g(r#"todo!" "#, br"dbg!", '\'', b"\""); y.unwrap() }"###;
        let code = code_only(source);
        assert!(!code.contains("todo") && !code.contains("dbg"), "{code}");
        assert!(code.ends_with("y.unwrap() }"), "{code}");
    }

    #[test]
    fn test_items_are_blanked_but_what_follows_stays() {
        let code = "#[cfg(test)]\nmod tests;\nfn a() {}\n#[cfg(test)]\nmod t {\n fn b() { c() }\n}\nfn d() {}\n";
        let left = without_tests(code);
        assert!(left.contains("fn a()") && left.contains("fn d()"), "{left}");
        assert!(!left.contains("fn b()") && !left.contains("mod tests"), "{left}");
        assert_eq!(left.lines().count(), code.lines().count());
    }

    #[test]
    fn a_word_stands_on_its_own() {
        assert!(has_word("unsafe { }", "unsafe"));
        assert!(!has_word("#![deny(unsafe_code)]", "unsafe"));
        assert!(!has_word("no_panic!()", "panic!"));
        assert!(has_word("x.unwrap().y", ".unwrap()"));
    }
}
