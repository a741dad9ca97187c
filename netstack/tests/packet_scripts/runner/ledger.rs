//! What was counted, against what a script says.

use netstack::counters::{IpCounter, TcpCounter};
use netstack::stack::Stack;

type Entry = (String, u64);

/// Every TCP counter that moved, and every drop of the IP layer.
pub fn of(stack: &Stack) -> Vec<Entry> {
    let (tcp, ip) = (stack.tcp_counters(), stack.ip_counters());
    let tcp = TcpCounter::ALL.iter().map(|which| (which.name().to_string(), tcp.get(*which)));
    let drops = IpCounter::ALL.iter().filter(|which| which.name().starts_with("drop_"));
    let ip = drops.map(|which| (format!("ip.{}", which.name()), ip.get(*which)));
    tcp.chain(ip).filter(|(_, value)| *value != 0).collect()
}

/// Both lists name the same counters with the same values.
pub fn compare(written: Option<&[Entry]>, counted: &[Entry]) -> Result<(), String> {
    let Some(written) = written else {
        return Err(format!("the script has no ledger; counted were\n{}", print(counted)));
    };
    let value =
        |list: &[Entry], name: &str| list.iter().find(|(other, _)| other == name).map_or(0, |(_, value)| *value);
    let names = written.iter().chain(counted).map(|(name, _)| name.as_str());
    let mut wrong: Vec<_> = names
        .filter(|name| value(written, name) != value(counted, name))
        .map(|name| format!("{name} is {} and written as {}", value(counted, name), value(written, name)))
        .collect();
    wrong.sort();
    wrong.dedup();
    if wrong.is_empty() { Ok(()) } else { Err(format!("ledger: {}", wrong.join(", "))) }
}

fn print(ledger: &[Entry]) -> String {
    let mut lines = vec![String::from("ledger")];
    for (name, value) in ledger {
        let entry = format!(" {name}={value}");
        match lines.last_mut() {
            Some(line) if line.len() + entry.len() <= 110 => line.push_str(&entry),
            _ => lines.push(format!("ledger{entry}")),
        }
    }
    lines.join("\n")
}
