//! What the API sends and receives, as types. The server writes them, the commands read them, and
//! the OpenAPI document describes them.

mod actions;
mod agent;
mod certificates;
mod coordinates;
mod events;
mod explain;
mod members;
mod round_trips;
mod services;
mod stats;

pub(crate) use actions::{
    ForgottenView, LeftView, MaintenanceEndedView, MaintenanceRequest, MaintenanceView, NewEvent,
    ReloadedView, RevocationRequest, RevokedView, SentEventView, TagChanges, TagValue, TagsView,
};
pub(crate) use agent::{AgentView, HealthView};
pub(crate) use certificates::{CertificateView, CertificatesView};
pub(crate) use coordinates::{CoordinateView, CoordinatesView, StatedCoordinateView};
pub(crate) use events::{EventView, LostView};
pub(crate) use explain::{ExplainView, FindingView};
pub(crate) use members::{
    HealthName, MemberView, MembersHead, MembersView, OfferView, PartitionView, StateName, SuspicionView,
    Viewer,
};
pub(crate) use round_trips::{RoundTripSource, RoundTripView, RoundTripsView};
pub(crate) use services::{
    ChoiceView, InstanceView, Report, ReportedHealth, ServiceCountView, ServiceView, ServicesView,
};
pub(crate) use stats::{ApiView, StatsView};

/// A time in whole milliseconds.
pub(crate) fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A time in whole microseconds.
pub(crate) fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
