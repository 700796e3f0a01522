//! Which characters may not stand in an entry (FORMAT section 3, "Strings").
//!
//! What must stay true here: exactly the set of the format page, no more and no less. A character
//! too few lets an entry lie on a terminal; one too many makes honest trails look damaged.

/// True for characters that no string of an entry may contain, be it written out or escaped.
#[must_use]
pub const fn is_forbidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{2028}' | '\u{2029}'
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}'
        | '\u{fdd0}'..='\u{fdef}')
        || c as u32 & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::is_forbidden;

    #[test]
    fn the_set_is_the_one_of_the_format_page() {
        let count = (0..=0x10_ffff).filter_map(char::from_u32).filter(|&c| is_forbidden(c)).count();
        let controls = 32 + 33;
        let (separators, bidi, invisible) = (2, 3 + 5 + 4, 1 + 5 + 1 + 3 + 128);
        let non_characters = 32 + 17 * 2;
        assert_eq!(count, controls + separators + bidi + invisible + non_characters);
        for c in "\u{1b}\u{85}\u{7f}\u{202e}\u{200b}\u{feff}\u{ffff}\u{10fffe}\u{fdd0}".chars() {
            assert!(is_forbidden(c), "{c:?}");
        }
        for c in " ~\u{a0}é漢🔒\u{200c}\u{200d}\u{fffd}".chars() {
            assert!(!is_forbidden(c), "{c:?}");
        }
    }
}
