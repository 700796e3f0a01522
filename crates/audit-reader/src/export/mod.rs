//! Entries in the forms that other programs take.
//!
//! What must stay true here: a form is a way to write an entry down, never a choice of what is in it:
//! every record leads back to its entry by `seq` and `hash`.

pub mod csv;
