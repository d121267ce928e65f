//! What the forms of pages do. Each is an action of the API behind one more check: that the form
//! was sent from a page of ours.

use std::sync::Arc;
use std::time::Duration;

use maud::html;
use nsq_app::http::{Answer, Failure, Form, HandlerResult, Request};
use nsq_proto::{ChannelName, TopicName};

use super::actions::{self, CONFIRMED, YES};
use super::frame::{self, Content, Section};
use super::outcome::Outcome;
use super::page::failed;
use super::token::{TOKEN_NAME, Token};
use super::visit::Visit;
use crate::access::forbidden;
use crate::act::{Action, Actor};
use crate::admin::Admin;
use crate::publication::Publication;
use crate::request_names as names;
use crate::upstream::Warnings;

/// A message of a megabyte has up to three when it is escaped.
const FORM_BYTES_MAX: u64 = 4 << 20;

/// How long a form waits for a look at what it has changed.
const LOOK_WAIT: Duration = Duration::from_millis(500);

/// What a form is about.
enum Target {
    /// What it creates stands in it.
    New,
    Topic(TopicName),
    Channel(TopicName, ChannelName),
    /// By `address:port`.
    Node(String),
}

/// What came of a form.
enum Came {
    /// Something was done, which leads to a page.
    Done(Outcome, String, Warnings),
    /// Somebody has to be asked first.
    Question(String, Form),
}

pub(super) async fn create(admin: Arc<Admin>, request: Request) -> HandlerResult {
    answer(&admin, request, |_| Ok(Target::New)).await
}

pub(super) async fn topic(admin: Arc<Admin>, request: Request) -> HandlerResult {
    answer(&admin, request, |request| Ok(Target::Topic(names::topic_of(request)?))).await
}

pub(super) async fn channel(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let target = |request: &Request| {
        let (topic, channel) = names::channel_of(request)?;
        Ok(Target::Channel(topic, channel))
    };
    answer(&admin, request, target).await
}

pub(super) async fn node(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let target =
        |request: &Request| Ok(Target::Node(request.parameter().unwrap_or_default().to_owned()));
    answer(&admin, request, target).await
}

async fn answer(
    admin: &Admin,
    mut request: Request,
    target: impl FnOnce(&Request) -> Result<Target, Failure> + Send,
) -> HandlerResult {
    let visit = Visit::new(admin, &request)?;
    let came = carry_out(admin, &mut request, &visit, target).await;
    if matches!(came, Ok(Came::Done(..))) {
        // The page that follows shows what is known then.
        admin.watch.look_soon(LOOK_WAIT).await;
    }
    Ok(match came {
        Ok(Came::Done(outcome, page, warnings)) if warnings.is_empty() => {
            Answer::see_other(&outcome.link(&page))
        }
        Ok(Came::Done(outcome, page, warnings)) => {
            frame::page(admin, &visit, &partly_done(&visit, (outcome, &page), warnings))
        }
        Ok(Came::Question(question, form)) => {
            let (link, back) = (request.path().to_owned(), request.path().to_owned());
            let fields: Vec<_> = FIELDS
                .iter()
                .filter_map(|field| Some((*field, form.first(field)?.into_owned())))
                .collect();
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
            let body = actions::question(&visit, (&question, &fields), (&link, &back));
            frame::page(admin, &visit, &asked(&visit, body))
        }
        Err(failure) => failed(admin, &visit, &failure),
    })
}

/// What a page that asks repeats of a form.
const FIELDS: [&str; 4] = ["action", "node", "topic", "back"];

async fn carry_out(
    admin: &Admin,
    request: &mut Request,
    visit: &Visit,
    target: impl FnOnce(&Request) -> Result<Target, Failure> + Send,
) -> Result<Came, Failure> {
    let actor = Actor::admitted(admin, request)?;
    let form = request.form(FORM_BYTES_MAX).await?;
    let field = |name: &str| form.first(name).unwrap_or_default().into_owned();
    if !Token::is_repeated(request.headers(), &field(TOKEN_NAME)) {
        return Err(forbidden());
    }
    let target = target(request)?;
    let action = field("action");
    let question = question(visit, &target, &action, &form);
    if let Some(question) = question.filter(|_| field(CONFIRMED) != YES) {
        return Ok(Came::Question(question, form));
    }
    let back = |page: String| match &*field("back") {
        "lookup" => visit.link("/lookup"),
        _ => page,
    };
    match target {
        Target::New => create_named(&actor, visit, &form).await,
        Target::Topic(topic) if action == "publish" => {
            publish(&actor, visit, topic, field("body")).await
        }
        Target::Topic(topic) if action == "tombstone" => {
            let warnings = actor.tombstone(&field("node"), &topic).await?;
            Ok(Came::Done(Outcome::Tombstoned, visit.topic(topic.as_ref()), warnings))
        }
        Target::Topic(topic) if action == "delete" => {
            let warnings = actor.delete_topic(&topic).await?;
            Ok(Came::Done(Outcome::Deleted, back(visit.link("/topics")), warnings))
        }
        Target::Topic(topic) => {
            let (action, outcome) = named(&action)?;
            let warnings = actor.topic(&topic, action).await?;
            Ok(Came::Done(outcome, visit.topic(topic.as_ref()), warnings))
        }
        Target::Channel(topic, channel) if action == "delete" => {
            let warnings = actor.delete_channel(&topic, &channel).await?;
            Ok(Came::Done(Outcome::Deleted, back(visit.topic(topic.as_ref())), warnings))
        }
        Target::Channel(topic, channel) => {
            let (action, outcome) = named(&action)?;
            let warnings = actor.channel((&topic, &channel), action).await?;
            let page = visit.channel(topic.as_ref(), channel.as_ref());
            Ok(Came::Done(outcome, page, warnings))
        }
        Target::Node(node) if action == "tombstone" => {
            let topic = names::topic(&field("topic"))?;
            let warnings = actor.tombstone(&node, &topic).await?;
            Ok(Came::Done(Outcome::Tombstoned, visit.node(&node), warnings))
        }
        Target::Node(_) => Err(Failure::bad_request("INVALID_ACTION")),
    }
}

async fn create_named(actor: &Actor<'_>, visit: &Visit, form: &Form) -> Result<Came, Failure> {
    let topic = names::topic(form.first("topic").unwrap_or_default().trim())?;
    let channel = form.first("channel").unwrap_or_default();
    let channel = Some(channel.trim()).filter(|name| !name.is_empty());
    let channel = channel.map(names::channel).transpose()?;
    let warnings = actor.create(&topic, channel.as_ref()).await?;
    // Until an nsqd serves it, a topic is listed among the inactive ones only.
    Ok(Came::Done(Outcome::Created, visit.link("/lookup"), warnings))
}

async fn publish(
    actor: &Actor<'_>,
    visit: &Visit,
    topic: TopicName,
    body: String,
) -> Result<Came, Failure> {
    // Browsers send the ends of lines as two characters.
    let body = body.replace("\r\n", "\n");
    let page = visit.topic(topic.as_ref());
    let published = actor.publish(&Publication::new(topic, body.into(), None)?).await?;
    Ok(Came::Done(Outcome::Published, page, published.warnings))
}

fn named(action: &str) -> Result<(Action, Outcome), Failure> {
    let action = Action::named(action).ok_or(Failure::bad_request("INVALID_ACTION"))?;
    let outcome = match action {
        Action::Pause => Outcome::Paused,
        Action::Unpause => Outcome::Unpaused,
        Action::Empty => Outcome::Emptied,
    };
    Ok((action, outcome))
}

/// What somebody has to be sure of; nothing for what does no harm.
fn question(visit: &Visit, target: &Target, action: &str, form: &Form) -> Option<String> {
    let t = visit.language;
    let field = |name: &str| form.first(name).unwrap_or_default();
    match (target, action) {
        (Target::Topic(topic), "pause") => Some(t.pause_topic_question(topic.as_ref())),
        (Target::Topic(topic), "empty") => Some(t.empty_topic_question(topic.as_ref())),
        (Target::Topic(topic), "delete") => Some(t.delete_topic_question(topic.as_ref())),
        (Target::Topic(topic), "tombstone") => {
            Some(t.tombstone_question(topic.as_ref(), &field("node")))
        }
        (Target::Channel(_, channel), "pause") => Some(t.pause_channel_question(channel.as_ref())),
        (Target::Channel(_, channel), "empty") => Some(t.empty_channel_question(channel.as_ref())),
        (Target::Channel(_, channel), "delete") => {
            Some(t.delete_channel_question(channel.as_ref()))
        }
        (Target::Node(node), "tombstone") => Some(t.tombstone_question(&field("topic"), node)),
        _ => None,
    }
}

fn asked(visit: &Visit, body: maud::Markup) -> Content {
    let title = visit.language.are_you_sure().to_owned();
    Content { title, section: Section::Topics, warnings: Warnings::default(), body }
}

/// What was done, and who did not do it.
fn partly_done(visit: &Visit, (outcome, page): (Outcome, &str), warnings: Warnings) -> Content {
    let t = visit.language;
    let body = html! {
        h1 { (t.partly_done()) }
        (super::outcome::done(visit, Some(outcome)))
        p { a href=(page) { (t.go_on()) } }
    };
    Content { title: t.partly_done().to_owned(), section: Section::Topics, warnings, body }
}
