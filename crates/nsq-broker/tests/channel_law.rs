//! A channel's law: *entered = waiting + in flight + deferred + finished + dropped*, after every
//! step, for any order of commands and time; and nothing that entered is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use nsq_broker::{
    Batch, Channel, ChannelOptions, ConsumerKey, Delivery, NotHeld, Proximity, Sequence,
    Subscription, Taken, message_at,
};
use nsq_proto::Guid;
use proptest::prelude::*;

/// When the first message was published.
const PUBLISHED: i64 = 1_795_371_738_000_000_000;
const TIMEOUT: i64 = 100;

/// The log, as a list; and what the test knows of every message.
#[derive(Default)]
struct World {
    log: Vec<Arc<Batch>>,
    deferred_until: BTreeMap<u64, i64>,
    attempts: BTreeMap<u64, u16>,
    held: BTreeMap<u64, ConsumerKey>,
    finished: BTreeSet<u64>,
    now: i64,
}

impl World {
    fn end(&self) -> Sequence {
        self.log.last().map_or(Sequence(0), |batch| batch.end())
    }

    fn append(&mut self, count: u32, due_ns: Option<i64>) -> Arc<Batch> {
        let first = self.end();
        let mut body = BytesMut::new();
        for index in 0..u64::from(count) {
            let text = first.plus(index).0.to_string();
            body.put_u32(text.len() as u32);
            body.put(text.as_bytes());
        }
        let batch = Arc::new(Batch {
            first,
            count,
            first_guid: Guid::from_number(first.0),
            timestamp_ns: PUBLISHED + first.0 as i64,
            due_ns,
            body: body.freeze(),
        });
        self.log.push(Arc::clone(&batch));
        batch
    }

    fn read(&self, from: Sequence) -> Vec<Arc<Batch>> {
        self.log.iter().filter(|batch| batch.end() > from).take(3).cloned().collect()
    }

    fn one(&self, sequence: Sequence) -> Arc<Batch> {
        let text = sequence.0.to_string();
        let mut body = BytesMut::new();
        body.put_u32(text.len() as u32);
        body.put(text.as_bytes());
        let (first_guid, body) = (Guid::from_number(sequence.0), body.freeze());
        let (timestamp_ns, due_ns) = (self.published(sequence), None);
        Arc::new(Batch { first: sequence, count: 1, first_guid, timestamp_ns, due_ns, body })
    }

    /// When a message was published.
    fn published(&self, sequence: Sequence) -> i64 {
        let batch = self.log.iter().find(|batch| batch.end() > sequence);
        batch.expect("it was published").timestamp_ns
    }
}

fn options(capacity: Option<u64>) -> ChannelOptions {
    ChannelOptions { mem_queue_size: 10, capacity, max_msg_timeout_ns: 10 * TIMEOUT, seed: 42 }
}

fn subscription(sample_rate: u8) -> Subscription {
    let proximity = Proximity::Global;
    Subscription { msg_timeout_ns: TIMEOUT, sample_rate, proximity }
}

/// Takes what the consumer may have, reading the log as it is asked.
fn take(channel: &mut Channel<u32>, world: &mut World, key: ConsumerKey, bytes: usize) -> usize {
    let mut count = 0;
    for _ in 0..10_000 {
        let mut out: Vec<Delivery> = Vec::new();
        match channel.take(key, world.now, bytes, &mut out, &mut None) {
            Taken::Some => {}
            Taken::NotReady | Taken::Empty => return count,
            Taken::Read(from) => {
                let _woken = channel.offer(from, world.read(from), world.end());
            }
            Taken::Reload(which) => {
                let read = which.iter().map(|&s| (s, Some(world.one(s)))).collect();
                let _woken = channel.offer_requeued(read);
            }
        }
        for delivery in out {
            count += delivery.count as usize;
            receive(world, key, &delivery);
        }
    }
    panic!("a consumer cannot get done taking");
}

/// Checks one delivery: right bodies, right attempts, nothing early, nothing twice at once.
fn receive(world: &mut World, key: ConsumerKey, delivery: &Delivery) {
    let mut offset = delivery.offset;
    for index in 0..u64::from(delivery.count) {
        let sequence = delivery.first.plus(index);
        let (body, next) = message_at(&delivery.batch.body, offset).expect("a message");
        offset = next;
        assert_eq!(body, sequence.0.to_string().as_bytes());
        assert!(world.deferred_until.get(&sequence.0).is_none_or(|&due| due <= world.now));
        assert!(!world.finished.contains(&sequence.0), "{sequence:?} came after its FIN");
        assert_eq!(world.held.insert(sequence.0, key), None, "{sequence:?} is in flight already");
        let attempts = world.attempts.entry(sequence.0).or_default();
        *attempts += 1;
        assert_eq!(delivery.attempts, *attempts);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Publish(u32),
    Defer(u32, i64),
    Join(u8),
    Leave(usize),
    Ready(usize, u32),
    Take(usize, usize),
    Finish(usize),
    Requeue(usize),
    RequeueLater(usize, i64),
    Touch(usize),
    Wait(i64),
    Pause,
    Unpause,
    Empty,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..20u32).prop_map(Step::Publish),
        3 => (1..5u32, 1..300i64).prop_map(|(count, delay)| Step::Defer(count, delay)),
        2 => prop_oneof![4 => Just(0u8), 1 => 1..99u8].prop_map(Step::Join),
        1 => (0..4usize).prop_map(Step::Leave),
        3 => (0..4usize, 0..30u32).prop_map(|(who, count)| Step::Ready(who, count)),
        8 => (0..4usize, 1..60usize).prop_map(|(who, bytes)| Step::Take(who, bytes)),
        6 => (0..50usize).prop_map(Step::Finish),
        3 => (0..50usize).prop_map(Step::Requeue),
        2 => (0..50usize, 1..300i64).prop_map(|(which, delay)| Step::RequeueLater(which, delay)),
        2 => (0..50usize).prop_map(Step::Touch),
        4 => (1..150i64).prop_map(Step::Wait),
        1 => Just(Step::Pause),
        1 => Just(Step::Unpause),
        1 => Just(Step::Empty),
        1 => Just(Step::Restart),
    ]
}

struct Run {
    world: World,
    channel: Channel<u32>,
    consumers: Vec<ConsumerKey>,
    capacity: Option<u64>,
}

impl Run {
    fn new(capacity: Option<u64>) -> Self {
        let channel = Channel::new(Sequence(0), options(capacity));
        Self { world: World::default(), channel, consumers: Vec::new(), capacity }
    }

    fn held(&self, index: usize) -> Option<(Sequence, ConsumerKey)> {
        let count = self.world.held.len().max(1);
        self.world.held.iter().nth(index % count).map(|(&place, &key)| (Sequence(place), key))
    }

    fn consumer(&self, index: usize) -> Option<ConsumerKey> {
        self.consumers.get(index % self.consumers.len().max(1)).copied()
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Publish(count) => {
                let batch = self.world.append(count, None);
                let _woken = self.channel.extend(batch.end());
            }
            Step::Defer(count, delay) => {
                let due = self.world.now + delay;
                let batch = self.world.append(count, Some(due));
                let places = batch.first.0..batch.end().0;
                self.world.deferred_until.extend(places.map(|place| (place, due)));
                self.channel.extend_deferred(batch.first, count, due);
            }
            Step::Join(rate) if self.consumers.len() < 4 => {
                self.consumers.push(self.channel.join(subscription(rate), 0));
            }
            Step::Join(_) => {}
            Step::Leave(who) => self.leave(who),
            Step::Ready(who, count) => {
                if let Some(key) = self.consumer(who) {
                    self.channel.ready(key, count);
                }
            }
            Step::Take(who, bytes) => {
                if let Some(key) = self.consumer(who) {
                    take(&mut self.channel, &mut self.world, key, bytes);
                    let (ready, in_flight) = self.channel.consumer_load(key).expect("it is there");
                    let held = self.world.held.values().filter(|&&owner| owner == key).count();
                    assert_eq!(held, in_flight as usize);
                    assert!(ready >= in_flight || held > 0);
                }
            }
            Step::Empty => {
                let _woken = self.channel.empty();
                self.world.held.clear();
            }
            Step::Pause => self.channel.pause(),
            Step::Unpause => {
                let _woken = self.channel.unpause();
            }
            Step::Wait(time) => self.wait(time),
            Step::Restart => self.restart(),
            Step::Finish(which) | Step::Requeue(which) | Step::Touch(which) => {
                self.answer(step, which);
            }
            Step::RequeueLater(which, _) => self.answer(step, which),
        }
    }

    fn leave(&mut self, who: usize) {
        if self.consumers.is_empty() {
            return;
        }
        let key = self.consumers.remove(who % self.consumers.len());
        let _woken = self.channel.leave(key);
        self.world.held.retain(|_, owner| *owner != key);
    }

    fn wait(&mut self, time: i64) {
        self.world.now += time;
        let _woken = self.channel.expire(self.world.now);
        if let Some(next) = self.channel.next_expiry() {
            assert!(next > self.world.now, "a passed deadline was left");
        }
        // Whoever's time is up does not hold the message any more.
        let world = &mut self.world;
        let channel = &mut self.channel;
        let now = world.now;
        world.held.retain(|&place, &mut key| {
            channel.touch(key, Sequence(place), now, TIMEOUT) != Err(NotHeld::NotInFlight)
        });
    }

    fn answer(&mut self, step: &Step, which: usize) {
        let Some((sequence, key)) = self.held(which) else { return };
        let stranger = self.consumers.iter().find(|&&other| other != key);
        if let Some(&stranger) = stranger {
            assert_eq!(self.channel.finish(stranger, sequence), Err(NotHeld::NotOwner));
        }
        match *step {
            Step::Finish(_) => {
                assert_eq!(self.channel.finish(key, sequence), Ok(self.world.published(sequence)));
                assert_eq!(self.channel.finish(key, sequence), Err(NotHeld::NotInFlight));
                self.world.finished.insert(sequence.0);
            }
            Step::Requeue(_) => assert!(self.channel.requeue(key, sequence).is_ok()),
            Step::RequeueLater(_, delay) => {
                let due = self.world.now + delay;
                assert_eq!(self.channel.requeue_deferred(key, sequence, due), Ok(()));
                self.world.deferred_until.insert(sequence.0, due);
            }
            _ => {
                let now = self.world.now;
                assert_eq!(self.channel.touch(key, sequence, now, TIMEOUT), Ok(()));
                return;
            }
        }
        self.world.held.remove(&sequence.0);
    }

    fn restart(&mut self) {
        if self.capacity.is_some() {
            return;
        }
        let census = self.channel.census();
        let checkpoint = self.channel.checkpoint_whole();
        let end = self.world.end();
        self.channel = Channel::restore(&checkpoint, Sequence(0), end, options(None));
        self.consumers.clear();
        self.world.held.clear();
        let after = self.channel.census();
        assert_eq!(after.deferred, census.deferred);
        assert_eq!(after.waiting, census.waiting + census.in_flight);
    }

    fn check_law(&self) {
        let census = self.channel.census();
        assert_eq!(
            census.entered,
            census.waiting + census.in_flight + census.deferred + census.finished + census.dropped,
            "{census:?}"
        );
        assert_eq!(census.in_flight as usize, self.world.held.len());
        let mut live = Vec::new();
        let unseen = self.channel.unseen();
        self.channel.live_within(Sequence(0), unseen, &mut live);
        let live: BTreeSet<_> = live.into_iter().map(|sequence| sequence.0).collect();
        assert!(self.world.held.keys().all(|place| live.contains(place) || *place >= unseen.0));
        assert!(self.world.finished.iter().all(|place| !live.contains(place)));
    }

    /// Lets one consumer finish everything: then nothing may be left.
    fn drain(&mut self) {
        let _woken = self.channel.unpause();
        for _ in 0..self.consumers.len() {
            self.leave(0);
        }
        let key = self.channel.join(subscription(0), 0);
        self.channel.ready(key, 1000);
        self.world.now += 10_000;
        let _woken = self.channel.expire(self.world.now);
        loop {
            take(&mut self.channel, &mut self.world, key, 1000);
            let held: Vec<_> = self.world.held.keys().copied().collect();
            if held.is_empty() {
                break;
            }
            for place in held {
                let published = self.world.published(Sequence(place));
                assert_eq!(self.channel.finish(key, Sequence(place)), Ok(published));
                self.world.finished.insert(place);
            }
            self.world.held.clear();
        }
        let census = self.channel.census();
        assert_eq!((census.waiting, census.in_flight, census.deferred), (0, 0, 0));
        assert_eq!(self.channel.unseen(), self.world.end());
        self.check_law();
    }
}

proptest! {
    #[test]
    fn every_message_is_somewhere(steps in prop::collection::vec(step(), 1..120)) {
        let mut run = Run::new(None);
        for step in &steps {
            run.step(step);
            run.check_law();
        }
        run.drain();
        let dropping = |s: &Step| matches!(s, Step::Empty) || matches!(s, Step::Join(1..));
        if !steps.iter().any(dropping) {
            prop_assert_eq!(run.world.finished.len() as u64, run.world.end().0);
        }
    }

    #[test]
    fn an_ephemeral_channel_drops_the_newest(steps in prop::collection::vec(step(), 1..120)) {
        let mut run = Run::new(Some(10));
        for step in &steps {
            run.step(step);
            run.check_law();
        }
        run.drain();
    }
}

#[test]
fn a_requeued_message_goes_to_the_tail() {
    // tcp-protocol.md §13: a, b, c with a requeued comes as a, b, c, a.
    let mut run = Run::new(None);
    let key = run.channel.join(subscription(0), 0);
    run.channel.ready(key, 1);
    let mut order = Vec::new();
    run.step(&Step::Publish(3));
    for round in 0..4 {
        take(&mut run.channel, &mut run.world, key, 100);
        let (sequence, _) = run.held(0).expect("one is in flight");
        order.push(sequence.0);
        run.step(&if round == 0 { Step::Requeue(0) } else { Step::Finish(0) });
    }
    assert_eq!(order, [0, 1, 2, 0]);
}

#[test]
fn consumers_that_wait_share_a_batch() {
    let mut run = Run::new(None);
    let keys = [1, 2].map(|wake| run.channel.join(subscription(0), wake));
    for key in keys {
        run.channel.ready(key, 100);
        assert_eq!(take(&mut run.channel, &mut run.world, key, 1000), 0);
    }
    let batch = run.world.append(10, None);
    assert_eq!(run.channel.extend(batch.end()), Some(1), "first come, first served");
    let mut taken = Vec::new();
    let mut wake = None;
    let read = run.channel.take(keys[0], 0, 1000, &mut taken, &mut wake);
    assert_eq!(read, Taken::Read(Sequence(0)));
    let _woken = run.channel.offer(Sequence(0), run.world.read(Sequence(0)), run.world.end());
    run.channel.wait(keys[1]);
    assert_eq!(run.channel.take(keys[0], 0, 1000, &mut taken, &mut wake), Taken::Some);
    assert_eq!((taken[0].count, wake), (5, Some(2)), "half of it, and the word is passed on");
}

#[test]
fn a_consumer_that_wants_nothing_more_does_not_swallow_the_word() {
    let mut run = Run::new(None);
    let keys = [1, 2].map(|wake| run.channel.join(subscription(0), wake));
    for key in keys {
        run.channel.ready(key, 1);
        assert_eq!(take(&mut run.channel, &mut run.world, key, 1000), 0);
    }
    run.channel.ready(keys[0], 0);
    let batch = run.world.append(1, None);
    assert_eq!(run.channel.extend(batch.end()), Some(2));
}

#[test]
fn what_an_ephemeral_channel_dropped_is_needed_by_nobody() {
    let mut run = Run::new(Some(10));
    for _ in 0..100 {
        run.step(&Step::Publish(5));
    }
    let mut live = Vec::new();
    run.channel.live_within(Sequence(0), run.channel.unseen(), &mut live);
    assert_eq!(live, (0..10).map(Sequence).collect::<Vec<_>>());
}

#[test]
fn attempts_stay_at_their_limit() {
    let open = nsq_broker::Open { first: Sequence(0), count: 1, attempts: u16::MAX };
    let checkpoint =
        nsq_broker::Checkpoint { cursor: Sequence(1), open: vec![open], ..Default::default() };
    let mut world = World::default();
    world.append(1, None);
    let mut channel: Channel<u32> =
        Channel::restore(&checkpoint, Sequence(0), Sequence(1), options(None));
    let key = channel.join(subscription(0), 0);
    channel.ready(key, 1);
    let mut out = Vec::new();
    let asked = channel.take(key, 0, 10, &mut out, &mut None);
    assert_eq!(asked, Taken::Reload(vec![Sequence(0)]));
    let _woken = channel.offer_requeued(vec![(Sequence(0), Some(world.one(Sequence(0))))]);
    channel.take(key, 0, 10, &mut out, &mut None);
    assert_eq!(out[0].attempts, u16::MAX);
}

#[test]
fn messages_that_the_log_lost_are_passed_over() {
    let mut run = Run::new(None);
    let key = run.channel.join(subscription(0), 0);
    run.channel.ready(key, 100);
    for _ in 0..4 {
        run.step(&Step::Publish(5));
    }
    run.world.log.remove(1);
    run.world.log.remove(0);
    assert_eq!(take(&mut run.channel, &mut run.world, key, 1000), 10);
    assert_eq!(run.channel.census().dropped, 10);
    run.check_law();
}
