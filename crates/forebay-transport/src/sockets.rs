//! What a connection's TCP socket needs.

#[cfg(any(target_os = "android", target_os = "linux"))]
use std::time::Duration;

use socket2::SockRef;

/// How long the kernel tries to send to a peer that acknowledges nothing or takes nothing before
/// it gives the connection up: ten missed pings. The page resumes by its cursor.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// Sets on a socket what a connection needs: small messages leave at once, and a peer that
/// acknowledges nothing is given up after 30 seconds (by systems that have no such option: after
/// their own patience). On Linux connections inherit it from their listener.
///
/// All of it only makes a connection better; one that is broken shows it by itself.
pub fn prepare<'s, S>(socket: &'s S)
where
    SockRef<'s>: From<&'s S>,
{
    let socket = SockRef::from(socket);
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = socket.set_keepalive(true);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::net::{TcpSocket, TcpStream};

    use super::*;

    #[tokio::test]
    async fn connections_inherit_what_their_listener_is_prepared_with() {
        let socket = TcpSocket::new_v4().unwrap();
        prepare(&socket);
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (stream, _) =
            tokio::try_join!(async { Ok(listener.accept().await?.0) }, client).unwrap();
        assert!(stream.nodelay().unwrap());
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED_MAX));
    }
}
