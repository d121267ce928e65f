//! What is to be published, and who may take it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use nsq_proto::TopicName;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::batch::Batch;
use super::ticket::Receipt;
use crate::{Config, PublishError};

/// How often the queue is looked at within one `publish_timeout`. A message joins no batch that has
/// waited longer than two of these times.
const LOOKS: u32 = 8;

/// Batches in the order of publishing. Publishers add to the newest batch of their topic as long as
/// no connection has taken it: so batches grow by themselves while connections are busy, and nobody
/// waits while one is idle.
#[derive(Debug)]
pub(crate) struct Queue {
    content: Mutex<Content>,
    /// A permit for each message that may be taken in.
    room: Semaphore,
    /// Nothing is outstanding any more, or nothing more is taken in.
    changed: Notify,
    /// Somebody has to watch the deadlines.
    pub(super) watched: Notify,
    max_outstanding: u32,
    publish_timeout: Duration,
    retries: bool,
}

#[derive(Debug, Default)]
struct Content {
    batches: VecDeque<Batch>,
    /// The number of the first batch. It falls when a batch is put back.
    first: i64,
    /// The batch of a topic that still grows, by its number.
    open: HashMap<TopicName, i64>,
    /// Messages that were taken in and not answered.
    outstanding: u32,
    /// Connections with nothing to do, the one that has waited longest first.
    idle: VecDeque<Arc<Bell>>,
    is_closed: bool,
    is_watched: bool,
    /// Why no connection can be made, if none can.
    unreachable: Option<Arc<str>>,
    /// Why the last connection failed.
    last_error: Option<Arc<str>>,
}

/// Wakes one connection that waits for work.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    pub(super) driver: AtomicWaker,
    pub(super) is_rung: AtomicBool,
}

impl Bell {
    fn ring(&self) {
        self.is_rung.store(true, Ordering::Release);
        self.driver.wake();
    }
}

impl Queue {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            content: Mutex::default(),
            room: Semaphore::new(config.max_outstanding as usize),
            changed: Notify::new(),
            watched: Notify::new(),
            max_outstanding: config.max_outstanding,
            publish_timeout: config.publish_timeout,
            retries: config.publish_retry,
        }
    }

    /// Takes a message in, as soon as there is room.
    pub(crate) async fn publish(&self, topic: &str, body: &[u8]) -> Result<Receipt, PublishError> {
        let room = self.room_for(1).await?;
        let receipt = self.add(topic, body)?;
        room.forget();
        Ok(receipt)
    }

    /// Takes a command in as it is, as soon as there is room.
    pub(crate) async fn publish_whole<'a>(
        &self,
        topic: &str,
        delay: Option<Duration>,
        bodies: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Result<Receipt, PublishError> {
        let topic = parse(topic)?;
        let room = self.room_for(u32::try_from(bodies.len()).unwrap_or(u32::MAX)).await?;
        let mut batch = Batch::whole(topic, delay, Instant::now() + self.publish_timeout);
        for body in bodies {
            batch.push(body);
        }
        let receipt = Receipt::new(Arc::clone(batch.ticket()), 0);
        let mut content = self.content.lock();
        self.admit(&content)?;
        content.outstanding += batch.count();
        self.append(&mut content, batch);
        room.forget();
        Ok(receipt)
    }

    /// Waits for room, first come, first served. What is more than all there is takes all.
    async fn room_for(&self, count: u32) -> Result<SemaphorePermit<'_>, PublishError> {
        let room = self.room.acquire_many(count.min(self.max_outstanding)).await;
        room.map_err(|_closed| PublishError::Stopped)
    }

    fn add(&self, topic: &str, body: &[u8]) -> Result<Receipt, PublishError> {
        let mut content = self.content.lock();
        self.admit(&content)?;
        let likes_company = Batch::likes_company(body.len());
        if likes_company && let Some(batch) = content.open_batch(topic, body.len()) {
            let place = batch.push(body);
            let receipt = Receipt::new(Arc::clone(batch.ticket()), place);
            content.outstanding += 1;
            return Ok(receipt);
        }
        let topic = parse(topic)?;
        let mut batch = Batch::open(topic.clone(), Instant::now() + self.publish_timeout);
        let place = batch.push(body);
        let receipt = Receipt::new(Arc::clone(batch.ticket()), place);
        content.outstanding += 1;
        let number = self.append(&mut content, batch);
        if likes_company {
            content.open.insert(topic, number);
        }
        Ok(receipt)
    }

    fn admit(&self, content: &Content) -> Result<(), PublishError> {
        if content.is_closed {
            return Err(PublishError::Stopped);
        }
        let unreachable = content.unreachable.as_ref().filter(|_| !self.retries);
        unreachable.map_or(Ok(()), |error| Err(PublishError::NotConnected(Arc::clone(error))))
    }

    /// Returns the number of the batch.
    fn append(&self, content: &mut Content, batch: Batch) -> i64 {
        let number = content.first + content.batches.len() as i64;
        content.batches.push_back(batch);
        if !content.is_watched {
            content.is_watched = true;
            self.watched.notify_one();
        }
        content.ring_one();
        number
    }

    /// The next batch for a connection; without one its bell will ring when there is.
    pub(crate) fn take(&self, bell: &Arc<Bell>) -> Option<Batch> {
        let mut content = self.content.lock();
        let Some(batch) = content.batches.pop_front() else {
            if !content.idle.iter().any(|idle| Arc::ptr_eq(idle, bell)) {
                content.idle.push_back(Arc::clone(bell));
            }
            return None;
        };
        // It has something to do: the next is for those that have nothing.
        content.idle.retain(|idle| !Arc::ptr_eq(idle, bell));
        let number = content.first;
        content.first += 1;
        if content.open.get(&batch.topic) == Some(&number) {
            content.open.remove(&batch.topic);
        }
        if !content.batches.is_empty() {
            content.ring_one();
        }
        Some(batch)
    }

    /// Batches that could not be published by who took them; the first of them comes first again.
    pub(crate) fn put_back(&self, batches: impl DoubleEndedIterator<Item = Batch>) {
        let mut content = self.content.lock();
        for batch in batches.rev() {
            content.first -= 1;
            content.batches.push_front(batch);
        }
        content.ring_one();
    }

    /// The same from one that takes nothing for a while: the bell of another is to ring for them.
    pub(crate) fn give_back(
        &self,
        bell: &Arc<Bell>,
        batches: impl DoubleEndedIterator<Item = Batch>,
    ) {
        self.leave(bell);
        self.put_back(batches);
    }

    /// A batch has its outcome.
    pub(crate) fn answer(&self, batch: &Batch, result: Result<(), PublishError>) {
        batch.answer(result);
        self.release(batch.count());
    }

    fn release(&self, count: u32) {
        let mut content = self.content.lock();
        content.outstanding -= count;
        let is_done = content.is_closed && content.outstanding == 0;
        drop(content);
        self.room.add_permits(count.min(self.max_outstanding) as usize);
        if is_done {
            self.changed.notify_waiters();
        }
    }

    /// Who waits for work does so no more. What it might have been woken for, another takes.
    pub(crate) fn leave(&self, bell: &Arc<Bell>) {
        let mut content = self.content.lock();
        content.idle.retain(|idle| !Arc::ptr_eq(idle, bell));
        if !content.batches.is_empty() {
            content.ring_one();
        }
    }

    /// A connection failed.
    pub(crate) fn note_error(&self, error: &Arc<str>) {
        self.content.lock().last_error = Some(Arc::clone(error));
    }

    /// No connection can be made at the moment.
    pub(crate) fn unreachable(&self, error: &Arc<str>) {
        let mut content = self.content.lock();
        content.unreachable = Some(Arc::clone(error));
        if !self.retries {
            let batches = content.take_all();
            drop(content);
            self.fail(&batches, |_| PublishError::NotConnected(Arc::clone(error)));
        }
    }

    /// There is a connection, or one is being made.
    pub(crate) fn reachable(&self) {
        self.content.lock().unreachable = None;
    }

    /// Fails what has waited for too long. Returns when to look again, if anything waits.
    pub(crate) fn expire(&self, now: Instant) -> Option<Instant> {
        let mut content = self.content.lock();
        let mut expired = Vec::new();
        while content.batches.front().is_some_and(|batch| batch.deadline <= now) {
            expired.extend(content.batches.pop_front());
            content.first += 1;
        }
        content.close_old(now + (self.publish_timeout - self.publish_timeout / LOOKS));
        // What is under way has a deadline, too, and may come back.
        let soon = (content.outstanding > 0).then(|| now + self.publish_timeout / LOOKS);
        let next = content.batches.front().map(|batch| batch.deadline);
        let next = [soon, next].into_iter().flatten().min();
        content.is_watched = next.is_some();
        let error = content.last_error.clone().unwrap_or_else(|| "no nsqd is known".into());
        drop(content);
        self.fail(&expired, |batch| match batch.was_sent {
            true => PublishError::TimedOut(Arc::clone(&error)),
            false => PublishError::NotConnected(Arc::clone(&error)),
        });
        next
    }

    fn fail(&self, batches: &[Batch], error: impl Fn(&Batch) -> PublishError) {
        for batch in batches {
            self.answer(batch, Err(error(batch)));
        }
    }

    /// Nothing more is taken in.
    pub(crate) fn close(&self) {
        let mut content = self.content.lock();
        content.is_closed = true;
        while !content.idle.is_empty() {
            content.ring_one();
        }
        drop(content);
        self.room.close();
        self.changed.notify_waiters();
    }

    /// Returns when everything that was taken in has its outcome.
    pub(crate) async fn settled(&self) {
        loop {
            let changed = self.changed.notified();
            if self.content.lock().outstanding == 0 {
                return;
            }
            changed.await;
        }
    }

    /// Fails what is left.
    pub(crate) fn abandon(&self) {
        let batches = self.content.lock().take_all();
        self.fail(&batches, |_| PublishError::Stopped);
    }
}

impl Content {
    fn open_batch(&mut self, topic: &str, length: usize) -> Option<&mut Batch> {
        let number = *self.open.get(topic)?;
        let index = usize::try_from(number - self.first).ok()?;
        self.batches.get_mut(index).filter(|batch| batch.has_room(length))
    }

    /// Nobody joins a batch any more whose deadline is earlier than this, or that is gone: whoever
    /// did would have less time than others.
    fn close_old(&mut self, deadline: Instant) {
        let Self { open, batches, first, .. } = self;
        open.retain(|_, number| {
            let index = usize::try_from(*number - *first).ok();
            let batch = index.and_then(|index| batches.get(index));
            batch.is_some_and(|batch| batch.deadline > deadline)
        });
    }

    fn ring_one(&mut self) {
        if let Some(bell) = self.idle.pop_front() {
            bell.ring();
        }
    }

    fn take_all(&mut self) -> Vec<Batch> {
        self.open.clear();
        self.first += self.batches.len() as i64;
        self.batches.drain(..).collect()
    }
}

fn parse(topic: &str) -> Result<TopicName, PublishError> {
    TopicName::parse(topic.as_bytes()).map_err(|_| PublishError::TopicName(topic.into()))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(8);

    fn queue(max_outstanding: u32) -> Queue {
        let publish_timeout = TIMEOUT;
        Queue::new(&Config { max_outstanding, publish_timeout, ..Config::default() })
    }

    /// What comes of it without waiting.
    fn now<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn publish(queue: &Queue, topic: &str) -> Receipt {
        match now(queue.publish(topic, b"x")) {
            Poll::Ready(Ok(receipt)) => receipt,
            other => panic!("not taken in: {other:?}"),
        }
    }

    fn is_rung(bell: &Bell) -> bool {
        bell.is_rung.load(Ordering::Acquire)
    }

    /// It rang for the one who had just failed, who slept on; the other was never asked.
    #[test]
    fn what_one_gives_back_another_is_woken_for() {
        let queue = queue(10);
        let (first, second) = (Arc::<Bell>::default(), Arc::<Bell>::default());
        assert!(queue.take(&first).is_none());
        let _receipt = publish(&queue, "t");
        let batch = queue.take(&first).expect("a batch");
        // It could publish more, and so could the other.
        assert!(queue.take(&first).is_none());
        assert!(queue.take(&second).is_none());
        first.is_rung.store(false, Ordering::Release);
        queue.give_back(&first, std::iter::once(batch));
        assert!(is_rung(&second) && !is_rung(&first));
    }

    /// Busy with what it took unasked, it could not hear the bell for the next.
    #[test]
    fn who_took_a_batch_unasked_waits_for_none() {
        let queue = queue(10);
        let (first, second) = (Arc::<Bell>::default(), Arc::<Bell>::default());
        assert!(queue.take(&second).is_none() && queue.take(&first).is_none());
        let _receipt = publish(&queue, "a");
        assert!(is_rung(&second));
        assert!(queue.take(&first).is_some() && queue.take(&second).is_none());
        second.is_rung.store(false, Ordering::Release);
        let _receipt = publish(&queue, "b");
        assert!(is_rung(&second) && !is_rung(&first));
    }
    /// Whoever joined an old batch failed with it, at once.
    #[test]
    fn a_message_joins_no_batch_that_is_old() {
        let (queue, start) = (queue(10), Instant::now());
        let _receipts = [publish(&queue, "t"), publish(&queue, "t")];
        let mut time = start;
        while time < start + TIMEOUT / 2 {
            time = queue.expire(time).expect("something waits");
        }
        let _late = publish(&queue, "t");
        let bell = Arc::default();
        let counts = [queue.take(&bell), queue.take(&bell)].map(|it| it.map(|it| it.count()));
        assert_eq!(counts, [Some(2), Some(1)]);
    }

    /// Nobody looked before another `publish_timeout` was over.
    #[test]
    fn what_comes_back_late_fails_soon() {
        let (queue, start) = (queue(10), Instant::now());
        let _receipt = publish(&queue, "t");
        let bell = Arc::default();
        let batch = queue.take(&bell);
        let at = start + TIMEOUT - TIMEOUT / 8;
        assert!(queue.expire(at).is_some_and(|next| next <= start + TIMEOUT + TIMEOUT / 8));
        queue.put_back(batch.into_iter());
        queue.expire(start + TIMEOUT + TIMEOUT / 8);
        assert_eq!(now(queue.settled()), Poll::Ready(()));
    }
    /// All were woken for each place, and whoever came last could be first.
    #[test]
    fn who_waits_longest_for_room_is_next() {
        let queue = queue(1);
        let mut context = Context::from_waker(Waker::noop());
        let _first = publish(&queue, "t");
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(queue.publish("t", b"x"))).collect();
        for publishing in &mut waiting {
            assert!(publishing.as_mut().poll(&mut context).is_pending());
        }
        let bell = Arc::default();
        for place in 0..3 {
            let batch = queue.take(&bell).expect("a batch");
            queue.answer(&batch, Ok(()));
            let ready: Vec<_> = waiting
                .iter_mut()
                .rev()
                .map(|publishing| publishing.as_mut().poll(&mut context).is_ready())
                .collect();
            assert_eq!(ready.iter().rev().position(|it| *it), Some(0), "{place}");
            drop(waiting.remove(0));
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Publish(usize),
        PublishWhole(usize, usize),
        Take(usize),
        Answer(usize, bool),
        PutBack(usize, bool),
        Unreachable,
        Expire(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            5 => (0..3_usize).prop_map(Step::Publish),
            1 => (0..3_usize, 1..9_usize).prop_map(|(it, count)| Step::PublishWhole(it, count)),
            4 => (0..3_usize).prop_map(Step::Take),
            2 => (0..9_usize, any::<bool>()).prop_map(|(which, ok)| Step::Answer(which, ok)),
            2 => (0..9_usize, any::<bool>()).prop_map(|(which, split)| Step::PutBack(which, split)),
            1 => Just(Step::Unreachable),
            1 => (0..20_u32).prop_map(Step::Expire),
        ]
    }

    proptest! {
        /// Whatever happens: a message that was taken in has one outcome, and then there is room
        /// for another.
        #[test]
        fn laws(retries: bool, steps in proptest::collection::vec(step(), 1..200)) {
            let publish_timeout = TIMEOUT;
            let max_outstanding = 6;
            let config = Config {
                max_outstanding, publish_timeout, publish_retry: retries, ..Config::default()
            };
            let queue = Queue::new(&config);
            let bells: Vec<Arc<Bell>> = (0..3).map(|_| Arc::default()).collect();
            let (mut receipts, mut under_way) = (Vec::new(), Vec::<Batch>::new());
            let (mut time, mut messages, mut outcomes) = (Instant::now(), 0_u32, 0_u32);
            for step in steps {
                match step {
                    Step::Publish(topic) => {
                        let publishing = queue.publish(["a", "b", "c"][topic], b"x");
                        if let Poll::Ready(Ok(it)) = now(publishing) {
                            messages += 1;
                            receipts.push(it);
                        }
                    }
                    Step::PublishWhole(topic, count) => {
                        let bodies = std::iter::repeat_n(&b"x"[..], count);
                        let topic = ["a", "b", "c"][topic];
                        if let Poll::Ready(Ok(it)) = now(queue.publish_whole(topic, None, bodies)) {
                            messages += count as u32;
                            receipts.push(it);
                        }
                    }
                    Step::Take(bell) => under_way.extend(queue.take(&bells[bell])),
                    Step::Answer(which, is_ok) if which < under_way.len() => {
                        let batch = under_way.remove(which);
                        outcomes += batch.count();
                        let result = if is_ok { Ok(()) } else { Err(PublishError::Stopped) };
                        queue.answer(&batch, result);
                    }
                    Step::PutBack(which, splits) if which < under_way.len() => {
                        let batch = under_way.remove(which);
                        if splits && batch.can_be_split() {
                            queue.put_back(batch.split().into_iter());
                        } else {
                            queue.put_back(std::iter::once(batch));
                        }
                    }
                    Step::Unreachable => {
                        queue.unreachable(&"gone".into());
                        queue.reachable();
                    }
                    Step::Expire(seconds) => {
                        time += Duration::from_secs(u64::from(seconds));
                        queue.expire(time);
                    }
                    Step::Answer(..) | Step::PutBack(..) => {}
                }
                let content = queue.content.lock();
                let waiting: u32 = content.batches.iter().map(Batch::count).sum();
                let away: u32 = under_way.iter().map(Batch::count).sum();
                prop_assert_eq!(content.outstanding, waiting + away);
                for (topic, number) in &content.open {
                    let index = usize::try_from(number - content.first).expect("a number");
                    prop_assert_eq!(content.batches.get(index).map(|it| &it.topic), Some(topic));
                }
            }
            prop_assert!(outcomes <= messages);
            queue.close();
            let closed = Poll::Ready(Err(PublishError::Stopped));
            prop_assert_eq!(now(queue.publish("a", b"x")).map_ok(|_| ()), closed);
            queue.put_back(under_way.into_iter());
            queue.abandon();
            prop_assert_eq!(now(queue.settled()), Poll::Ready(()));
            for receipt in &mut receipts {
                prop_assert!(now(receipt).is_ready());
            }
        }
    }
}
