//! The settings of the HTTP port, checked against each other. A port that other machines reach is
//! never without TLS and known clients.

use super::Settings;
use super::form::FilePath;
use crate::api::{Role, TcpConfig, TlsFiles};

/// The configuration of the port. `None` if the settings have no port.
///
/// # Errors
/// Two settings contradict each other, or one is missing.
pub(super) fn check(settings: &Settings) -> Result<Option<TcpConfig>, String> {
    let path = |path: &Option<FilePath>| path.clone().map(|path| path.0);
    let Some(addr) = settings.http.map(|addr| addr.0) else {
        return match given(settings) {
            Some(name) => {
                Err(format!("`{name}` has no effect without `http`; give `http` too, or leave it out"))
            }
            None => Ok(None),
        };
    };
    let is_local = addr.ip().is_loopback();
    let tokens = path(&settings.http_tokens);
    if !is_local && tokens.is_none() {
        return Err(format!(
            "cannot serve HTTP at {addr} without tokens, because other machines reach it; give `http_tokens`, or a \
             loopback address such as 127.0.0.1:{}",
            addr.port()
        ));
    }
    if !is_local && settings.http_role.is_some() {
        return Err(format!("`http_role` is only for a loopback address, and {addr} is none; leave it out"));
    }
    let client_ca = path(&settings.http_client_ca);
    if client_ca.is_some() && tokens.is_none() {
        let advice = "give `http_tokens` with lines such as `read cert:ops.example.com`";
        return Err(format!("`http_client_ca` alone gives no client a role; {advice}"));
    }
    let own = match (path(&settings.http_cert), path(&settings.http_key)) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        _ => return Err("`http_cert` and `http_key` belong together; give both, or none".to_owned()),
    };
    let uses_tls = !is_local || own.is_some() || client_ca.is_some();
    let files = own.or_else(|| Some((path(&settings.cert)?, path(&settings.key)?)));
    let tls = files.filter(|_| uses_tls).map(|(cert, key)| TlsFiles { cert, key, client_ca });
    // With tokens the clients are known, so that one without a token is a mistake.
    let open = if is_local && tokens.is_none() { Some(Role::Read) } else { None };
    let anonymous = settings.http_role.or(open);
    let hosts = settings.http_hosts.iter().flatten().map(|name| name.0.clone()).collect();
    Ok(Some(TcpConfig { addr, tls, tokens, anonymous, hosts }))
}

/// A setting that needs the port.
fn given(settings: &Settings) -> Option<&'static str> {
    [
        ("http_cert", settings.http_cert.is_some()),
        ("http_key", settings.http_key.is_some()),
        ("http_client_ca", settings.http_client_ca.is_some()),
        ("http_tokens", settings.http_tokens.is_some()),
        ("http_role", settings.http_role.is_some()),
        ("http_hosts", settings.http_hosts.is_some()),
    ]
    .into_iter()
    .find_map(|(name, is_given)| is_given.then_some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<Option<TcpConfig>, String> {
        let files = "cert = 'n.pem'\nkey = 'n-key.pem'\n";
        check(&crate::config::file::parse(&format!("{files}{text}")).unwrap())
    }

    fn port(text: &str) -> TcpConfig {
        checked(text).unwrap().unwrap()
    }

    #[test]
    fn there_is_no_port_without_the_setting() {
        assert_eq!(checked(""), Ok(None));
        assert!(
            checked("http_role = 'read'").unwrap_err().contains("`http_role` has no effect without `http`")
        );
    }

    #[test]
    fn loopback_needs_nothing_more() {
        let open = port("http = '127.0.0.1:8946'");
        assert_eq!((open.tls, open.tokens, open.anonymous), (None, None, Some(Role::Read)));
        assert_eq!(port("http = '[::1]:0'\nhttp_role = 'admin'").anonymous, Some(Role::Admin));
        let known = port("http = '127.0.0.1:0'\nhttp_tokens = 't'");
        assert_eq!((known.tls, known.anonymous), (None, None), "who has tokens wants them to be used");
        let own = port("http = '127.0.0.1:0'\nhttp_cert = 'h.pem'\nhttp_key = 'h-key.pem'").tls.unwrap();
        assert_eq!(own.cert, std::path::Path::new("h.pem"));
    }

    #[test]
    fn other_addresses_need_tokens_and_use_tls() {
        for addr in ["0.0.0.0:8946", "10.0.0.1:8946", "[::]:8946"] {
            let refused = checked(&format!("http = '{addr}'")).unwrap_err();
            assert!(refused.contains("without tokens") && refused.contains("`http_tokens`"), "{refused}");
            let port = port(&format!("http = '{addr}'\nhttp_tokens = 't'"));
            assert_eq!((port.tls.unwrap().cert, port.anonymous), ("n.pem".into(), None));
        }
        let open = checked("http = '0.0.0.0:1'\nhttp_tokens = 't'\nhttp_role = 'read'").unwrap_err();
        assert!(open.contains("only for a loopback address"), "{open}");
    }

    #[test]
    fn settings_that_belong_together_are_checked() {
        let http = "http = '127.0.0.1:0'\n";
        assert!(checked(&format!("{http}http_cert = 'h.pem'")).unwrap_err().contains("belong together"));
        assert!(
            checked(&format!("{http}http_client_ca = 'c'")).unwrap_err().contains("gives no client a role")
        );
        let port = port(&format!("{http}http_client_ca = 'c'\nhttp_tokens = 't'"));
        assert_eq!(port.tls.unwrap().client_ca, Some("c".into()));
    }
}
