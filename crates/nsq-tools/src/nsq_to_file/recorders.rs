//! All topics: which are started, and what happens when one fails.

use std::convert::Infallible;

use anyhow::{Context, anyhow, ensure};
use nsq_app::Logger;
use nsq_app::local_time::LocalTime;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::consumption::consume;
use super::recorder::{Orders, Recorder};
use super::settings::Settings;
use super::sync_schedule::SyncSchedule;
use super::topic_files::TopicFiles;
use super::topic_list::{TopicList, http_client};
use super::topic_log::TopicLog;
use super::topics::Topics;

/// The recorders of all topics.
#[derive(Debug)]
pub(super) struct Recorders {
    settings: Settings,
    orders: Orders,
    topics: Topics,
    tasks: JoinSet<anyhow::Result<()>>,
}

/// Where new topics are found.
#[derive(Debug)]
struct Discovery {
    list: TopicList,
    /// The first one is at once.
    ticks: Interval,
}

impl Recorders {
    pub(super) fn new(settings: Settings, orders: Orders) -> Self {
        let topics = Topics::new(settings.pattern.clone());
        Self { settings, orders, topics, tasks: JoinSet::new() }
    }

    /// Runs until a shutdown, or until a file cannot be written; then the other topics are ended
    /// in good order.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let named = self.settings.options.topics.clone();
        let ended = if named.is_empty() { self.discover().await } else { self.start(named).await };
        self.orders.shutdown.begin();
        let mut first = ended;
        while let Some(ended) = self.tasks.join_next().await {
            first = first.and(outcome(ended));
        }
        first
    }

    /// Writes the topics that were named on the command line.
    async fn start(&mut self, named: Vec<String>) -> anyhow::Result<()> {
        self.start_all(named).await;
        ensure!(!self.topics.has_none(), "no topic could be started");
        self.watch().await
    }

    /// Writes the topics that nsqlookupd names.
    async fn discover(&mut self) -> anyhow::Result<()> {
        let mut discovery = Discovery::new(&self.settings)?;
        let log = self.settings.log.clone();
        loop {
            let named = tokio::select! {
                named = discovery.next(&log) => named,
                watched = self.watch() => return watched,
            };
            self.start_all(named).await;
        }
    }

    /// Returns at a shutdown, or when a topic failed.
    async fn watch(&mut self) -> anyhow::Result<()> {
        let Self { tasks, orders, .. } = self;
        let failed = async {
            loop {
                match tasks.join_next().await {
                    Some(ended) => outcome(ended)?,
                    None => return std::future::pending::<anyhow::Result<Infallible>>().await,
                }
            }
        };
        tokio::select! {
            failed = failed => match failed? {},
            () = orders.shutdown.wait() => Ok(()),
        }
    }

    /// Starts those that are wanted and do not run yet.
    async fn start_all(&mut self, named: Vec<String>) {
        let news = self.topics.on_named(named);
        let log = self.settings.log.clone();
        for topic in news.skipped {
            let pattern = self.topics.pattern();
            log.warning(format_args!("skipping topic {topic} (doesn't match pattern {pattern})"));
        }
        for topic in news.wanted {
            if self.orders.shutdown.has_begun() {
                return;
            }
            match self.start_one(&topic).await {
                Ok(()) => self.topics.on_started(topic),
                Err(error) => log
                    .error(format_args!("couldn't create logger for new topic {topic}: {error:#}")),
            }
        }
    }

    async fn start_one(&mut self, topic: &str) -> anyhow::Result<()> {
        let settings = &self.settings;
        let log = TopicLog::new(settings.log.clone(), topic, &settings.options.channel);
        let names = settings.names(topic)?;
        let files =
            TopicFiles::new(settings.files.clone(), names, LocalTime::system(), log.clone());
        let (consumer, messages) = consume(topic, settings).await?;
        let schedule = SyncSchedule::new(settings.options.max_in_flight);
        let interval = settings.options.sync_interval;
        let recorder = Recorder::new(consumer, messages, files, schedule, interval);
        let orders = self.orders.clone();
        self.tasks.spawn(async move {
            let ran = recorder.run(orders).await;
            ran.map_err(|error| anyhow!("{} {error:#}", log.label()))
        });
        Ok(())
    }
}

impl Discovery {
    fn new(settings: &Settings) -> anyhow::Result<Self> {
        let options = &settings.options;
        let addresses = &options.lookupd_http_addresses;
        let list = TopicList::new(addresses, &settings.consumer(), http_client(options))?;
        let mut ticks = interval(options.topic_refresh);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { list, ticks })
    }

    async fn next(&mut self, log: &Logger) -> Vec<String> {
        self.ticks.tick().await;
        self.list.ask(log).await.into_iter().collect()
    }
}

fn outcome(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    ended.context("a topic panicked")?
}
