//! What the frameworks ask of an audit trail.
//!
//! What must stay true here: clauses are named as their publishers name them, in our own words. Each
//! says what the trail shows and what has to come from elsewhere; none is ever called fulfilled.

mod gdpr;
mod hipaa;
mod iso27001;
mod pci;
mod soc2;

use serde::Serialize;

use super::measure::{Evidence, Facts, Measure, State};

/// A framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// SOC 2.
    Soc2,
    /// The General Data Protection Regulation.
    Gdpr,
    /// ISO/IEC 27001.
    Iso27001,
    /// The HIPAA Security Rule.
    Hipaa,
    /// PCI DSS.
    Pci,
}

/// A clause, and what a report has to say about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clause {
    /// As its publisher numbers it.
    pub(super) id: &'static str,
    /// What it is about.
    pub(super) title: &'static str,
    /// What it asks, in our words.
    pub(super) asks: &'static str,
    /// What the trail shows of it.
    pub(super) measures: &'static [Measure],
    /// What it cannot show.
    pub(super) elsewhere: &'static str,
}

/// A clause with its answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Answered {
    /// As its publisher numbers it.
    pub id: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// What it asks, in our words.
    pub asks: &'static str,
    /// The strongest state of its evidence.
    pub state: State,
    /// What the trail shows.
    pub evidence: Vec<Evidence>,
    /// What has to come from elsewhere.
    pub elsewhere: &'static str,
}

impl Kind {
    /// The framework and its edition.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Kind::Soc2 => "SOC 2",
            Kind::Gdpr => "GDPR",
            Kind::Iso27001 => "ISO/IEC 27001:2022",
            Kind::Hipaa => "HIPAA Security Rule",
            Kind::Pci => "PCI DSS v4.0.1",
        }
    }

    /// What its clauses are taken from.
    #[must_use]
    pub const fn source(self) -> &'static str {
        match self {
            Kind::Soc2 => {
                "AICPA Trust Services Criteria, TSP section 100 (2017, points of focus revised 2022), common criteria"
            }
            Kind::Gdpr => "Regulation (EU) 2016/679",
            Kind::Iso27001 => "ISO/IEC 27001:2022, Annex A",
            Kind::Hipaa => "45 CFR part 164, subpart C",
            Kind::Pci => "PCI DSS v4.0.1 (June 2024), requirement 10",
        }
    }

    const fn clauses(self) -> &'static [Clause] {
        match self {
            Kind::Soc2 => soc2::CLAUSES,
            Kind::Gdpr => gdpr::CLAUSES,
            Kind::Iso27001 => iso27001::CLAUSES,
            Kind::Hipaa => hipaa::CLAUSES,
            Kind::Pci => pci::CLAUSES,
        }
    }

    pub(super) fn answered(self, facts: &Facts<'_>) -> Vec<Answered> {
        let answer = |clause: &Clause| {
            let evidence: Vec<Evidence> =
                clause.measures.iter().map(|measure| measure.answer(facts)).collect();
            Answered {
                id: clause.id,
                title: clause.title,
                asks: clause.asks,
                state: evidence.iter().map(|one| one.state).max().unwrap_or(State::Nothing),
                evidence,
                elsewhere: clause.elsewhere,
            }
        };
        self.clauses().iter().map(answer).collect()
    }
}
