//! A whole trail in pieces of equal size, several at a time, in either direction.
//!
//! What must stay true here: each line belongs to exactly one piece, whatever the pieces' bounds;
//! what is found is handed on in the trail's order or exactly against it, whoever was faster; and
//! memory does not grow with the trail.

mod block;
mod ordered;
mod plan;

pub(crate) use block::{Ending, Reader};
pub(crate) use ordered::ordered;
pub(crate) use plan::{Bounds, Piece, Plan, Segment};
