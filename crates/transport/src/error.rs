//! Why a transport does not start. After an error the transport holds no resources.

use std::net::SocketAddr;

use thiserror::Error;

/// Why a transport does not start.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Another process holds the port.
    ///
    /// What to do: stop that process, or configure another port.
    #[error("cannot bind UDP {addr}: address in use; choose another port, or stop the process that holds it")]
    PortInUse {
        /// The listen address.
        addr: SocketAddr,
    },
    /// The system refuses the listen address for another reason.
    ///
    /// What to do: configure an address of this machine, and a port that this process may use.
    #[error(
        "cannot bind UDP {addr}: {cause}; give an address of this machine and a port that this process may use"
    )]
    Bind {
        /// The listen address.
        addr: SocketAddr,
        /// The error text of the system.
        cause: String,
    },
    /// The TLS library rejects the certificate, the key, or the CA certificate.
    ///
    /// What to do: issue the node's certificate again with the cluster's CA.
    #[error("the TLS library rejects this identity: {cause}; issue the certificate again")]
    Tls {
        /// The error text of the library.
        cause: String,
    },
    /// The new certificate is that of another node or another cluster. A node keeps its name as
    /// long as it runs.
    ///
    /// What to do: check whether the files of two nodes are mixed up, or restart the node under its
    /// new name.
    #[error(
        "cannot use the certificate of {found}: this node is {expected}; check whether the files of two nodes are \
         mixed up"
    )]
    OtherName {
        /// The name of this node.
        expected: String,
        /// The name in the certificate.
        found: String,
    },
    /// A setting is out of its range.
    ///
    /// What to do: correct the setting. The documentation of `TransportConfig` states each range.
    #[error("cannot use the setting `{setting}`: {cause}; see its range in `TransportConfig`")]
    Config {
        /// The name of the setting.
        setting: &'static str,
        /// The reason.
        cause: String,
    },
    /// No tokio runtime is active.
    ///
    /// What to do: call `Transport::bind` inside a runtime whose I/O and time drivers are enabled.
    #[error("no tokio runtime is active; call Transport::bind inside one with I/O and time drivers enabled")]
    NoRuntime,
}
