//! What this member says about itself: its tags, its services, its condition. Each call changes one
//! thing, and none undoes another one that runs at the same time.

use std::time::Duration;

use kinfolk_core::{
    About, Condition, NameError, OfferError, Service, ServiceName, Services, Tags, TagsError,
};
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::error::ClusterError;
use crate::task::BackgroundTask;

/// After this time all members know a new statement, also in a large cluster: in the simulator 99 %
/// of 1,000 members know it within 75 ms on links of 10 ms.
const SPREADS_WITHIN: Duration = Duration::from_secs(1);

impl Cluster {
    /// Replaces all tags and sends them to the other members.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] if this member has left or has shut down.
    ///
    /// # Cancel safety
    /// The tags may be replaced even if the future is dropped.
    pub async fn update_tags(&self, tags: Tags) -> Result<(), ClusterError> {
        self.describe(|about| Ok(About { tags, ..about.clone() })).await
    }

    /// Changes the tags by a function of the present ones. It runs once. Other changes wait until
    /// it has returned, so it must be quick and must not call this member.
    ///
    /// # Errors
    /// [`ClusterError::Tags`] if the function fails; [`ClusterError::Gossip`] if this member has
    /// left or has shut down.
    ///
    /// # Cancel safety
    /// The tags may be changed even if the future is dropped.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn count(cluster: &kinfolk::Cluster) -> Result<(), kinfolk::ClusterError> {
    /// cluster.update_tags_with(|tags| { let shards: u32 = tags.get("shards").and_then(|shards|
    /// shards.parse().ok()).unwrap_or(0);
    ///     tags.with("shards", &(shards + 1).to_string())
    /// }).await
    /// # }
    /// ```
    pub async fn update_tags_with(
        &self,
        change: impl FnOnce(&Tags) -> Result<Tags, TagsError>,
    ) -> Result<(), ClusterError> {
        self.describe(|about| Ok(About { tags: change(&about.tags)?, ..about.clone() })).await
    }

    /// Changes tags and services together, by a function of the present ones. The other members
    /// learn of all changes with one statement, and never see a part of them. The function runs
    /// once. Other changes wait until it has returned, so it must be quick and must not call this
    /// member.
    ///
    /// # Errors
    /// The error of the function, which has changed nothing then; [`ClusterError::Gossip`] if this
    /// member has left or has shut down.
    ///
    /// # Cancel safety
    /// The change may happen even if the future is dropped.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn move_to(cluster: &kinfolk::Cluster) -> Result<(), kinfolk::ClusterError> {
    /// cluster.update_with(|tags, services| {
    ///     Ok((tags.with("generation", "2")?, services.without("old")))
    /// }).await
    /// # }
    /// ```
    pub async fn update_with(
        &self,
        change: impl FnOnce(&Tags, &Services) -> Result<(Tags, Services), ClusterError>,
    ) -> Result<(), ClusterError> {
        self.describe(|about| {
            let (tags, services) = change(&about.tags, &about.services)?;
            Ok(About { tags, services, ..about.clone() })
        })
        .await
    }

    /// Sets one tag.
    ///
    /// # Errors
    /// [`ClusterError::Tags`] if the tags are over a bound with it; [`ClusterError::Gossip`] if
    /// this member has left or has shut down.
    ///
    /// # Cancel safety
    /// The tag may be set even if the future is dropped.
    pub async fn set_tag(&self, key: &str, value: &str) -> Result<(), ClusterError> {
        self.update_tags_with(|tags| tags.with(key, value)).await
    }

    /// Removes one tag, if it is there.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] if this member has left or has shut down.
    ///
    /// # Cancel safety
    /// The tag may be removed even if the future is dropped.
    pub async fn remove_tag(&self, key: &str) -> Result<(), ClusterError> {
        self.update_tags_with(|tags| Ok(tags.without(key))).await
    }

    /// Offers a service under this name, or replaces the offer of this name.
    ///
    /// # Errors
    /// [`ClusterError::Name`] if the name is not a DNS label; [`ClusterError::Offer`] if the
    /// services are over a bound with it; [`ClusterError::Gossip`] if this member has left or has
    /// shut down.
    ///
    /// # Cancel safety
    /// The service may be offered even if the future is dropped.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn offer(cluster: &kinfolk::Cluster) -> Result<(), Box<dyn std::error::Error>> {
    /// use kinfolk::{Service, Tags};
    /// let meta = Tags::new([("version", "17")])?;
    /// cluster.offer("db", Service::new(5432).with_meta(meta)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn offer(&self, name: &str, service: Service) -> Result<(), ClusterError> {
        let name = named(name)?;
        self.describe(|about| Ok(About { services: about.services.with(name, service)?, ..about.clone() }))
            .await
    }

    /// Withdraws a service, if this member offers it.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] if this member has left or has shut down.
    ///
    /// # Cancel safety
    /// The service may be withdrawn even if the future is dropped.
    pub async fn withdraw(&self, name: &str) -> Result<(), ClusterError> {
        self.describe(|about| Ok(About { services: about.services.without(name), ..about.clone() })).await
    }

    /// Sets the condition of a service that this member offers.
    ///
    /// # Errors
    /// [`ClusterError::Offer`] if this member does not offer the service;
    /// [`ClusterError::Gossip`] if it has left or has shut down.
    ///
    /// # Cancel safety
    /// The condition may be set even if the future is dropped.
    pub async fn set_service_condition(&self, name: &str, condition: Condition) -> Result<(), ClusterError> {
        let name = named(name)?;
        self.describe(|about| {
            let offered = about.services.get(name.as_str());
            let service = offered.ok_or_else(|| OfferError::NotOffered { name: name.clone() })?;
            let service = service.clone().with_condition(condition);
            Ok(About { services: about.services.with(name, service)?, ..about.clone() })
        })
        .await
    }

    /// Sets the condition of this member, which counts for all its services.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] if this member has left or has shut down.
    ///
    /// # Cancel safety
    /// The condition may be set even if the future is dropped.
    pub async fn set_condition(&self, condition: Condition) -> Result<(), ClusterError> {
        let (about, revision) = self.inner.description.state_condition(condition);
        Ok(self.inner.protocol.describe(about, revision).await?)
    }

    /// Announces a planned absence: for at most `length` no member chooses this one's services, nor
    /// declares it failed, even if it is silent or its process has ended. Afterwards the ordinary
    /// rules hold. The maintenance ends by itself after `length`, when this member
    /// [ends](Maintenance::end) it, and when it starts again.
    ///
    /// `length` is at most [24 hours](Condition::MAINTENANCE_MAX); more counts as that. A second
    /// maintenance replaces the first, whose time then ends nothing.
    ///
    /// Returns a second after the announcement. The others know it then, and this process may end.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] if this member has left or has shut down.
    ///
    /// # Cancel safety
    /// The maintenance may begin even if the future is dropped; then nothing ends it early.
    pub async fn maintenance(&self, length: Duration, note: &str) -> Result<Maintenance, ClusterError> {
        let condition = Condition::maintenance(length, note);
        let length = condition.maintenance_length().unwrap_or_default();
        let (about, stated) = self.inner.description.state_condition(condition);
        self.inner.protocol.describe(about, stated).await?;
        let cluster = self.weak();
        self.inner.tasks.add(BackgroundTask::start(async move {
            sleep(length).await;
            if let Some(cluster) = cluster.upgrade() {
                // It fails only if the member has left or has shut down, which ends it as well.
                let _over = cluster.end_maintenance(stated).await;
            }
        }));
        // The caller may stop the process at once, and the others must know before that.
        sleep(SPREADS_WITHIN.min(length)).await;
        Ok(Maintenance { cluster: self.clone(), stated })
    }

    /// Ends the maintenance that was stated with this revision, unless another condition was stated
    /// since.
    async fn end_maintenance(&self, stated: u64) -> Result<(), ClusterError> {
        match self.inner.description.replace_condition(stated, Condition::Passing) {
            Some((about, revision)) => Ok(self.inner.protocol.describe(about, revision).await?),
            None => Ok(()),
        }
    }

    async fn describe(
        &self,
        change: impl FnOnce(&About) -> Result<About, ClusterError>,
    ) -> Result<(), ClusterError> {
        let (about, revision) = self.inner.description.change(change)?;
        Ok(self.inner.protocol.describe(about, revision).await?)
    }
}

fn named(name: &str) -> Result<ServiceName, NameError> {
    ServiceName::new(name)
}

/// A planned absence. Dropping it changes nothing: the maintenance then ends after its time.
#[derive(Debug)]
pub struct Maintenance {
    cluster: Cluster,
    /// The revision of the description that announced it.
    stated: u64,
}

impl Maintenance {
    /// Ends the maintenance before its time.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] if this member has left or has shut down.
    ///
    /// # Cancel safety
    /// The maintenance may end even if the future is dropped.
    pub async fn end(self) -> Result<(), ClusterError> {
        self.cluster.end_maintenance(self.stated).await
    }
}
