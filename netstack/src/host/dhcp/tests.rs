//! The client alone, in virtual time, against a server that is a few lines.

use super::*;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const OFFERED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

struct Rig {
    client: Dhcp,
    now: Instant,
    last: Option<Outgoing>,
}

impl Rig {
    fn new(previous: Option<Ipv4Addr>) -> Rig {
        let config = DhcpConfig { previous, host_name: None };
        Rig { client: Dhcp::new(config, MAC, 1500, 7, Instant::ZERO), now: Instant::ZERO, last: None }
    }

    /// Waits until the client sends, at most so many seconds; says when, and what kind of message to whom.
    fn until_sent(&mut self, seconds: u64) -> Option<(u64, u8, Option<Ipv4Addr>)> {
        let end = self.now + Duration::from_secs(seconds);
        while self.client.next_at() <= end {
            self.now = self.now.max(self.client.next_at());
            self.client.handle_timeout(self.now);
            if let Some(sent) = self.client.poll_transmit() {
                let (kind, to) = (sent.message[242], sent.to);
                self.last = Some(sent);
                return Some((self.now.as_millis() / 1000, kind, to));
            }
        }
        self.now = end;
        None
    }

    fn reply(&mut self, kind: u8, more: &[u8]) -> Result<Result<(), Refusal>, Fault> {
        let asked = self.last.as_ref().unwrap().message.clone();
        let mut message = vec![0; 240];
        message[..3].copy_from_slice(&[2, 1, 6]);
        message[4..8].copy_from_slice(&asked[4..8]);
        message[16..20].copy_from_slice(&OFFERED.octets());
        message[28..34].copy_from_slice(&MAC);
        message[236..240].copy_from_slice(&[99, 130, 83, 99]);
        message.extend([53, 1, kind, 54, 4, 10, 0, 0, 1, 1, 4, 255, 255, 255, 0]);
        message.extend_from_slice(more);
        self.client.handle_reply(self.now, &message)
    }

    fn lease(&mut self, kind: u8, seconds: u32) -> Result<Result<(), Refusal>, Fault> {
        let [a, b, c, d] = seconds.to_be_bytes();
        self.reply(kind, &[51, 4, a, b, c, d])
    }

    /// From the start to BOUND.
    fn bound(seconds: u32) -> Rig {
        let mut rig = Rig::new(None);
        assert!(matches!(rig.until_sent(2), Some((_, 1, None))));
        assert_eq!(rig.lease(2, seconds), Ok(Ok(())));
        rig.last = rig.client.poll_transmit();
        assert_eq!(rig.lease(5, seconds), Ok(Ok(())));
        assert!(matches!(rig.client.poll_event(), Some(DhcpEvent::Check(_))));
        assert_eq!(rig.client.state, DhcpState::Checking);
        rig.client.handle_unique();
        assert_eq!(rig.client.state, DhcpState::Bound);
        rig
    }
}

const OFFER: u8 = 2;
const ACK: u8 = 5;
const NAK: u8 = 6;

#[test]
fn discover_is_repeated_with_back_off_and_never_given_up() {
    let mut rig = Rig::new(None);
    let times: Vec<u64> =
        (0..9).map(|_| rig.until_sent(100).unwrap()).map(|(time, kind, _)| time * 10 + u64::from(kind)).collect();
    assert!(times.iter().all(|time| time % 10 == 1), "all DISCOVER: {times:?}");
    let gaps: Vec<u64> = times.windows(2).map(|pair| (pair[1] - pair[0]) / 10).collect();
    for (gap, base) in gaps.iter().zip([4, 8, 16, 32, 64, 64, 64, 64]) {
        assert!((base - 2..=base + 2).contains(gap), "{gaps:?}");
    }
}

#[test]
fn the_way_to_a_lease() {
    let mut rig = Rig::new(None);
    rig.until_sent(2).unwrap();
    assert!(rig.client.awaits(OFFERED));
    assert_eq!(rig.lease(OFFER, 3600), Ok(Ok(())));
    let request = rig.client.poll_transmit().unwrap();
    assert_eq!((request.to, request.from, request.message[242]), (None, Ipv4Addr::UNSPECIFIED, 3));
    assert!(request.message.windows(6).any(|w| w == [50, 4, 10, 0, 0, 9]), "RFC 2131 table 4: requested address");
    assert!(request.message.windows(6).any(|w| w == [54, 4, 10, 0, 0, 1]), "and server identifier");
    rig.last = Some(request);
    assert_eq!(rig.lease(OFFER, 3600), Ok(Err(Refusal::Unusable)), "a second offer comes too late");
    assert_eq!(rig.lease(ACK, 3600), Ok(Ok(())));
    let Some(DhcpEvent::Check(lease)) = rig.client.poll_event() else { panic!() };
    assert_eq!((lease.cidr.to_string().as_str(), lease.server), ("10.0.0.9/24", SERVER));
    assert!(rig.client.lease_in_use().is_none());
    rig.client.handle_unique();
    assert_eq!(rig.client.lease_in_use(), Some(&lease));
    assert_eq!(rig.client.next_at(), lease.renew_at);
}

#[test]
fn replies_to_others_change_nothing() {
    let mut rig = Rig::new(None);
    rig.until_sent(2).unwrap();
    rig.last.as_mut().unwrap().message[7] ^= 1;
    assert_eq!(rig.lease(OFFER, 3600), Ok(Err(Refusal::Stranger)));
    rig.last.as_mut().unwrap().message[7] ^= 1;
    assert_eq!(rig.lease(ACK, 3600), Ok(Err(Refusal::Unusable)), "nothing was requested");
    assert_eq!(rig.reply(NAK, &[]), Ok(Err(Refusal::Unusable)));
    assert_eq!(rig.lease(OFFER, 10), Ok(Err(Refusal::Unusable)), "too short");
    assert_eq!(rig.reply(OFFER, &[]), Ok(Err(Refusal::Unusable)), "no lease time");
    assert_eq!(rig.client.state, DhcpState::Selecting);
    assert_eq!(rig.lease(OFFER, 3600), Ok(Ok(())));
    rig.last = rig.client.poll_transmit();
    // Another server refuses for ours, or grants another address.
    let mut other = rig.last.clone().unwrap();
    other.message[4..8].copy_from_slice(&[0; 4]);
    let good = rig.last.replace(other);
    assert_eq!(rig.reply(NAK, &[]), Ok(Err(Refusal::Stranger)));
    rig.last = good;
    assert_eq!(rig.client.state, DhcpState::Requesting);
    assert_eq!(rig.reply(NAK, &[]), Ok(Ok(())));
    assert_eq!(rig.client.state, DhcpState::Init);
}

#[test]
fn a_request_without_an_answer_starts_anew() {
    let mut rig = Rig::new(None);
    rig.until_sent(2).unwrap();
    rig.lease(OFFER, 3600).unwrap().unwrap();
    rig.client.poll_transmit().unwrap();
    let kinds: Vec<u8> = (0..4).map(|_| rig.until_sent(100).unwrap().1).collect();
    assert_eq!(kinds, [3, 3, 3, 1], "four requests in about a minute, then DISCOVER");
    assert_eq!(rig.client.poll_event(), None, "nothing was in use");
}

#[test]
fn renewal_by_unicast_then_by_broadcast_then_the_end() {
    let mut rig = Rig::bound(1000);
    let (time, kind, to) = rig.until_sent(600).unwrap();
    assert_eq!((kind, to, rig.client.state), (3, Some(SERVER), DhcpState::Renewing));
    assert!((499..=502).contains(&time), "T1: {time}");
    let renewal = rig.last.clone().unwrap();
    assert_eq!((renewal.from, &renewal.message[12..16]), (OFFERED, &OFFERED.octets()[..]), "ciaddr");
    assert!(!renewal.message.windows(3).any(|w| w == [54, 4, 10]), "RFC 2131 §4.3.2: no server identifier");
    let mut sent = Vec::new();
    while rig.client.state != DhcpState::Init {
        match rig.until_sent(2000) {
            Some((time, 3, to)) => sent.push((time, to.is_some())),
            other => panic!("{other:?} {sent:?}"),
        }
        if rig.client.next_at() >= at(1000) && sent.len() > 3 {
            rig.now = rig.client.next_at();
            rig.client.handle_timeout(rig.now);
        }
    }
    assert!(sent.iter().any(|(time, unicast)| *unicast && *time < 877));
    assert!(sent.iter().all(|(time, unicast)| *unicast == (*time < 875)), "broadcast from T2 on: {sent:?}");
    assert!(sent.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 59 || pair[1].0 >= 875), "a minute at least: {sent:?}");
    assert_eq!(rig.client.poll_event(), Some(DhcpEvent::Lost(OFFERED)));
    assert_eq!(rig.client.lease_in_use(), None);
}

#[test]
fn a_renewed_lease_lasts_from_its_request_on() {
    let mut rig = Rig::bound(1000);
    let (time, ..) = rig.until_sent(600).unwrap();
    rig.now = at(time + 20);
    assert_eq!(rig.lease(ACK, 2000), Ok(Ok(())));
    let Some(DhcpEvent::Renewed(lease)) = rig.client.poll_event() else { panic!() };
    assert_eq!(lease.until.as_millis() / 1000, time + 2000, "RFC 2131 §4.4.1");
    assert_eq!(rig.client.state, DhcpState::Bound);
    assert_eq!(rig.until_sent(900), None);
}

#[test]
fn a_refusal_ends_the_lease() {
    let mut rig = Rig::bound(1000);
    rig.until_sent(600).unwrap();
    assert_eq!(rig.reply(NAK, &[]), Ok(Ok(())));
    assert_eq!(rig.client.poll_event(), Some(DhcpEvent::Lost(OFFERED)));
    assert_eq!(rig.until_sent(5).map(|sent| sent.1), Some(1));
}

#[test]
fn a_conflict_is_declined_and_waited_out() {
    let mut rig = Rig::new(None);
    rig.until_sent(2).unwrap();
    rig.lease(OFFER, 3600).unwrap().unwrap();
    rig.last = rig.client.poll_transmit();
    rig.lease(ACK, 3600).unwrap().unwrap();
    assert!(rig.client.poll_event().is_some());
    rig.client.handle_conflict(rig.now);
    assert_eq!(rig.client.poll_event(), None, "who found it knows");
    let decline = rig.client.poll_transmit().unwrap();
    assert_eq!((decline.message[242], decline.to), (4, None));
    assert!(decline.message.windows(6).any(|w| w == [50, 4, 10, 0, 0, 9]));
    assert_eq!(rig.until_sent(9), None, "RFC 2131 §3.1 (5): ten seconds");
    assert_eq!(rig.until_sent(2).map(|sent| sent.1), Some(1));
    rig.client.handle_conflict(rig.now);
    assert_eq!(rig.client.state, DhcpState::Selecting, "no meaning without an address");
}

#[test]
fn a_remembered_address_is_asked_for_first() {
    let mut rig = Rig::new(Some(OFFERED));
    assert_eq!(rig.until_sent(2).map(|sent| (sent.1, sent.2)), Some((3, None)));
    assert_eq!(rig.client.state, DhcpState::Rebooting);
    let request = rig.last.clone().unwrap().message;
    assert!(request.windows(6).any(|w| w == [50, 4, 10, 0, 0, 9]) && !request.windows(3).any(|w| w == [54, 4, 10]));
    assert_eq!(request[12..16], [0; 4], "RFC 2131 §4.3.2: ciaddr is zero");
    assert!(rig.client.awaits(OFFERED));
    assert_eq!(rig.lease(ACK, 3600), Ok(Ok(())));
    assert!(matches!(rig.client.poll_event(), Some(DhcpEvent::Check(_))), "probed all the same");

    let mut rig = Rig::new(Some(OFFERED));
    rig.until_sent(2).unwrap();
    assert_eq!(rig.reply(NAK, &[]), Ok(Ok(())));
    assert_eq!(rig.client.poll_event(), None);
    assert_eq!(rig.until_sent(2).map(|sent| sent.1), Some(1));
    assert!(!rig.last.unwrap().message.windows(3).any(|w| w == [50, 4, 10]), "forgotten");
}

#[test]
fn a_link_that_comes_back_asks_and_keeps_a_lease_that_nobody_denies() {
    let mut rig = Rig::bound(100_000);
    rig.client.handle_link_up(rig.now);
    assert_eq!(rig.client.state, DhcpState::InitReboot);
    let kinds: Vec<u8> = (0..4).map(|_| rig.until_sent(100).unwrap().1).collect();
    assert_eq!(kinds, [3, 3, 3, 3]);
    assert_eq!(rig.until_sent(100), None);
    assert_eq!((rig.client.state, rig.client.poll_event()), (DhcpState::Bound, None), "RFC 2131 §3.2 (4)");

    rig.client.handle_link_up(rig.now);
    rig.until_sent(2).unwrap();
    assert_eq!(rig.lease(ACK, 3600), Ok(Ok(())));
    assert!(matches!(rig.client.poll_event(), Some(DhcpEvent::Renewed(_))), "in use all the time");

    rig.client.handle_link_up(rig.now);
    rig.until_sent(2).unwrap();
    assert_eq!(rig.reply(NAK, &[]), Ok(Ok(())));
    assert_eq!(rig.client.poll_event(), Some(DhcpEvent::Lost(OFFERED)), "another network");
}

#[test]
fn a_lease_for_ever_is_never_renewed() {
    let mut rig = Rig::bound(u32::MAX);
    assert_eq!(rig.client.next_at(), Instant::FAR_FUTURE);
    assert_eq!(rig.until_sent(1 << 30), None);
}
