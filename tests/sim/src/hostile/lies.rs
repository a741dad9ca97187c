//! What liars lie about. One line in [`LIES`] and one function each.

use netstack::rng::Rng;

use super::frame::{Claim, Draft};
use super::speaker::{Speaker, timestamp_option};
use crate::check::segment::{ACK, FIN, PSH, RST, SYN, URG};

/// Tells a lie on a connection.
pub type Lie = fn(&mut Speaker, &mut Rng);

/// Every lie, with what it says.
pub const LIES: &[(&str, Lie)] = &[
    ("says nothing", |_, _| {}),
    ("shrinks its window", shrink_window),
    ("acknowledges what was not sent", acknowledge_unsent),
    ("resets within the window", reset_in_window),
    ("sends SYNs within the window", syn_in_window),
    ("sends overlapping data that differs", overlap),
    ("opens its window by a byte", silly_window),
    ("acknowledges what has not arrived", acknowledge_early),
    ("keeps its window closed", close_window),
    ("takes selective acknowledgments back", renege),
    ("acknowledges nonsense selectively", sack_nonsense),
    ("reports duplicates that were none", dsack),
    ("lets its timestamps jump", jump_timestamps),
    ("takes tiny segments", tiny_segments),
    ("is urgent", be_urgent),
    ("sends broken options", break_options),
    ("forges ICMP errors", forge_icmp),
    ("sends bytes one by one", split),
    ("floods with FINs", flood_fins),
    ("floods with SYNs", flood_syns),
    ("floods with duplicate acknowledgments", flood_acks),
    ("sends beyond the window", send_beyond),
    ("says anything", say_anything),
    ("forges segments of the client", forge_segments),
    ("echoes congestion for ever", echo_congestion),
    ("sends data behind its FIN", send_behind_fin),
];

fn near(rng: &mut Rng, number: u32) -> u32 {
    let spread = [4, 2_000, 100_000, u32::MAX][rng.below(4) as usize];
    number.wrapping_add(rng.below(spread)).wrapping_sub(spread / 2)
}

fn bytes(rng: &mut Rng, most: u32) -> Vec<u8> {
    (0..1 + rng.below(most)).map(|_| rng.next_u64() as u8).collect()
}

/// Some honest data now and then, so that there is something to lie about.
fn some_data(speaker: &mut Speaker, rng: &mut Rng) {
    if speaker.is_connected() && rng.below(3) == 0 {
        let data = bytes(rng, 1_000);
        speaker.send_data(data);
    }
}

fn shrink_window(speaker: &mut Speaker, rng: &mut Rng) {
    some_data(speaker, rng);
    speaker.window = if rng.below(4) == 0 { 30_000 } else { speaker.window / 2 };
    speaker.acknowledge();
}

fn acknowledge_unsent(speaker: &mut Speaker, rng: &mut Rng) {
    some_data(speaker, rng);
    let ack = speaker.rcv_max.wrapping_add(1 + rng.below(100_000));
    let lie = Draft { ack, ..speaker.draft() };
    speaker.send(lie);
}

fn reset_in_window(speaker: &mut Speaker, rng: &mut Rng) {
    some_data(speaker, rng);
    let seq = speaker.snd_nxt.wrapping_add(1 + rng.below(3_000));
    let lie = Draft { flags: if rng.below(2) == 0 { RST } else { RST | ACK }, seq, ..speaker.draft() };
    speaker.send(lie);
}

fn syn_in_window(speaker: &mut Speaker, rng: &mut Rng) {
    some_data(speaker, rng);
    let seq = near(rng, speaker.snd_nxt);
    let lie = Draft { flags: if rng.below(2) == 0 { SYN } else { SYN | ACK }, seq, ..speaker.draft() };
    speaker.send(lie);
}

fn overlap(speaker: &mut Speaker, rng: &mut Rng) {
    if !speaker.is_connected() {
        return;
    }
    let base = speaker.snd_nxt;
    for _ in 0..1 + rng.below(6) {
        let seq = base.wrapping_add(rng.below(3_000)).wrapping_sub(500);
        let flags = if rng.below(8) == 0 { ACK | FIN } else { ACK };
        let lie = Draft { seq, flags, payload: bytes(rng, 1_200), ..speaker.draft() };
        speaker.send(lie);
    }
    if rng.below(2) == 0 {
        let data = bytes(rng, 1_200);
        speaker.send_data(data);
    }
}

fn silly_window(speaker: &mut Speaker, rng: &mut Rng) {
    speaker.window = 1 + rng.below(3) as u16;
    some_data(speaker, rng);
    speaker.acknowledge();
}

fn acknowledge_early(speaker: &mut Speaker, rng: &mut Rng) {
    some_data(speaker, rng);
    // What is in flight, most likely.
    speaker.rcv_nxt = speaker.rcv_nxt.max(speaker.rcv_max).wrapping_add(rng.below(3) * 1_400);
    speaker.acknowledge();
}

fn close_window(speaker: &mut Speaker, rng: &mut Rng) {
    some_data(speaker, rng);
    speaker.window = 0;
    speaker.acknowledge();
}

fn sack_option(blocks: &[(u32, u32)]) -> Vec<u8> {
    let mut option = vec![1, 1, 5, 2 + 8 * blocks.len() as u8];
    for (from, to) in blocks {
        option.extend(from.to_be_bytes());
        option.extend(to.to_be_bytes());
    }
    option
}

fn sack(speaker: &mut Speaker, ack: u32, blocks: &[(u32, u32)]) {
    let mut options = speaker.draft().options;
    options.extend(sack_option(blocks));
    let lie = Draft { ack, options, ..speaker.draft() };
    speaker.send(lie);
}

/// Nothing is received any more, but for what is acknowledged selectively; and then that is not either.
fn renege(speaker: &mut Speaker, rng: &mut Rng) {
    let (from, to) = (speaker.rcv_nxt, speaker.rcv_max);
    let span = to.wrapping_sub(from);
    if rng.below(2) == 0 && (1..1 << 20).contains(&span) {
        let start = from.wrapping_add(rng.below(span));
        sack(speaker, from, &[(start, to)]);
    } else {
        speaker.acknowledge();
    }
}

fn sack_nonsense(speaker: &mut Speaker, rng: &mut Rng) {
    let count = 1 + rng.below(3) as usize;
    let blocks: Vec<_> = (0..count).map(|_| (near(rng, speaker.rcv_max), near(rng, speaker.rcv_max))).collect();
    let ack = if rng.below(2) == 0 { speaker.rcv_nxt } else { near(rng, speaker.rcv_nxt) };
    sack(speaker, ack, &blocks);
}

fn dsack(speaker: &mut Speaker, rng: &mut Rng) {
    let from = speaker.rcv_nxt.wrapping_sub(1 + rng.below(3_000));
    sack(speaker, speaker.rcv_nxt, &[(from, from.wrapping_add(1 + rng.below(1_400)))]);
}

fn jump_timestamps(speaker: &mut Speaker, rng: &mut Rng) {
    some_data(speaker, rng);
    let Some((value, echo)) = speaker.timestamps else { return };
    let options = timestamp_option(near(rng, value), near(rng, echo));
    let lie = Draft { options, payload: bytes(rng, 100), ..speaker.draft() };
    speaker.send(lie);
    if rng.below(4) == 0 {
        speaker.timestamps = Some((near(rng, value), echo));
    }
}

fn tiny_segments(speaker: &mut Speaker, rng: &mut Rng) {
    if !speaker.is_connected() {
        speaker.mss = rng.below(8) as u16;
    }
    some_data(speaker, rng);
    speaker.acknowledge();
}

fn be_urgent(speaker: &mut Speaker, rng: &mut Rng) {
    some_data(speaker, rng);
    let lie = Draft { flags: ACK | URG, urgent: rng.next_u64() as u16, payload: bytes(rng, 300), ..speaker.draft() };
    speaker.send(lie);
}

fn break_options(speaker: &mut Speaker, rng: &mut Rng) {
    let mut options = bytes(rng, 40);
    if let Some(first) = options.first_mut() {
        *first = [2, 3, 4, 5, 8, 34][rng.below(6) as usize];
    }
    let flags = [ACK, ACK | PSH, SYN, SYN | ACK][rng.below(4) as usize];
    let offset = (rng.below(4) == 0).then(|| rng.below(16) as u8);
    let lie = Draft { flags, options, offset, payload: bytes(rng, 50), ..speaker.draft() };
    speaker.send(lie);
}

fn forge_icmp(speaker: &mut Speaker, rng: &mut Rng) {
    let claim = match rng.below(4) {
        0 => Claim::PortUnreachable,
        1 => Claim::HostUnreachable,
        _ => Claim::TooBig(rng.below(1_600) as u16),
    };
    let of_the_client = rng.below(3) == 0;
    let seq = if rng.below(2) == 0 { speaker.rcv_max.wrapping_sub(1) } else { near(rng, speaker.rcv_max) };
    speaker.forge_icmp(seq, claim, of_the_client);
}

fn split(speaker: &mut Speaker, rng: &mut Rng) {
    if !speaker.is_connected() {
        return;
    }
    for _ in 0..40 {
        speaker.send_data(vec![rng.next_u64() as u8]);
    }
}

fn flood_fins(speaker: &mut Speaker, rng: &mut Rng) {
    for _ in 0..10 {
        let seq = near(rng, speaker.snd_nxt);
        let lie = Draft { flags: FIN | ACK, seq, ack: near(rng, speaker.rcv_nxt), ..speaker.draft() };
        speaker.send(lie);
    }
}

fn flood_syns(speaker: &mut Speaker, rng: &mut Rng) {
    for _ in 0..20 {
        let mut lie = Draft { flags: SYN, seq: rng.next_u64() as u32, ack: 0, ..speaker.draft() };
        lie.source.1 = rng.next_u64() as u16;
        speaker.send(lie);
    }
}

fn flood_acks(speaker: &mut Speaker, rng: &mut Rng) {
    for _ in 0..1 + rng.below(40) {
        speaker.acknowledge();
    }
}

fn send_beyond(speaker: &mut Speaker, rng: &mut Rng) {
    let seq = speaker.snd_nxt.wrapping_add(200_000 + rng.below(2_000_000));
    let lie = Draft { seq, payload: bytes(rng, 1_400), ..speaker.draft() };
    speaker.send(lie);
    some_data(speaker, rng);
}

fn say_anything(speaker: &mut Speaker, rng: &mut Rng) {
    for _ in 0..1 + rng.below(4) {
        let payload = if rng.below(2) == 0 { bytes(rng, 1_400) } else { Vec::new() };
        let lie = Draft {
            flags: rng.next_u64() as u8,
            seq: near(rng, speaker.snd_nxt),
            ack: near(rng, speaker.rcv_nxt),
            window: rng.next_u64() as u16,
            urgent: rng.next_u64() as u16,
            payload,
            ..speaker.draft()
        };
        speaker.send(lie);
    }
}

/// What a stranger off the path may guess wrongly: nothing of it may touch the client's connection (RFC 5961).
fn forge_segments(speaker: &mut Speaker, rng: &mut Rng) {
    const FAR: u32 = 1 << 30;
    let Some(forgery) = speaker.forgery() else { return };
    let far = |number: u32, rng: &mut Rng| number.wrapping_add(FAR).wrapping_add(rng.below(FAR));
    let lie = match rng.below(5) {
        0 => Draft { flags: RST, seq: far(forgery.seq, rng), ..forgery },
        1 => Draft { flags: RST | ACK, seq: far(forgery.seq, rng), ..forgery },
        2 => Draft { flags: SYN, seq: near(rng, forgery.seq), ..forgery },
        3 => Draft { seq: far(forgery.seq, rng), payload: bytes(rng, 500), ..forgery },
        _ => Draft { ack: far(forgery.ack, rng), payload: bytes(rng, 500), ..forgery },
    };
    speaker.send(lie);
}

fn echo_congestion(speaker: &mut Speaker, rng: &mut Rng) {
    const ECE: u8 = 0x40;
    some_data(speaker, rng);
    let lie = Draft { flags: ACK | ECE, ..speaker.draft() };
    speaker.send(lie);
}

fn send_behind_fin(speaker: &mut Speaker, rng: &mut Rng) {
    if !speaker.is_connected() {
        return;
    }
    let lie = Draft { flags: FIN | ACK, payload: bytes(rng, 100), ..speaker.draft() };
    let next = speaker.snd_nxt.wrapping_add(lie.payload.len() as u32 + 1);
    speaker.send(lie);
    speaker.snd_nxt = next;
    let lie = Draft { payload: bytes(rng, 1_000), ..speaker.draft() };
    speaker.send(lie);
}
