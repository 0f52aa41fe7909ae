//! Compares the settings of two configurations, one by one, for a reload.

use super::Settings;

/// How one setting of a configuration compares with that of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Compared {
    /// The name of the setting in the file.
    pub(crate) name: &'static str,
    /// Whether the later configuration gives it.
    pub(crate) is_given: bool,
    pub(crate) has_changed: bool,
}

/// Declares what goes through all settings but the tags and the services: a reload compares these
/// one by one. The pattern makes a setting that is missing in the list an error.
macro_rules! through {
    ($($field:ident)*; without $($other:ident)*) => {
        impl Settings {
            /// Compares each setting with that of `after`.
            pub(crate) fn compare(&self, after: &Self) -> Vec<Compared> {
                let nothing = Settings::default();
                let Settings { $($field,)* $($other: _,)* } = after;
                vec![$(Compared {
                    name: stringify!($field),
                    is_given: *$field != nothing.$field,
                    has_changed: *$field != self.$field,
                }),*]
            }

            /// Takes the settings of `from` with these names.
            pub(crate) fn take(&mut self, from: &Self, is_taken: impl Fn(&str) -> bool) {
                $(if is_taken(stringify!($field)) {
                    self.$field.clone_from(&from.$field);
                })*
            }
        }
    };
}

through! {
    cert key ca listen advertise join join_attempts state_dir rejoin_after_stop socket
    http http_cert http_key http_client_ca http_tokens http_role http_hosts
    log_level log_format event_log mode tolerated_pause probe_interval probe_timeout
    partition_grace quorum_percent accusers_required flap_damping tombstone_ttl
    pool_max_total pool_idle_timeout coordinates leave_timeout;
    without tags services
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_and_changed_settings_are_found() {
        let settings = |text: &str| crate::config::file::parse(text).unwrap();
        let before = settings("listen = '127.0.0.1:1'\nmode = 'swim'\nlog_level = 'info'");
        let after = settings("listen = '127.0.0.1:2'\nlog_level = 'info'\n[tags]\nrole = 'db'");
        let compared = before.compare(&after);
        let names = |wanted: fn(&Compared) -> bool| -> Vec<&str> {
            compared.iter().filter(|compared| wanted(compared)).map(|compared| compared.name).collect()
        };
        assert_eq!(names(|compared| compared.has_changed), ["listen", "mode"]);
        assert_eq!(names(|compared| compared.is_given), ["listen", "log_level"]);
        let mut running = before.clone();
        running.take(&after, |name| name == "mode");
        assert_eq!((running.mode, running.listen), (None, before.listen));
    }
}
