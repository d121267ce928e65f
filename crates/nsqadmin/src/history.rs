//! What is kept of many looks, within bounds.
//!
//! A series has a point for every look since it began, the newest last, so that all of them share
//! the times. A point is 24 bytes: 100 nodes with 2,000 topics of 5 channels each are 12,101
//! series, with the default of 360 looks 105 MB.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use crate::chart::{Chart, Subject};
use crate::overview::{ChannelOverview, NodeOverview, Overview, TopicOverview};

/// How many points are kept at most, of all subjects.
const POINTS_MAX: usize = 6_000_000;
/// How many subjects have a history at most, also when it is short.
const SERIES_MAX: usize = 20_000;
/// How many looks are kept at most.
const LOOKS_MAX: usize = 10_000;
/// By how many points a series grows when it is full: memory is taken for what is filled.
const POINTS_GROWTH: usize = 32;
/// How much busier a subject has to be to take the place of another, so that two that are alike
/// do not drive each other out again and again.
const BUSIER_BY: f32 = 2.0;
/// A message per second counts as much as so many that wait.
const RATE_WEIGHT: f32 = 60.0;

const _: () = assert!(POINTS_MAX * size_of::<Point>() <= 150_000_000);

/// What became of the cluster.
#[derive(Debug)]
pub(crate) struct History {
    length: Duration,
    looks_max: usize,
    series_max: usize,
    looks: VecDeque<Look>,
    series: HashMap<Subject, Series>,
    left_out: usize,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    taken_s: i64,
    /// On a steady clock.
    at: Duration,
}

#[derive(Debug, Default)]
struct Series {
    /// The newest is of the newest look.
    points: VecDeque<Point>,
    /// How many of the newest know nothing.
    unknown: usize,
    /// What it was worth in the newest look.
    weight: f32,
}

/// What is kept of a subject in one look. What is not known is not a number.
#[derive(Clone, Copy, Debug)]
struct Point {
    rate: f32,
    depth: f32,
    in_flight: f32,
    deferred: f32,
    requeues: f32,
    timeouts: f32,
}

impl History {
    /// One of `length`, when it is looked every `interval`.
    pub(crate) fn new(interval: Duration, length: Duration) -> Self {
        let looks = length.as_nanos().checked_div(interval.as_nanos()).unwrap_or_default();
        let looks_max = usize::try_from(looks).unwrap_or(LOOKS_MAX).saturating_add(1);
        let looks_max = looks_max.min(LOOKS_MAX);
        let series_max = SERIES_MAX.min(POINTS_MAX / looks_max);
        Self {
            length,
            looks_max,
            series_max,
            looks: VecDeque::new(),
            series: HashMap::new(),
            left_out: 0,
        }
    }

    /// Adds a look that was taken at `at`, on a steady clock.
    pub(crate) fn observe(&mut self, overview: &Overview, at: Duration) {
        let since = overview.taken.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let taken_s = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        self.looks.push_back(Look { taken_s, at });
        let length = self.length;
        let is_old = |look: &Look| at.saturating_sub(look.at) > length;
        while self.looks.len() > self.looks_max || self.looks.front().is_some_and(is_old) {
            self.looks.pop_front();
        }
        for series in self.series.values_mut() {
            series.push(Point::UNKNOWN);
        }
        let mut new = Vec::new();
        for (subject, point) in points(overview) {
            match self.series.get_mut(&subject) {
                Some(series) => series.set(point, point.weight(&subject)),
                None => new.push((point.weight(&subject), subject, point)),
            }
        }
        let looks = self.looks.len();
        self.series.retain(|_, series| series.keep(looks));
        self.admit(new);
    }

    /// A copy of what is kept.
    pub(crate) fn chart(&self, subject: &Subject) -> Option<Chart> {
        let series = match self.series.get(subject) {
            Some(series) => series,
            // It is there before anything is seen.
            None if *subject == Subject::Cluster => &Series::default(),
            None => return None,
        };
        let before = self.looks.len().saturating_sub(series.points.len());
        let list = |value: fn(&Point) -> f32| {
            let unknown = std::iter::repeat_n(None, before);
            let points = series.points.iter().map(value);
            unknown.chain(points.map(|value| (!value.is_nan()).then_some(value))).collect()
        };
        Some(Chart {
            times_s: self.looks.iter().map(|look| look.taken_s).collect(),
            rate: list(|point| point.rate),
            depth: list(|point| point.depth),
            in_flight: list(|point| point.in_flight),
            deferred: list(|point| point.deferred),
            requeues: list(|point| point.requeues),
            timeouts: list(|point| point.timeouts),
        })
    }

    /// The depths that are known of the last `over`, or of the last `at_least` looks if these go
    /// further back; with their moments, oldest first.
    pub(crate) fn depths(
        &self,
        subject: &Subject,
        over: Duration,
        at_least: usize,
    ) -> Vec<(Duration, f32)> {
        let (Some(series), Some(newest)) = (self.series.get(subject), self.looks.back()) else {
            return Vec::new();
        };
        let from = newest.at.saturating_sub(over);
        let looks = self.looks.iter().rev().zip(series.points.iter().rev()).enumerate();
        let looks = looks.take_while(|(place, (look, _))| look.at >= from || *place < at_least);
        let depths = looks.map(|(_, (look, point))| (look.at, point.depth));
        let mut depths: Vec<_> = depths.filter(|(_, depth)| !depth.is_nan()).collect();
        depths.reverse();
        depths
    }

    /// What has no history for want of room, as a sentence.
    pub(crate) fn left_out(&self) -> Option<String> {
        (self.left_out > 0).then(|| {
            format!(
                "{} topics, channels and nodes have no history: it keeps the {} busiest",
                self.left_out, self.series_max
            )
        })
    }

    /// Begins series, for the busiest if there is not room for all.
    fn admit(&mut self, mut new: Vec<(f32, Subject, Point)>) {
        self.left_out = 0;
        let room = self.series_max.saturating_sub(self.series.len());
        if new.len() > room {
            new.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
            let rest = new.split_off(room);
            new.extend(self.displace(rest));
        }
        for (weight, subject, point) in new {
            let mut series = Series::default();
            series.push(point);
            (series.unknown, series.weight) = (0, weight);
            self.series.insert(subject, series);
        }
    }

    /// Those of the busiest first that are busier than one that is kept, which makes room.
    fn displace(&mut self, busiest: Vec<(f32, Subject, Point)>) -> Vec<(f32, Subject, Point)> {
        let count = busiest.len();
        let kept = self.series.iter().map(|(subject, series)| (series.weight, subject.clone()));
        let mut idlest: Vec<_> = kept.collect();
        idlest.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let pairs = busiest.into_iter().zip(idlest);
        let pairs = pairs.take_while(|((new, ..), (old, _))| *new > *old * BUSIER_BY);
        let (mut admitted, mut displaced) = (Vec::new(), 0);
        for (new, (_, old)) in pairs {
            let old = self.series.remove(&old);
            displaced += usize::from(old.is_some_and(|series| series.unknown == 0));
            admitted.push(new);
        }
        self.left_out = count - admitted.len() + displaced;
        admitted
    }
}

impl Series {
    fn push(&mut self, point: Point) {
        if self.points.len() == self.points.capacity() {
            self.points.reserve_exact(POINTS_GROWTH);
        }
        self.points.push_back(point);
        self.unknown += 1;
        // What is not there any more is the first to make room.
        self.weight = -1.0;
    }

    /// The newest point is known.
    fn set(&mut self, point: Point, weight: f32) {
        if let Some(newest) = self.points.back_mut() {
            *newest = point;
        }
        (self.unknown, self.weight) = (0, weight);
    }

    /// Cuts it to so many points. Tells whether any of them is known.
    fn keep(&mut self, looks: usize) -> bool {
        let surplus = self.points.len().saturating_sub(looks);
        self.points.drain(..surplus);
        self.unknown < self.points.len()
    }
}

impl Point {
    const UNKNOWN: Self = Self {
        rate: f32::NAN,
        depth: f32::NAN,
        in_flight: f32::NAN,
        deferred: f32::NAN,
        requeues: f32::NAN,
        timeouts: f32::NAN,
    };

    const ZERO: Self =
        Self { rate: 0.0, depth: 0.0, in_flight: 0.0, deferred: 0.0, requeues: 0.0, timeouts: 0.0 };

    fn of_node(node: &NodeOverview) -> Self {
        Self {
            rate: known(node.rate, node.has_rates),
            depth: node.depth as f32,
            in_flight: node.in_flight_count as f32,
            deferred: node.deferred_count as f32,
            requeues: known(node.requeue_rate, node.has_rates),
            timeouts: known(node.timeout_rate, node.has_rates),
        }
    }

    fn of_channel(channel: &ChannelOverview) -> Self {
        Self {
            rate: known(channel.rate, channel.has_rates),
            depth: channel.depth as f32,
            in_flight: channel.in_flight_count as f32,
            deferred: channel.deferred_count as f32,
            requeues: known(channel.requeue_rate, channel.has_rates),
            timeouts: known(channel.timeout_rate, channel.has_rates),
        }
    }

    /// With what its channels have.
    fn of_topic(topic: &TopicOverview) -> Self {
        let channels = topic.channels.values().map(Self::of_channel);
        let own = Self { depth: topic.depth as f32, ..Self::ZERO };
        let sum = channels.fold(own, Self::plus);
        let rates = if topic.has_rates { sum } else { Self::UNKNOWN };
        let rate = known(topic.rate, topic.has_rates);
        Self { rate, requeues: rates.requeues, timeouts: rates.timeouts, ..sum }
    }

    /// Of two parts; what is not known of one part is what the other has.
    fn plus(self, other: Self) -> Self {
        let sum = |a: f32, b: f32| match (a.is_nan(), b.is_nan()) {
            (true, _) => b,
            (_, true) => a,
            _ => a + b,
        };
        Self {
            rate: sum(self.rate, other.rate),
            depth: sum(self.depth, other.depth),
            in_flight: sum(self.in_flight, other.in_flight),
            deferred: sum(self.deferred, other.deferred),
            requeues: sum(self.requeues, other.requeues),
            timeouts: sum(self.timeouts, other.timeouts),
        }
    }

    /// How much it is worth to be kept. The cluster and its nodes come first.
    fn weight(&self, subject: &Subject) -> f32 {
        match subject {
            Subject::Cluster | Subject::Node(_) => f32::INFINITY,
            Subject::Topic(_) | Subject::Channel(..) => {
                let rate = if self.rate.is_nan() { 0.0 } else { self.rate };
                self.depth + self.in_flight + self.deferred + rate * RATE_WEIGHT
            }
        }
    }
}

fn known(rate: f64, is_known: bool) -> f32 {
    if is_known { rate as f32 } else { f32::NAN }
}

/// What an overview says of each subject that is known.
fn points(overview: &Overview) -> impl Iterator<Item = (Subject, Point)> {
    let answered = || overview.nodes.iter().filter(|node| node.failure.is_none());
    let cluster = answered().map(Point::of_node).reduce(Point::plus);
    let nodes =
        answered().map(|node| (Subject::Node(node.node.http_address()), Point::of_node(node)));
    let topics = overview.topics.iter().flat_map(|(name, topic)| {
        let channels = topic.channels.iter().map(|(channel, figures)| {
            (Subject::Channel(name.clone(), channel.clone()), Point::of_channel(figures))
        });
        let topic = (Subject::Topic(name.clone()), Point::of_topic(topic));
        std::iter::once(topic).chain(channels)
    });
    cluster.map(|point| (Subject::Cluster, point)).into_iter().chain(nodes).chain(topics)
}

#[cfg(test)]
mod tests;
