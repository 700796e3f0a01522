//! Redaction: the net under the rule that secrets never enter the trail.
//!
//! What must stay true here: what is taken out is replaced by visible text that names the rule
//! (`[redacted:jwt]`); text around it stays; text without the anchor of any rule costs nothing
//! beyond the class scan the encoder makes anyway; every rule runs in linear time.

mod card;
mod name;
mod rule;
mod shape;

pub use rule::{RedactionConfig, RedactionRule, Rule};

use std::sync::Arc;

use crate::text::class::{ANCHORS, DIGIT};

/// What a member named like the start of a token keeps of its value.
pub(crate) const TOKEN_PREFIX: usize = 8;
/// What the name of a member says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameRule {
    /// Nothing.
    Keep,
    /// It is the start of a secret: at most [`TOKEN_PREFIX`] characters.
    Prefix,
    /// It is a secret, unless it is null or a boolean.
    Redact(Rule),
}

/// The anchors worth looking at: digits are everywhere, but rarely enough of them in a row.
#[inline]
fn anchors_in(text: &str, class: u8) -> u8 {
    let anchors = class & ANCHORS;
    if anchors & DIGIT != 0 && !card::may_hold(text.as_bytes()) {
        anchors & !DIGIT
    } else {
        anchors
    }
}

/// The rules in force.
#[derive(Debug, Clone)]
pub(crate) struct Redaction {
    /// One bit per [`Rule`].
    on: u32,
    own: Vec<Arc<dyn RedactionRule>>,
}

impl Default for Redaction {
    fn default() -> Redaction {
        let mut redaction = Redaction { on: 0, own: Vec::new() };
        redaction.configure(&RedactionConfig::default());
        redaction
    }
}

impl Redaction {
    /// No secret of a known shape is shorter than this.
    pub(crate) const SHORTEST: usize = 13;

    /// False if a rule of the user's own must see every string.
    #[inline]
    pub(crate) fn is_built_in(&self) -> bool {
        self.own.is_empty()
    }

    pub(crate) fn configure(&mut self, config: &RedactionConfig) {
        self.on = 0;
        if config.enabled {
            for rule in Rule::ALL {
                if !config.off.contains(&rule) {
                    self.on |= rule.bit();
                }
            }
        }
    }

    pub(crate) fn add(&mut self, rule: Arc<dyn RedactionRule>) {
        self.own.push(rule);
    }

    fn has(&self, rule: Rule) -> bool {
        self.on & rule.bit() != 0
    }

    /// What the name of a member demands.
    #[inline]
    pub(crate) fn name_rule(&self, name: &str) -> NameRule {
        match name::classify(name) {
            NameRule::Redact(rule) if !self.has(rule) => NameRule::Keep,
            NameRule::Keep if !self.own.is_empty() => self.own_name_rule(name),
            other => other,
        }
    }

    fn own_name_rule(&self, name: &str) -> NameRule {
        match self.own.iter().any(|rule| rule.redacts_member(name)) {
            true => NameRule::Redact(Rule::Custom),
            false => NameRule::Keep,
        }
    }

    /// False if [`Redaction::redact`] would certainly find nothing.
    #[inline]
    pub(crate) fn may_find(&self, text: &str, class: u8) -> bool {
        (text.len() >= Redaction::SHORTEST && anchors_in(text, class) != 0) || !self.own.is_empty()
    }

    /// Writes `text` without its secrets to `out`; false, with `out` empty, if there are none.
    pub(crate) fn redact(&self, text: &str, class: u8, out: &mut String) -> bool {
        let mut found = false;
        let anchors = anchors_in(text, class);
        if text.len() >= Redaction::SHORTEST && anchors != 0 && self.on != 0 {
            let mut kept = 0;
            shape::find_all(text.as_bytes(), anchors, |rule, range| {
                if self.has(rule) {
                    // Every shape begins and ends at an ASCII byte, or at the end of the text.
                    out.push_str(&text[kept..range.start]);
                    out.push_str(rule.mark());
                    kept = range.end;
                }
            });
            if kept > 0 {
                out.push_str(&text[kept..]);
                found = true;
            }
        }
        for rule in &self.own {
            let redacted = rule::apply(rule.as_ref(), if found { out.as_str() } else { text });
            if let Some(redacted) = redacted {
                *out = redacted;
                found = true;
            }
        }
        found
    }

    /// What stands for a JSON number that is a card number.
    #[inline]
    pub(crate) fn number_mark(&self, digits: &str) -> Option<&'static str> {
        let card = digits.len() >= Redaction::SHORTEST
            && self.has(Rule::PaymentCard)
            && card::is_card_number(digits.strip_suffix(".0").unwrap_or(digits).as_bytes());
        card.then(|| Rule::PaymentCard.mark())
    }
}
