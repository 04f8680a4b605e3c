//! The other side of tests/peers/test_quinn.py: quinn with rustls, set as the clients and hosts that we must
//! interoperate with set theirs (punktfunk-1 section 2.2). Prints one line for each thing that worked.
//!
//!     quinn-peer client|anonymous|nameless HOST:PORT FOLDER    nameless offers no ALPN
//!     quinn-peer server HOST:PORT FOLDER                       asks each client to prove its address first
//!
//! FOLDER has NAME.crt and NAME.key (DER, PKCS#8) of `client` and `host`.

use std::{env, fs, net::SocketAddr, sync::Arc, time::Duration};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature, CryptoProvider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

const STREAM_BYTES: usize = 300_000;

/// Takes any certificate, but checks that its owner signed the handshake.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl AnyCertificate {
    fn old(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.0.signature_verification_algorithms)
    }

    fn signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.0.signature_verification_algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.old(message, leaf, signed)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, leaf, signed)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn client_auth_mandatory(&self) -> bool {
        false
    }
    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.old(message, leaf, signed)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, leaf, signed)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

fn identity(folder: &str, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let certificate = fs::read(format!("{folder}/{name}.crt")).unwrap();
    let key = fs::read(format!("{folder}/{name}.key")).unwrap();
    (
        vec![CertificateDer::from(certificate)],
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)),
    )
}

fn transport() -> Arc<quinn::TransportConfig> {
    let mut transport = quinn::TransportConfig::default();
    transport.max_idle_timeout(Some(Duration::from_secs(8).try_into().unwrap()));
    transport.keep_alive_interval(Some(Duration::from_secs(4)));
    transport.datagram_send_buffer_size(4096);
    Arc::new(transport)
}

fn certificate_bytes(connection: &quinn::Connection) -> usize {
    connection.peer_identity().map_or(0, |identity| {
        identity.downcast::<Vec<CertificateDer>>().unwrap()[0].len()
    })
}

async fn be_client(kind: &str, address: SocketAddr, folder: &str) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)));
    let mut tls = if kind == "anonymous" {
        builder.with_no_client_auth()
    } else {
        let (certificates, key) = identity(folder, "client");
        builder.with_client_auth_cert(certificates, key).unwrap()
    };
    if kind != "nameless" {
        tls.alpn_protocols = vec![b"pkf1".to_vec()];
    }
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    config.transport_config(transport());
    let mut endpoint = quinn::Endpoint::client("0.0.0.0:0".parse().unwrap()).unwrap();
    endpoint.set_default_client_config(config);
    let connection = match endpoint.connect(address, "punktfunk").unwrap().await {
        Ok(connection) => connection,
        Err(error) => return println!("refused {error}"),
    };
    println!("host certificate {}", certificate_bytes(&connection));

    let (mut to_host, mut from_host) = connection.open_bi().await.unwrap();
    let writing = tokio::spawn(async move {
        to_host.write_all(&vec![7; STREAM_BYTES]).await.unwrap();
        to_host.finish().unwrap();
    });
    let echo = from_host.read_to_end(2 * STREAM_BYTES).await.unwrap();
    writing.await.unwrap();
    println!("stream {}", echo == vec![7; STREAM_BYTES]);

    connection.send_datagram(vec![1; 900].into()).unwrap();
    println!("datagram {}", connection.read_datagram().await.unwrap().len());

    let (mut answer, mut question) = connection.accept_bi().await.unwrap();
    println!(
        "host says {}",
        String::from_utf8_lossy(&question.read_to_end(100).await.unwrap())
    );
    answer.write_all(b"yes").await.unwrap();
    answer.finish().unwrap();

    // Another port is another path, as after a change of network.
    endpoint
        .rebind(std::net::UdpSocket::bind("0.0.0.0:0").unwrap())
        .unwrap();
    connection.send_datagram(vec![2; 900].into()).unwrap();
    println!(
        "datagram after a move {}",
        connection.read_datagram().await.unwrap().len()
    );
    if kind == "anonymous" {
        println!("closed {}", connection.closed().await);
    } else {
        tokio::time::sleep(Duration::from_secs(10)).await; // idle for longer than the timeout
        println!("alive {:?}", connection.close_reason());
        connection.close(0x51u32.into(), b"quit");
        endpoint.wait_idle().await;
    }
}

async fn be_server(address: SocketAddr, folder: &str) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (certificates, key) = identity(folder, "host");
    let mut tls = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(AnyCertificate(provider)))
        .with_single_cert(certificates, key)
        .unwrap();
    tls.alpn_protocols = vec![b"pkf1".to_vec()];
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    config.transport_config(transport());
    let endpoint = quinn::Endpoint::server(config, address).unwrap();
    println!("ready {}", endpoint.local_addr().unwrap().port());
    while let Some(incoming) = endpoint.accept().await {
        if !incoming.remote_address_validated() {
            incoming.retry().unwrap();
            continue;
        }
        match incoming.await {
            Ok(connection) => {
                println!("client certificate {}", certificate_bytes(&connection));
                tokio::spawn(echo(connection));
            }
            Err(error) => println!("refused {error}"),
        }
    }
}

/// Echo datagrams and streams; a stream that says `close` closes the connection.
async fn echo(connection: quinn::Connection) {
    let datagrams = connection.clone();
    tokio::spawn(async move {
        while let Ok(datagram) = datagrams.read_datagram().await {
            let _ = datagrams.send_datagram(datagram);
        }
    });
    while let Ok((mut answer, mut question)) = connection.accept_bi().await {
        let data = question.read_to_end(1 << 20).await.unwrap();
        if data == b"close" {
            connection.close(0x6au32.into(), b"launch not allowed");
        } else {
            answer.write_all(&data).await.unwrap();
            answer.finish().unwrap();
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<String> = env::args().collect();
    let (kind, address, folder) = (words[1].as_str(), words[2].parse().unwrap(), words[3].as_str());
    if kind == "server" {
        be_server(address, folder).await;
    } else {
        be_client(kind, address, folder).await;
    }
}
