//! An nsqd and an nsqlookupd that cannot reach each other for a while, beside an nsqlookupd that
//! can be reached all the time.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::eventually;
use crate::proxy::{Proxy, Way};
use crate::registry::Registry;
use nsq_sim::Daemon;

/// Where the way to the nsqlookupd begins that will be cut off.
const FAR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// More than a publish to a new topic takes anywhere, less than nsqd waits for an nsqlookupd.
const FAST: Duration = Duration::from_millis(500);

/// An nsqd between two nsqlookupds.
pub(crate) struct Cluster {
    pub(crate) nsqd: Daemon,
    pub(crate) near: Daemon,
    pub(crate) far: Daemon,
}

impl Cluster {
    /// What must hold when the way to the far nsqlookupd is cut, many things change and it heals.
    pub(crate) fn heals(&self, cut: impl FnOnce(), is_cut: impl FnOnce(), heal: impl FnOnce()) {
        let Self { nsqd, near, .. } = self;
        for (topic, channel) in
            [("stays", "dropped"), ("stays", "kept"), ("gone", "only"), ("again", "old")]
        {
            nsqd.create(topic, channel);
        }
        eventually("both know everything", &(self.before(), self.before()), || {
            (registry(near), registry(&self.far))
        });
        near.create("orders", "archive");

        cut();
        nsqd.order("/channel/delete?topic=stays&channel=dropped", "");
        nsqd.create("stays", "added");
        nsqd.order("/topic/delete?topic=gone", "");
        nsqd.order("/topic/delete?topic=again", "");
        nsqd.create("again", "new");
        nsqd.create("passing", "by");
        // What comes and goes at once need not be told.
        eventually("passing is known", &Some((vec!["by".to_owned()], vec![nsqd.port()])), || {
            registry(near).topics.remove("passing")
        });
        nsqd.order("/topic/delete?topic=passing", "");
        let mut times = ["new1", "new2", "new3", "orders", "stays"].map(|topic| {
            let began = Instant::now();
            nsqd.order(&format!("/pub?topic={topic}"), "message");
            began.elapsed()
        });
        times.sort_unstable();
        assert!(times[2] < FAST, "publishing waits: {times:?}");
        let truth: [(&str, &[&str]); _] = [
            // What nobody has is known until it is deleted at nsqlookupd.
            ("stays", &["added", "dropped", "kept"]),
            ("again", &["new", "old"]),
            ("orders", &["archive"]),
            ("new1", &[]),
            ("new2", &[]),
            ("new3", &[]),
        ];
        let truth_near = Registry::of_one(nsqd.port(), &truth)
            .with_empty(&[("gone", &["only"]), ("passing", &["by"])]);
        eventually("the other one knows what is true", &truth_near, || registry(near));
        is_cut();

        heal();
        let truth_far = Registry::of_one(nsqd.port(), &truth).with_empty(&[("gone", &["only"])]);
        eventually("what is true comes to be known", &truth_far, || registry(&self.far));
        assert_eq!(registry(near), truth_near);
        nsqd.order("/topic/delete?topic=stays", "");
        eventually("changes are told again", &Vec::<u16>::new(), || {
            let (_, producers) = registry(&self.far).topics.remove("stays").expect("it is known");
            producers
        });
    }

    /// What both know before the way is cut.
    fn before(&self) -> Registry {
        Registry::of_one(
            self.nsqd.port(),
            &[("stays", &["dropped", "kept"]), ("gone", &["only"]), ("again", &["old"])],
        )
    }
}

fn registry(lookupd: &Daemon) -> Registry {
    Registry::of(lookupd.addresses().http)
}

/// Proxies on the way to the far nsqlookupd, over TCP and over HTTP.
fn check(way: Way, is_cut: impl FnOnce(&Cluster)) {
    let data = tempfile::tempdir().expect("a directory");
    let near = Daemon::lookupd(&[]);
    let far = Daemon::lookupd(&[&format!("--broadcast-address={FAR}")]);
    let tcp = Proxy::start((FAR, 0).into(), far.addresses().tcp);
    // nsqd asks there for channels, for that is what nsqlookupd tells it.
    let http_port = far.addresses().http.port();
    let http = Proxy::start((FAR, http_port).into(), far.addresses().http);
    let nsqd = Daemon::nsqd(data.path(), &[near.addresses().tcp, tcp.address]);
    let cluster = Cluster { nsqd, near, far };
    let make = |way| [&tcp, &http].iter().for_each(|proxy| proxy.make(way));
    cluster.heals(|| make(way), || is_cut(&cluster), || make(Way::Open));
}

#[test]
fn a_black_hole_heals() {
    check(Way::BlackHole, |cluster| {
        // It heard of nothing, not even of the end of the connection.
        assert_eq!(registry(&cluster.far), cluster.before());
    });
}

#[test]
fn a_port_that_refuses_heals() {
    check(Way::Refused, |cluster| {
        let gone = cluster.before().nodes.len() - 1;
        eventually("the nsqd is forgotten", &gone, || registry(&cluster.far).nodes.len());
    });
}

/// It pings every 15 seconds, so this one is patient.
#[test]
fn who_pings_stays_and_who_vanished_is_forgotten() {
    let homes = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let lookupd = Daemon::lookupd(&["--inactive-producer-timeout=18s"]);
    let proxy = Proxy::start((FAR, 0).into(), lookupd.addresses().tcp);
    let nodes = || -> Vec<u16> {
        let nodes = registry(&lookupd).nodes;
        nodes.into_iter().map(|(port, _)| port).collect()
    };
    // The first to come would be the first to go if pings did not count.
    let stays = Daemon::nsqd(homes[0].path(), &[lookupd.addresses().tcp]);
    eventually("the first is a node", &vec![stays.port()], nodes);
    let vanishes = Daemon::nsqd(homes[1].path(), &[proxy.address]);
    let mut both = vec![stays.port(), vanishes.port()];
    both.sort_unstable();
    eventually("both are nodes", &both, nodes);
    proxy.make(Way::BlackHole);
    eventually("only the first is left", &vec![stays.port()], nodes);
    proxy.make(Way::Open);
    eventually("both are nodes again", &both, nodes);
}
