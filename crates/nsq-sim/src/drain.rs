//! Waiting until a daemon has delivered all it owes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::consumer::Temper;
use crate::ledger::Ledger;
use crate::traffic::{Addresses, Traffic};

/// How often the account is looked at.
const TICK: Duration = Duration::from_millis(20);

/// Consumes and finishes everything on all channels of the account. Ends as soon as nothing is
/// missing, or when nothing has come for as long as `patience`; returns what is missing then.
pub fn drain(addresses: Addresses, ledger: &Arc<Ledger>, patience: Duration) -> Vec<String> {
    let mut traffic = Traffic::new(addresses, ledger, 0, 1);
    for (topic, channel) in ledger.channels() {
        traffic.consume(&topic, &channel, Temper::Diligent);
    }
    let mut last = (Instant::now(), 0);
    let missing = loop {
        let missing = ledger.missing();
        let deliveries = ledger.totals().deliveries;
        if deliveries != last.1 {
            last = (Instant::now(), deliveries);
        }
        if missing.is_empty() || last.0.elapsed() > patience {
            break missing;
        }
        std::thread::sleep(TICK);
    };
    traffic.stop();
    missing
}
