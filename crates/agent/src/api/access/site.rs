//! Refuses requests that a page of another site makes a browser send.
//!
//! A page cannot read or set the `Host` header of its own requests. With *DNS rebinding* it makes
//! its own host name lead to this machine; the header then has that name. So only known names and
//! IP addresses are accepted. A page of another origin sends `Origin` or `Sec-Fetch-Site`.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};

use crate::api::problem::{Code, Problem};

/// The names under which clients reach the agent over TCP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hosts(pub(crate) Vec<String>);

impl Hosts {
    /// Whether a client may use this host, without a port.
    fn admits(&self, host: &str) -> bool {
        // An address cannot be rebound: the page that made the request would have it as its origin.
        is_address(host)
            || host.eq_ignore_ascii_case("localhost")
            || self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// Refuses a request whose `Host` names none of the hosts.
pub(super) fn check_host(hosts: &Hosts, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let mut given = headers.get_all(HOST).iter();
    // A request may carry the host in its target instead.
    let host = match (given.next(), given.next(), uri.authority()) {
        (Some(host), None, _) => host.to_str().unwrap_or_default(),
        (None, _, Some(authority)) => authority.as_str(),
        _ => "",
    };
    if hosts.admits(without_port(host)) {
        return Ok(());
    }
    Err(Problem::new(
        Code::ForeignHost,
        format!(
            "the request is for the host {host:?}, which is not a name of this agent; use its IP address, localhost, \
             or a name of `http_hosts`"
        ),
    ))
}

/// Refuses a request of a page of another site.
pub(super) fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    // Browsers send it with every request, also with those that have no `Origin`.
    let is_foreign = match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) if site != "same-origin" && site != "none" => true,
        (_, Some(origin)) => {
            let host = text(HOST.as_str()).unwrap_or_default();
            let (scheme, authority) = origin.split_once("://").unwrap_or_default();
            !matches!(scheme, "http" | "https") || host.is_empty() || !authority.eq_ignore_ascii_case(host)
        }
        _ => false,
    };
    if is_foreign {
        let detail = "a page of another site made the request; open the page from this agent, or use a program that \
                      is not a browser";
        return Err(Problem::new(Code::ForeignOrigin, detail));
    }
    Ok(())
}

/// The host of `host:port`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((before, port)) if !before.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            before
        }
        _ => host,
    }
}

fn is_address(host: &str) -> bool {
    let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match v6 {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_known_hosts_and_addresses_are_accepted() {
        let hosts = Hosts(vec!["web-1.shop.kinfolk".to_owned()]);
        let check = |given: &[(&'static str, &'static str)]| {
            check_host(&hosts, &Uri::from_static("/v1/members"), &headers(given)).is_ok()
        };
        for host in [
            "127.0.0.1",
            "127.0.0.1:8080",
            "[::1]:8080",
            "[::1]",
            "localhost:1",
            "LOCALHOST",
            "web-1.shop.kinfolk:1",
        ] {
            assert!(check(&[("host", host)]), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "::1",
            "[::1",
        ] {
            assert!(!check(&[("host", host)]), "{host}");
        }
        assert!(!check(&[]), "a request without a host is refused");
        assert!(!check(&[("host", "localhost"), ("host", "evil.example")]), "so is one with two");
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let check = |given: &[(&'static str, &'static str)]| check_origin(&headers(given)).is_ok();
        let host = ("host", "localhost:8080");
        assert!(check(&[host]), "a program sends no origin");
        assert!(check(&[host, ("origin", "http://localhost:8080")]));
        assert!(
            check(&[host, ("sec-fetch-site", "same-origin")]) && check(&[host, ("sec-fetch-site", "none")])
        );
        for origin in
            ["http://evil.example", "http://localhost:8081", "null", "file://", "ftp://localhost:8080", ""]
        {
            assert!(!check(&[host, ("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(!check(&[host, ("sec-fetch-site", site)]), "{site}");
        }
    }
}
