//! Attacks on the port of the protocol.

use std::io::{self, Write};
use std::net::TcpStream;

use super::{MOMENT, Victim, WHILE, connect, drip, identified, listen, say};
use crate::command;

/// Topics of their own, most of them not kept.
const TOPIC: &str = "hostile#ephemeral";
/// Connections of one round.
const CROWD: usize = 20;
/// Connections of one round of a flood: half of them are held.
const FLOOD: usize = 300;
/// What a deaf publisher publishes before it gives up.
const DEAF_PUBLISHES: usize = 5_000;
/// Channels of one round.
const CHANNELS: usize = 50;
/// Messages of a hoarder time out soon: it may keep nobody waiting for long.
const HOARDER: &str = r#"{"client_id":"hoarder","msg_timeout":1000,"heartbeat_interval":1000}"#;
const DEAF: &str = r#"{"client_id":"deaf","msg_timeout":1000,"heartbeat_interval":1000,
    "topology_zone":"near","topology_region":"here"}"#;

pub(super) fn slow_commands(victim: &mut Victim) -> io::Result<()> {
    let mut script = command::MAGIC.to_vec();
    script.extend(command::identify("{}"));
    script.extend(command::publish(TOPIC, b"slowly"));
    script.extend(b"PUB and a line that does not end");
    let mut clients = Vec::new();
    for number in 0..CROWD {
        let rest = script.get(number..).unwrap_or_default().to_vec();
        clients.push((say(victim.addresses.tcp, &script[..number])?, rest));
    }
    drip(clients)
}

pub(super) fn half_commands(victim: &mut Victim) -> io::Result<()> {
    let mut open = Vec::new();
    for whole in [
        command::identify("{\"client_id\":\"half\"}"),
        command::publish(TOPIC, b"half a message"),
        command::publish_many(TOPIC, &[b"one".to_vec(), b"two".to_vec()]),
        command::publish_deferred(TOPIC, 100, b"half a message"),
        command::subscribe(TOPIC, "half"),
        command::finish("0123456789abcdef"),
    ] {
        let part = 1 + victim.seed.below(whole.len() - 1);
        for holds in [false, true] {
            let stream = identified(victim.addresses.tcp, "{}", &whole[..part])?;
            if holds {
                open.push(stream);
            }
        }
    }
    open.iter_mut().try_for_each(|stream| listen(stream, MOMENT).map(drop))
}

pub(super) fn lengths(victim: &mut Victim) -> io::Result<()> {
    let mut open = Vec::new();
    for size in [-1, i32::MIN, i32::MAX, 0, 1, 3, (1 << 20) + 1, (5 << 20) + 1] {
        for line in ["IDENTIFY", "AUTH", "PUB t", "MPUB t", "DPUB t 1", "DPUB t -1"] {
            let mut bytes = command::MAGIC.to_vec();
            bytes.extend(line.bytes().chain([b'\n']).chain(size.to_be_bytes()).chain([0; 3]));
            open.push(say(victim.addresses.tcp, &bytes)?);
        }
        // The size of the body is good; the count or the size of a message in it is not.
        for (count, message) in [(size, 4), (1, size), (2, 8)] {
            let mut bytes = command::MAGIC.to_vec();
            bytes.extend(b"MPUB hostile#ephemeral\n\0\0\0\x0c");
            bytes
                .extend(count.to_be_bytes().into_iter().chain(message.to_be_bytes()).chain([7; 4]));
            open.push(say(victim.addresses.tcp, &bytes)?);
        }
    }
    open.iter_mut().try_for_each(|stream| listen(stream, MOMENT).map(drop))
}

pub(super) fn flood(victim: &mut Victim) -> io::Result<()> {
    let mut held = Vec::new();
    for number in 0..FLOOD {
        let stream = connect(victim.addresses.tcp)?;
        match number % 4 {
            0 => held.push(stream),
            1 => held.push(say(victim.addresses.tcp, b"GET / HTTP/1.1\r\n")?),
            _ => {}
        }
    }
    held.last_mut().map_or(Ok(true), |stream| listen(stream, WHILE)).map(drop)
}

pub(super) fn deaf_consumers(victim: &mut Victim) -> io::Result<()> {
    let settings: String = DEAF.split_whitespace().collect();
    let mut held = Vec::new();
    // Most of them on a channel of their own, one among those who do their work.
    for channel in ["deaf#ephemeral"; CROWD / 4].into_iter().chain([victim.channel.as_str()]) {
        let mut script = command::subscribe(&victim.topic, channel);
        script.extend(command::ready(2500));
        held.push(identified(victim.addresses.tcp, &settings, &script)?);
    }
    // To wait without reading from them, listen to one that is told nothing.
    let mut clock = connect(victim.addresses.tcp)?;
    for _ in 0..5 {
        if !listen(&mut clock, WHILE)? {
            break;
        }
    }
    Ok(())
}

/// Clients that have a lot to say about themselves.
pub(super) fn long_descriptions(victim: &mut Victim) -> io::Result<()> {
    let settings = format!("{{\"client_id\":\"{}\"}}", "d".repeat(900_000));
    let mut held = Vec::new();
    for _ in 0..CROWD / 2 {
        held.push(identified(victim.addresses.tcp, &settings, b"NOP\n")?);
    }
    held.iter_mut().try_for_each(|stream| listen(stream, WHILE).map(drop))
}

pub(super) fn hoarders(victim: &mut Victim) -> io::Result<()> {
    let mut held = Vec::new();
    for _ in 0..CROWD / 4 {
        let mut script = command::subscribe(&victim.topic, &victim.channel);
        script.extend(command::ready(10));
        held.push(identified(victim.addresses.tcp, HOARDER, &script)?);
    }
    for _ in 0..20 {
        held.retain_mut(|stream| listen(stream, MOMENT).unwrap_or(false));
    }
    Ok(())
}

pub(super) fn deaf_publishers(victim: &mut Victim) -> io::Result<()> {
    let publish = command::publish(TOPIC, &[b'x'; 100]);
    let many = publish.repeat(50);
    let mut streams: Vec<TcpStream> = Vec::new();
    for _ in 0..4 {
        streams.push(identified(victim.addresses.tcp, "{}", b"")?);
    }
    for _ in 0..DEAF_PUBLISHES / 50 {
        streams.retain_mut(|stream| stream.write_all(&many).is_ok());
    }
    Ok(())
}

pub(super) fn garbage(victim: &mut Victim) -> io::Result<()> {
    let mut open = Vec::new();
    for number in 0..CROWD {
        let mut bytes = if number % 2 == 0 { command::MAGIC.to_vec() } else { Vec::new() };
        let length = victim.seed.below(5000);
        bytes.extend((0..length).map(|_| victim.seed.draw() as u8));
        open.push(say(victim.addresses.tcp, &bytes)?);
        open.push(say(victim.addresses.http, &bytes)?);
    }
    open.iter_mut().try_for_each(|stream| listen(stream, MOMENT).map(drop))
}

pub(super) fn invalid_commands(victim: &mut Victim) -> io::Result<()> {
    let lines: [&[u8]; 9] = [
        b"FIN 0123456789abcdef\n",
        b"REQ 0123456789abcdef 99999999999999999999\n",
        b"REQ 0123456789abcdef -1\n",
        b"TOUCH \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\n",
        b"RDY 2501\n",
        b"SUB a b\nSUB a b\n",
        b"NOP\nCLS\nCLS\n",
        b"\n\n\n\n",
        b"SUB a\n",
    ];
    let mut open = Vec::new();
    for line in lines {
        let mut script = command::subscribe(TOPIC, "invalid#ephemeral");
        script.extend(line.repeat(500));
        open.push(identified(victim.addresses.tcp, "{}", &script)?);
        open.push(identified(victim.addresses.tcp, "{}", &line.repeat(500))?);
    }
    open.iter_mut().try_for_each(|stream| listen(stream, MOMENT).map(drop))
}

pub(super) fn names(victim: &mut Victim) -> io::Result<()> {
    let long = "n".repeat(65);
    let endless = "n".repeat(100_000);
    let names = ["../../etc/passwd", "a/b", ".", "..", "#ephemeral", "a#ephemeral#ephemeral", "\0"];
    let mut open = Vec::new();
    for name in names.into_iter().chain([long.as_str(), endless.as_str(), "\u{fc}"]) {
        open.push(identified(victim.addresses.tcp, "{}", &command::publish(name, b"x"))?);
        open.push(identified(victim.addresses.tcp, "{}", &command::subscribe(name, "c"))?);
        open.push(identified(victim.addresses.tcp, "{}", &command::subscribe(TOPIC, name))?);
    }
    open.iter_mut().try_for_each(|stream| listen(stream, MOMENT).map(drop))
}

pub(super) fn ephemeral_channels(victim: &mut Victim) -> io::Result<()> {
    let mut held = Vec::new();
    for _ in 0..CHANNELS {
        let channel = format!("c{}#ephemeral", victim.seed.draw());
        let topic = if victim.seed.below(2) == 0 { TOPIC } else { &victim.topic };
        let mut script = command::subscribe(topic, &channel);
        script.extend(command::ready(1));
        let stream = identified(victim.addresses.tcp, "{}", &script)?;
        if victim.seed.below(2) == 0 {
            held.push(stream);
        }
    }
    held.iter_mut().try_for_each(|stream| listen(stream, MOMENT).map(drop))
}
