//! The JSON of all members, made piece by piece. A large group takes many megabytes, and a slow
//! client would hold them.

use std::sync::Arc;

use bytes::Bytes;
use kinfolk::{NodeStatus, Snapshot};
use serde::Serialize;

use super::filter::MemberFilter;
use super::state::AppState;
use super::views::{MemberView, MembersHead, Viewer};

/// The JSON of a [`MembersView`](super::views::MembersView), in pieces.
#[derive(Debug)]
pub(super) struct MembersChunks {
    head: Option<MembersHead>,
    /// It shares the nodes with the registry.
    nodes: Arc<Snapshot>,
    next: usize,
    is_first: bool,
    filter: MemberFilter,
    /// Adds what only this agent knows. `None` for what the members state alone.
    viewer: Option<Viewer>,
}

impl MembersChunks {
    /// The members that pass the filter, with what only this agent knows of them.
    pub(super) async fn viewed(state: &AppState, filter: MemberFilter) -> Self {
        let viewer = Viewer::new(&state.cluster).await;
        Self { filter, viewer: Some(viewer), ..Self::stated(state) }
    }

    /// All members, with what they state alone.
    pub(super) fn stated(state: &AppState) -> Self {
        let cluster = &state.cluster;
        let head = MembersHead {
            node: cluster.id().clone(),
            cluster: state.identity.cluster().clone(),
            partition: cluster.partition_status().into(),
        };
        let nodes = cluster.members();
        let filter = MemberFilter::default();
        Self { head: Some(head), nodes, next: 0, is_first: true, filter, viewer: None }
    }

    /// The next piece, of about `bytes` bytes. `None` after the last one.
    pub(super) fn next_chunk(&mut self, bytes: usize) -> Option<Bytes> {
        let mut text = Vec::new();
        if let Some(head) = self.head.take() {
            // The head without its last bracket, which comes after the members.
            write(&mut text, &head);
            text.pop();
            text.extend_from_slice(b",\"members\":[");
        }
        while text.len() < bytes {
            match self.nodes.nodes().get(self.next) {
                Some(node) if self.filter.admits(node) => {
                    if !std::mem::take(&mut self.is_first) {
                        text.push(b',');
                    }
                    write(&mut text, &self.view(node));
                    self.next += 1;
                }
                Some(_) => self.next += 1,
                None if self.next == self.nodes.nodes().len() => {
                    // One further, so that the end comes once.
                    self.next += 1;
                    text.extend_from_slice(b"]}");
                }
                None => break,
            }
        }
        (!text.is_empty()).then(|| text.into())
    }

    fn view(&self, node: &NodeStatus) -> MemberView {
        self.viewer.as_ref().map_or_else(|| MemberView::stated(node), |viewer| viewer.member(node))
    }
}

fn write(text: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(text, value)
        .expect("the views have only names as keys, and memory takes all bytes");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use kinfolk::{Cluster, ClusterCa, ClusterConfig};

    use super::*;
    use crate::api::filter::MembersQuery;
    use crate::api::views::MembersView;
    use crate::api::{Reload, Reports};

    async fn state() -> AppState {
        let ca = ClusterCa::create(&"test".parse().unwrap()).unwrap();
        let identity = ca.issue(&"a".parse().unwrap(), Duration::from_hours(1)).unwrap();
        let config = ClusterConfig::new(identity.clone(), ([127, 0, 0, 1], 0).into());
        let cluster = Cluster::start(config).unwrap();
        let seeds: [&str; 0] = [];
        cluster.join(&seeds).await.unwrap();
        let (reload, _) = Reload::new();
        AppState::new(cluster, identity, Arc::default(), (reload, Reports::default()))
    }

    fn together(mut chunks: MembersChunks, bytes: usize) -> MembersView {
        let mut text = Vec::new();
        while let Some(chunk) = chunks.next_chunk(bytes) {
            text.extend_from_slice(&chunk);
        }
        assert!(chunks.next_chunk(bytes).is_none(), "the end comes once");
        serde_json::from_slice(&text).unwrap()
    }

    #[tokio::test]
    async fn pieces_of_any_size_are_one_view() {
        let state = state().await;
        for bytes in [1, 50, 1_000_000] {
            let view = together(MembersChunks::stated(&state), bytes);
            assert_eq!((view.head.node.as_str(), view.members.len()), ("a", 1));
            let viewed = MembersChunks::viewed(&state, MemberFilter::default()).await;
            assert_eq!(together(viewed, bytes).members[0].name.as_str(), "a");
        }
        let failed = MemberFilter::from(serde_html_form::from_str::<MembersQuery>("state=failed").unwrap());
        assert_eq!(together(MembersChunks::viewed(&state, failed).await, 1).members, []);
        state.cluster.shutdown_now();
    }
}
