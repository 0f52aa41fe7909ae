//! The locator and the publisher from outside: accuracy, bounds, false coordinates, and the rule of
//! statements.

mod groups;
mod liars;
mod locator;
mod publisher;
mod support;
