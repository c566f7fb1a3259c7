//! A successor on the same machine asks for the listeners, and gets them.
//!
//! They meet at a socket without a file, whose name is the user and the address. The predecessor sends
//! its listeners at once, so that the kernel keeps everybody who connects from there on; it ends when it
//! has said goodbye to its pages, and its end closes the connection: the successor's sign to begin.
//! Whoever asks must be the same user, and so must whoever answers: names are free for all to take.

#[cfg(target_os = "linux")]
pub(super) use self::linux::{Heir, Meeting, Predecessor};
#[cfg(not(target_os = "linux"))]
pub(super) use self::nowhere::{Heir, Meeting, Predecessor};

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
    use std::mem::MaybeUninit;
    use std::net::{self, SocketAddr};
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net as unix;
    use std::time::Duration;

    use anyhow::{Context as _, bail, ensure};
    use rustix::net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
    };
    use tokio::io::{AsyncReadExt as _, Interest};
    use tokio::net::{UnixListener, UnixStream};

    use crate::serve::listeners::{Given, Listeners, PAGES, PUBLISHERS};

    /// For the listeners to come: the predecessor sends them as soon as it hears of us.
    const ANSWER_MAX: Duration = Duration::from_secs(5);

    /// For the predecessor's end. It takes two seconds at most, unless something is wrong with it.
    const END_MAX: Duration = Duration::from_secs(10);

    /// There are two listeners at most, and their names are one short word each.
    const LISTENERS_MAX: usize = 2;
    const NAMES_BYTES_MAX: usize = 64;

    /// Where successors ask.
    #[derive(Debug)]
    pub(in crate::serve) struct Meeting {
        asked: UnixListener,
        /// The listeners once more, to be given away.
        listeners: Vec<(&'static str, OwnedFd)>,
    }

    /// A successor that has asked.
    #[derive(Debug)]
    pub(in crate::serve) struct Heir(UnixStream);

    /// Who had the listeners.
    #[derive(Debug)]
    pub(in crate::serve) struct Predecessor(UnixStream);

    impl Meeting {
        /// Waits for successors from now on.
        pub(in crate::serve) fn open(listeners: &Listeners) -> io::Result<Self> {
            let asked = unix::UnixListener::bind_addr(&name(listeners.pages.local_addr()?)?)?;
            asked.set_nonblocking(true)?;
            let mut copies = vec![(PAGES, listeners.pages.as_fd().try_clone_to_owned()?)];
            if let Some(publishers) = &listeners.publishers {
                copies.push((PUBLISHERS, publishers.as_fd().try_clone_to_owned()?));
            }
            Ok(Self { asked: UnixListener::from_std(asked)?, listeners: copies })
        }

        /// Waits for the next successor.
        pub(in crate::serve) async fn heir(&self) -> Heir {
            loop {
                match self.asked.accept().await {
                    Ok((stream, _)) => match same_user(&stream) {
                        Ok(pid) => {
                            tracing::info!(pid, "a successor takes over");
                            return Heir(stream);
                        }
                        Err(error) => {
                            tracing::warn!(%error, "a process has asked for the listeners and does not get them");
                        }
                    },
                    Err(error) => {
                        tracing::warn!(%error, "the socket for successors can't be read");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                }
            }
        }

        /// Gives the listeners away.
        pub(in crate::serve) async fn hand_over(self, heir: &Heir) -> io::Result<()> {
            let names: Vec<_> = self.listeners.iter().map(|(name, _)| *name).collect();
            let names = names.join(":");
            let descriptors: Vec<_> = self.listeners.iter().map(|(_, fd)| fd.as_fd()).collect();
            let send = || {
                let mut space =
                    [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(LISTENERS_MAX))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                control.push(SendAncillaryMessage::ScmRights(&descriptors));
                let text = [IoSlice::new(names.as_bytes())];
                Ok(sendmsg(&heir.0, &text, &mut control, SendFlags::NOSIGNAL)?)
            };
            heir.0.async_io(Interest::WRITABLE, send).await.map(drop)
        }
    }

    impl Predecessor {
        /// Asks whoever serves at one of these addresses for its listeners. `None` if nobody does.
        pub(in crate::serve) async fn ask(
            addresses: &[SocketAddr],
        ) -> anyhow::Result<Option<(Self, Given)>> {
            for address in addresses {
                let stream = match unix::UnixStream::connect_addr(&name(*address)?) {
                    Ok(stream) => stream,
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => continue,
                    Err(error) => return Err(error.into()),
                };
                stream.set_nonblocking(true)?;
                let stream = UnixStream::from_std(stream)?;
                let pid = same_user(&stream)?;
                let given = tokio::time::timeout(ANSWER_MAX, receive(&stream)).await;
                let given = given
                    .map_err(|_| anyhow::anyhow!("no answer within {ANSWER_MAX:?}"))
                    .flatten()
                    .with_context(|| format!("process {pid} did not hand its listeners over"))?;
                tracing::info!(pid, %address, "taking over");
                return Ok(Some((Self(stream), given)));
            }
            Ok(None)
        }

        /// Waits for its end. What it has not ended by then, its folder, is asked for all the same.
        pub(in crate::serve) async fn end(mut self) {
            let ended = tokio::time::timeout(END_MAX, self.0.read(&mut [0])).await;
            if ended.is_err() {
                tracing::warn!(after = ?END_MAX, "the predecessor has not ended");
            }
        }
    }

    async fn receive(stream: &UnixStream) -> anyhow::Result<Given> {
        let mut names = [0; NAMES_BYTES_MAX];
        let (length, descriptors) = stream
            .async_io(Interest::READABLE, || {
                let mut space =
                    [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(LISTENERS_MAX))];
                let mut control = RecvAncillaryBuffer::new(&mut space);
                let mut text = [IoSliceMut::new(&mut names)];
                let got = recvmsg(stream, &mut text, &mut control, RecvFlags::CMSG_CLOEXEC)?;
                if got.flags.intersects(ReturnFlags::CTRUNC) {
                    return Err(io::Error::other("it sends more than was expected"));
                }
                let rights = control.drain().filter_map(|message| match message {
                    RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
                    _ => None,
                });
                Ok((got.bytes, rights.flatten().collect::<Vec<_>>()))
            })
            .await?;
        let names = std::str::from_utf8(&names[..length]).unwrap_or_default().split(':');
        let listeners = descriptors.into_iter().map(net::TcpListener::from);
        let given: Vec<_> = names.map(str::to_owned).zip(listeners).collect();
        ensure!(!given.is_empty(), "it has ended");
        Ok(Given(given))
    }

    /// Where the server of an address is asked. Without a file there is nothing to clear away.
    fn name(address: SocketAddr) -> io::Result<unix::SocketAddr> {
        let user = rustix::process::geteuid().as_raw();
        unix::SocketAddr::from_abstract_name(format!("forebay/{user}/{address}"))
    }

    /// The process at the other end, if it is ours.
    fn same_user(stream: &UnixStream) -> anyhow::Result<i32> {
        let peer = stream.peer_cred()?;
        let pid = peer.pid().unwrap_or_default();
        if peer.uid() != rustix::process::geteuid().as_raw() {
            bail!("process {pid} belongs to user {}, not to ours", peer.uid());
        }
        Ok(pid)
    }
}

#[cfg(not(target_os = "linux"))]
mod nowhere {
    use std::convert::Infallible;
    use std::io::{self, ErrorKind};
    use std::net::SocketAddr;

    use crate::serve::listeners::{Given, Listeners};

    #[derive(Debug)]
    pub(in crate::serve) struct Meeting(Infallible);

    #[derive(Debug)]
    pub(in crate::serve) struct Heir(Infallible);

    #[derive(Debug)]
    pub(in crate::serve) struct Predecessor(Infallible);

    impl Meeting {
        pub(in crate::serve) fn open(_: &Listeners) -> io::Result<Self> {
            Err(ErrorKind::Unsupported.into())
        }

        pub(in crate::serve) async fn heir(&self) -> Heir {
            match self.0 {}
        }

        pub(in crate::serve) async fn hand_over(self, heir: &Heir) -> io::Result<()> {
            match heir.0 {}
        }
    }

    impl Predecessor {
        pub(in crate::serve) async fn ask(
            _: &[SocketAddr],
        ) -> anyhow::Result<Option<(Self, Given)>> {
            anyhow::bail!("a successor can take over on Linux only")
        }

        pub(in crate::serve) async fn end(self) {
            match self.0 {}
        }
    }
}
