//! How many bytes are replayed: to one connection, and to all of one address.
//!
//! A subscription costs its client a hundred bytes, and may be answered with all that history has of a
//! stream. So a client that is replayed something *owes* its bytes, and the debt goes down with time. A
//! client that owes too much is replayed nothing more until enough time has passed. It loses nothing:
//! its position stays where it is, and live entries of its other streams come as ever. Where it keeps one position
//! for several streams, those wait as well.
//!
//! Loopback and private addresses owe nothing. A proxy has such an address, and so all of its visitors
//! would share one debt. Behind a trusted proxy the visitor's own address counts.

use std::collections::HashMap;
use std::net::IpAddr;

use forebay_cable::Limits;
use forebay_log::UnixMillis;
use slab::Slab;

/// What one client, or one address, owes.
#[derive(Debug, Default)]
struct Owed {
    bytes: u64,
    at: UnixMillis,
    /// The log has said that this client has to wait.
    is_known: bool,
}

/// How much may be owed, and how much of it goes by in a second.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: u64,
    per_second: u64,
}

#[derive(Debug)]
struct Address {
    ip: IpAddr,
    connections: u32,
    owed: Owed,
}

/// Names an address that has connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AddressKey(u32);

impl AddressKey {
    /// One that no stranger comes from, or that nobody knows.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

/// Whoever owes something, and nobody else but addresses that have connections.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    /// By the connection's place.
    connections: HashMap<u32, Owed>,
    addresses: Slab<Address>,
    by_ip: HashMap<IpAddr, u32>,
}

impl Replays {
    /// A connection comes from there.
    pub(crate) fn enter(&mut self, ip: IpAddr) -> AddressKey {
        let ip = ip.to_canonical();
        if !can_be_a_strangers(ip) {
            return AddressKey::NONE;
        }
        let addresses = &mut self.addresses;
        let key = *self.by_ip.entry(ip).or_insert_with(|| {
            let key = addresses.insert(Address { ip, connections: 0, owed: Owed::default() });
            u32::try_from(key).expect("there are fewer addresses than connections")
        });
        self.addresses[key as usize].connections += 1;
        AddressKey(key)
    }

    /// A connection has ended. What its address owes is remembered, or it would come back for more.
    pub(crate) fn leave(&mut self, connection: u32, address: AddressKey) {
        self.connections.remove(&connection);
        if let Some(address) = self.addresses.get_mut(address.0 as usize) {
            address.connections = address.connections.saturating_sub(1);
        }
    }

    /// Whether the connection may be replayed more now.
    pub(crate) fn allow(
        &self,
        now: UnixMillis,
        connection: u32,
        address: AddressKey,
        limits: &Limits,
    ) -> bool {
        let connection = self.connections.get(&connection);
        let address = self.addresses.get(address.0 as usize).map(|address| &address.owed);
        connection.is_none_or(|owed| owed.is_within(now, Rate::of_connection(limits)))
            && address.is_none_or(|owed| owed.is_within(now, Rate::of_address(limits)))
    }

    /// So much was replayed.
    pub(crate) fn owe(
        &mut self,
        now: UnixMillis,
        connection: u32,
        address: AddressKey,
        bytes: u64,
        limits: &Limits,
    ) {
        let owed = self.connections.entry(connection).or_default();
        owed.add(now, bytes, Rate::of_connection(limits));
        if let Some(address) = self.addresses.get_mut(address.0 as usize) {
            address.owed.add(now, bytes, Rate::of_address(limits));
        }
    }

    /// The connection has to wait. True if that is new.
    pub(crate) fn note_wait(&mut self, connection: u32) -> bool {
        let owed = self.connections.entry(connection).or_default();
        !std::mem::replace(&mut owed.is_known, true)
    }

    /// The address, if it has an account.
    pub(crate) fn ip(&self, address: AddressKey) -> Option<IpAddr> {
        self.addresses.get(address.0 as usize).map(|address| address.ip)
    }

    /// Forgets who owes nothing any more.
    pub(crate) fn expire(&mut self, now: UnixMillis, limits: &Limits) {
        let rate = Rate::of_connection(limits);
        self.connections.retain(|_, owed| owed.at(now, rate) > 0);
        let rate = Rate::of_address(limits);
        let by_ip = &mut self.by_ip;
        self.addresses.retain(|_, address| {
            let stays = address.connections > 0 || address.owed.at(now, rate) > 0;
            if !stays {
                by_ip.remove(&address.ip);
            }
            stays
        });
        // After a storm the memory of it goes, too.
        if self.connections.capacity() > 4 * self.connections.len() + 1_024 {
            self.connections.shrink_to_fit();
        }
    }
}

impl Rate {
    fn of_connection(limits: &Limits) -> Self {
        Self { burst: limits.replay_bytes_burst, per_second: limits.replay_bytes_per_second }
    }

    fn of_address(limits: &Limits) -> Self {
        Self {
            burst: limits.address_replay_bytes_burst,
            per_second: limits.address_replay_bytes_per_second,
        }
    }
}

impl Owed {
    fn at(&self, now: UnixMillis, rate: Rate) -> u64 {
        let passed = now.0.saturating_sub(self.at.0);
        self.bytes.saturating_sub(passed.saturating_mul(rate.per_second) / 1_000)
    }

    fn is_within(&self, now: UnixMillis, rate: Rate) -> bool {
        self.at(now, rate) < rate.burst
    }

    fn add(&mut self, now: UnixMillis, bytes: u64, rate: Rate) {
        self.bytes = self.at(now, rate).saturating_add(bytes);
        self.at = now;
    }
}

fn can_be_a_strangers(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_private() || ip.is_link_local()),
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn after(seconds: u64) -> UnixMillis {
        UnixMillis(NOW.0 + seconds * 1_000)
    }

    fn limits() -> Limits {
        Limits::default()
            .replay_bytes_burst(100)
            .replay_bytes_per_second(10)
            .address_replay_bytes_burst(200)
            .address_replay_bytes_per_second(20)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn whoever_was_replayed_too_much_waits_until_it_has_gone_by() {
        let (mut replays, limits, none) = (Replays::default(), limits(), AddressKey::NONE);
        replays.owe(NOW, 1, none, 99, &limits);
        assert!(replays.allow(NOW, 1, none, &limits));
        replays.owe(NOW, 1, none, 51, &limits);
        assert!(!replays.allow(after(5), 1, none, &limits));
        assert!(replays.allow(after(6), 1, none, &limits));
        assert!(replays.allow(NOW, 2, none, &limits), "others don't");
        replays.leave(1, none);
        assert!(replays.allow(NOW, 1, none, &limits), "nor does who has the place next");
    }

    #[test]
    fn an_address_waits_however_many_connections_it_makes() {
        let (mut replays, limits) = (Replays::default(), limits());
        let stranger = ip("192.0.2.7");
        for connection in 0..10 {
            let address = replays.enter(stranger);
            assert_eq!(replays.allow(NOW, connection, address, &limits), connection < 4);
            replays.owe(NOW, connection, address, 50, &limits);
            replays.leave(connection, address);
            replays.expire(NOW, &limits);
        }
        let other = replays.enter(ip("192.0.2.8"));
        assert!(replays.allow(NOW, 10, other, &limits));
        replays.leave(10, other);
        let address = replays.enter(ip("::ffff:192.0.2.7"));
        assert!(!replays.allow(after(15), 11, address, &limits), "500 are owed, 20 go by a second");
        assert!(replays.allow(after(16), 11, address, &limits));
        replays.leave(11, address);
        replays.expire(after(60), &limits);
        assert_eq!((replays.addresses.len(), replays.by_ip.len()), (0, 0));
        assert!(replays.connections.is_empty());
    }

    #[test]
    fn a_proxys_address_is_nobodys() {
        let mut replays = Replays::default();
        for proxy in ["127.0.0.1", "10.1.2.3", "172.17.0.1", "192.168.0.1", "::1", "fd00::1"] {
            assert_eq!(replays.enter(ip(proxy)), AddressKey::NONE, "{proxy}");
        }
    }

    #[test]
    fn a_connection_is_known_to_wait_once_until_it_need_not() {
        let (mut replays, limits) = (Replays::default(), limits());
        replays.owe(NOW, 1, AddressKey::NONE, 100, &limits);
        assert!(replays.note_wait(1));
        assert!(!replays.note_wait(1));
        replays.expire(after(11), &limits);
        assert!(replays.note_wait(1));
    }
}
