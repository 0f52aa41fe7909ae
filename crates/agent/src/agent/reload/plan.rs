//! What a reload does: the differences between two configurations. Pure.

use std::collections::BTreeMap;

use kinfolk::{ServiceName, Tags, TagsError};

use crate::api::views::ReloadedView;
use crate::config::{AgentConfig, Compared, ServiceTables, Settings};

/// The settings that change while the agent runs, besides tags and services. Those of the HTTP port
/// belong to them as long as the port keeps its address.
const LIVE: [&str; 5] = ["cert", "key", "ca", "join", "log_level"];

/// Whether a setting changes while the agent runs. `keeps_port`: the HTTP port keeps its address.
fn is_live(name: &str, keeps_port: bool) -> bool {
    LIVE.contains(&name) || name.starts_with("http_") && keeps_port
}

/// The differences between the configuration in use and the one that was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// What the answer says of them.
    pub(super) answer: ReloadedView,
    /// The tags to set, and those to remove.
    tags: BTreeMap<String, Option<String>>,
    /// The services that are new, changed, or gone.
    pub(super) services: Vec<ServiceName>,
}

impl Plan {
    /// `running` has the settings in use, and `before` the configuration that was read last. They
    /// differ in what waits for a restart.
    pub(super) fn new(running: &Settings, before: &AgentConfig, after: &AgentConfig) -> Self {
        let mut plan = Self::default();
        plan.compare_settings(running, before, after);
        plan.compare_tags(before, after);
        plan.compare_services(&before.services, &after.services);
        plan
    }

    fn compare_settings(&mut self, running: &Settings, before: &AgentConfig, after: &AgentConfig) {
        let keeps_port = running.http == after.settings.http;
        let in_file = before.in_file.compare(&after.in_file);
        let all = running.compare(&after.settings);
        for (Compared { name, is_given, has_changed }, in_file) in all.into_iter().zip(in_file) {
            let list = match (has_changed, is_live(name, keeps_port)) {
                (true, true) => &mut self.answer.applied,
                (true, false) => &mut self.answer.restart,
                // With a flag, the file has no say.
                (false, _) if in_file.has_changed && after.is_overruled(name) => &mut self.answer.overruled,
                (false, _) if is_given => &mut self.answer.unchanged,
                (false, _) => continue,
            };
            list.push(name.to_owned());
        }
    }

    /// Notes in `running` what is in use when the plan has been carried out.
    pub(super) fn note_in_use(running: &mut Settings, after: &AgentConfig) {
        let keeps_port = running.http == after.settings.http;
        running.take(&after.settings, |name| is_live(name, keeps_port));
    }

    /// Only what the configuration changed since it was read last is changed here too. So a tag
    /// that an operator set meanwhile stays.
    fn compare_tags(&mut self, before: &AgentConfig, after: &AgentConfig) {
        self.tags = differences(before.tags.iter(), after.tags.iter());
        let (file_before, file_after) = (before.tags_in_file(), after.tags_in_file());
        let in_file = differences(file_before.iter(), file_after.iter());
        let name = |key: &str| format!("tags.{key}");
        self.answer.applied.extend(self.tags.keys().map(|key| name(key)));
        // A flag or the variable has the tag too, with another value.
        let is_overruled = |key: &str| {
            let in_file = in_file.get(key);
            !self.tags.contains_key(key)
                && in_file.is_some_and(|value| value.as_deref() != after.tags.get(key))
        };
        let overruled = in_file.keys().filter(|key| is_overruled(key));
        self.answer.overruled.extend(overruled.map(|key| name(key)));
        let others = after.tags.iter().map(|(key, _)| key);
        let unchanged = others.filter(|key| !self.tags.contains_key(*key) && !is_overruled(key));
        self.answer.unchanged.extend(unchanged.map(name));
    }

    fn compare_services(&mut self, before: &ServiceTables, after: &ServiceTables) {
        let names = before.offered.iter().chain(after.offered.iter()).map(|(name, _)| name);
        let names: std::collections::BTreeSet<_> = names.collect();
        for name in names {
            if before.has_same(after, name) {
                self.answer.unchanged.push(format!("services.{name}"));
            } else {
                self.answer.applied.push(format!("services.{name}"));
                self.services.push(name.clone());
            }
        }
    }

    /// Whether the member says something else about itself afterwards.
    pub(super) fn changes_description(&self) -> bool {
        !self.tags.is_empty() || !self.services.is_empty()
    }

    /// These tags with the changes.
    ///
    /// # Errors
    /// They are over a bound then.
    pub(super) fn change_tags(&self, tags: &Tags) -> Result<Tags, TagsError> {
        let kept = tags.iter().filter(|(key, _)| !self.tags.contains_key(*key));
        let set = self.tags.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_deref()?)));
        Tags::new(kept.chain(set))
    }

    /// The files of these settings have other contents.
    pub(super) fn note_new_contents(&mut self, names: Vec<&'static str>) {
        for name in names {
            if !self.answer.applied.iter().any(|applied| applied == name) {
                self.answer.unchanged.retain(|unchanged| unchanged != name);
                self.answer.applied.push(name.to_owned());
            }
        }
    }
}

/// What to set, and what to remove (`None`), to make `after` of `before`.
fn differences<'a>(
    before: impl Iterator<Item = (&'a str, &'a str)>,
    after: impl Iterator<Item = (&'a str, &'a str)>,
) -> BTreeMap<String, Option<String>> {
    let before: BTreeMap<_, _> = before.collect();
    let mut changes: BTreeMap<_, _> = before.keys().map(|key| ((*key).to_owned(), None)).collect();
    for (key, value) in after {
        if before.get(key) == Some(&value) {
            changes.remove(key);
        } else {
            changes.insert(key.to_owned(), Some(value.to_owned()));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::test_config;

    const NEEDED: &str = "cert = 'a'\nkey = 'b'\nca = 'c'\nlisten = '127.0.0.1:1'\n";

    /// The plan for a file that changes from `before` to `after`, with these flags.
    fn plan(flags: &[&str], before: &str, after: &str) -> Plan {
        let of = |text: &str| test_config(flags, &format!("{NEEDED}{text}")).unwrap();
        let before = of(before);
        Plan::new(&before.settings, &before, &of(after))
    }

    #[test]
    fn unchanged_file_changes_nothing() {
        let text = "log_level = 'debug'\n[tags]\nrole = 'db'\n[services.db]\nport = 1\n";
        let plan = plan(&[], text, text);
        let unchanged = ["cert", "key", "ca", "listen", "log_level", "tags.role", "services.db"];
        let unchanged = unchanged.map(str::to_owned).to_vec();
        assert_eq!(plan.answer, ReloadedView { unchanged, ..ReloadedView::default() });
        assert!(!plan.changes_description());
    }

    #[test]
    fn each_change_is_in_one_list() {
        let plan = plan(
            &["--log-level", "info", "--tag", "zone=a"],
            "mode = 'swim'\nlog_level = 'warn'\nhttp = '127.0.0.1:1'\n[tags]\nzone = 'b'\nold = '1'\n",
            "join = ['b:1']\nlog_level = 'debug'\nhttp = '127.0.0.1:1'\nhttp_role = 'write'\n[tags]\nzone = 'c'\nrole = 'db'\n",
        );
        assert_eq!(plan.answer.applied, ["join", "http_role", "tags.old", "tags.role"]);
        assert_eq!(plan.answer.restart, ["mode"]);
        assert_eq!(plan.answer.overruled, ["log_level", "tags.zone"]);
        assert_eq!(plan.answer.unchanged, ["cert", "key", "ca", "listen", "http"]);
    }

    #[test]
    fn settings_of_a_port_with_another_address_wait_for_a_restart() {
        let plan = plan(&[], "http = '127.0.0.1:1'", "http = '127.0.0.1:2'\nhttp_role = 'write'");
        assert_eq!(plan.answer.restart, ["http", "http_role"]);
    }

    /// The comparison is with what is in use, so a second reload names them again.
    #[test]
    fn setting_that_needs_a_restart_is_named_until_then() {
        let of = |text: &str| test_config(&[], &format!("{NEEDED}{text}")).unwrap();
        let (first, second) = (of("mode = 'swim'\nlog_level = 'warn'"), of("mode = 'lifeguard'"));
        let mut running = first.settings.clone();
        Plan::note_in_use(&mut running, &second);
        assert_eq!((running.mode, &running.log_level), (first.settings.mode, &None));
        assert_eq!(Plan::new(&running, &second, &second).answer.restart, ["mode"]);
        assert_eq!(Plan::new(&running, &second, &first).answer.restart, [""; 0]);
    }

    #[test]
    fn tags_that_the_file_did_not_change_stay() {
        let plan = plan(&[], "[tags]\na = '1'\nb = '1'\nc = '1'", "[tags]\na = '2'\nb = '1'\nd = '1'");
        let set_since = Tags::new([("a", "9"), ("b", "9"), ("c", "9"), ("x", "9")]).unwrap();
        let expected = Tags::new([("a", "2"), ("b", "9"), ("d", "1"), ("x", "9")]).unwrap();
        assert_eq!(plan.change_tags(&set_since), Ok(expected));
        let long = "v".repeat(16 * 1024);
        assert!(plan.change_tags(&Tags::new([("x", &long[..16_300])]).unwrap()).is_ok());
        assert!(Tags::new([("x", long.as_str())]).is_err(), "there is a bound");
    }

    #[test]
    fn services_are_compared_with_their_checks() {
        let plan = plan(
            &[],
            "[services.a]\nport = 1\n[services.b]\nport = 2\ncheck = { ttl = '1s' }\n[services.c]\nport = 3",
            "[services.a]\nport = 1\n[services.b]\nport = 2\ncheck = { ttl = '2s' }\n[services.d]\nport = 3",
        );
        assert_eq!(plan.answer.applied, ["services.b", "services.c", "services.d"]);
        assert_eq!(plan.services.len(), 3);
        assert!(plan.answer.unchanged.contains(&"services.a".to_owned()));
    }
}
