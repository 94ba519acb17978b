//! TLS connections that are opened, ask one question, and then stay: telephones that wait for calls.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

use super::raw::connect_from;

/// An open connection.
pub(crate) type Connection = StreamOwned<ClientConnection, TcpStream>;

/// Opens connections to one server, whose certificate must be by one authority and good for its address.
pub(crate) struct Client {
    config: Arc<ClientConfig>,
    ip: String,
    port: u16,
}

impl Client {
    /// Trusts the certificates in the PEM file `authority`.
    pub(crate) fn new(ip: &str, port: u16, authority: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let file =
            CertificateDer::pem_file_iter(authority).with_context(|| format!("reading {}", authority.display()))?;
        for certificate in file {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { config: Arc::new(config), ip: ip.to_owned(), port })
    }

    /// Opens one from this address, on which the server has answered an OPTIONS.
    pub(crate) fn open(&self, number: usize, from_ip: &str) -> Result<Connection> {
        let name = ServerName::try_from(self.ip.clone())?;
        let stream = connect_from(from_ip, SocketAddr::new(self.ip.parse()?, self.port))?;
        let mut connection = StreamOwned::new(ClientConnection::new(Arc::clone(&self.config), name)?, stream);
        options(&mut connection, &self.ip, number)?;
        Ok(connection)
    }
}

/// Asks the server on an open connection; `number` makes the question one of a kind.
pub(crate) fn options(connection: &mut Connection, ip: &str, number: usize) -> Result<()> {
    let from = connection.sock.local_addr()?;
    write!(
        connection,
        "OPTIONS sip:{ip} SIP/2.0\r\nVia: SIP/2.0/TLS {from};branch=z9hG4bK-t{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:x@example.com>;tag={number}\r\nTo: <sip:{ip}>\r\nCall-ID: t{number}@{from}\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    )?;
    connection.flush()?;
    let mut answer = [0; 4096];
    let len = connection.read(&mut answer)?;
    ensure!(answer[..len].starts_with(b"SIP/2.0 200 "), "OPTIONS got {}", String::from_utf8_lossy(&answer[..len]));
    Ok(())
}
