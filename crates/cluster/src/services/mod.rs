//! Services: what this member offers, and which member to call.
//!
//! | file | what it does |
//! |---|---|
//! | `offer.rs` | this member's own services, tags, and condition |
//! | `instance.rs` | a service as another member offers it |
//! | `changes.rs` | the changes of a service between a snapshot and later events |
//! | `watch.rs` | a subscription that starts with the present state |
//! | `selector.rs` | choosing an instance, with a cached pool |
//! | `usage.rs` | calls in flight and failed calls, shared by the selectors of a service |
//! | `lease.rs` | one call to a chosen instance |
//! | `check.rs` | local health checks that set the condition of a service |
//! | `check_http.rs` | a check over HTTP (feature `http-check`) |

mod changes;
mod check;
#[cfg(feature = "http-check")]
mod check_http;
mod instance;
mod lease;
mod offer;
mod selector;
mod usage;
mod watch;

pub use check::{Check, CheckHandle, CheckOutcome, Ttl};
pub use instance::ServiceInstance;
pub use lease::Lease;
pub use offer::Maintenance;
pub use selector::{SelectError, Selector};
pub(crate) use usage::Usages;
pub use watch::{ServiceEvent, ServiceWatch, SnapshotSubscription};
